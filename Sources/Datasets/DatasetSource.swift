import Digests
import SweepModel

/// The files of a dataset in one folder.
public struct DatasetSource: Hashable, Sendable {
    public let name: DatasetName
    public let folder: String
    /// The dataset's files in their order, or its archive alone.
    public let paths: [String]
    /// Whether the images are read from the archive as it was downloaded.
    public let isArchive: Bool

    /// Reads and checks everything. Of an archive the digest is checked before anything is used.
    func read(_ published: PublishedDataset) throws(DatasetError) -> Dataset {
        if isArchive {
            try published.files[0].check(paths[0])
            return try CIFAR(name).load(archive: paths[0])
        }
        return switch name {
        case .fashionmnist: try FashionMNIST(paths: paths).load()
        case .cifar10, .cifar100: try CIFAR(name).load(paths: paths)
        }
    }

    /// Checks every file against what was published, and reads every image.
    ///
    /// - Parameter published: another dataset than the real one in tests.
    /// - Returns: the files that were checked.
    public func verify(
        _ published: PublishedDataset? = nil
    ) throws(DatasetError) -> [VerifiedFile] {
        let published = published ?? .of(name)
        // What is wrong in a way that can be named is told first.
        let dataset = try read(published)
        if isArchive {
            let file = published.files[0]
            return [
                VerifiedFile(path: paths[0], byteCount: file.byteCount, sha256: file.sha256)
            ]
        }
        var files: [VerifiedFile] = []
        for (path, expected) in zip(paths, published.contentDigests) {
            let digest = try contentDigest(of: path)
            guard digest == expected else {
                throw .wrongDigest(
                    path: path, algorithm: "sha256", expected: expected, found: digest)
            }
            files.append(
                VerifiedFile(
                    path: path, byteCount: try FileIdentity(path).byteCount, sha256: digest))
        }
        _ = dataset
        return files
    }

    /// The SHA-256 of what a file holds when it is inflated: Debian compressed Fashion-MNIST anew.
    private func contentDigest(of path: String) throws(DatasetError) -> String {
        var file = try InflatingFile(path: path)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        guard var stream = try? DigestStream(.sha256) else {
            preconditionFailure("every libcrypto has SHA-256")
        }
        while true {
            var bytes = buffer.mutableSpan
            let count = try file.read(into: &bytes)
            guard count > 0 else { return stream.finish().hexadecimal }
            stream.update(buffer.span.extracting(0..<count).bytes)
        }
    }

    /// The file whose images are too few, if the pool's or the test's are.
    func path(ofTest isTest: Bool) -> String {
        if isArchive { return paths[0] }
        return switch name {
        case .fashionmnist: paths[isTest ? 2 : 0]
        case .cifar10, .cifar100: paths[paths.count - (isTest ? 1 : 2)]
        }
    }
}

/// A file that holds what was published.
public struct VerifiedFile: Hashable, Sendable {
    public var path: String
    /// As the file lies there.
    public var byteCount: Int
    /// Of an archive as it is, of other files after inflating.
    public var sha256: String
}
