import Glibc
import SweepModel

/// Where datasets are looked for.
public struct DatasetSearch: Sendable {
    /// Debian's data packages put theirs here.
    public static let systemRoot = "/usr/share/datasets"

    /// Looked at in this order; in each, the root itself and the dataset's own subfolders.
    public let roots: [String]

    /// Images ready for use are kept here, to be mapped by every process of the machine; nil keeps
    /// them in the process's own memory.
    public let cacheFolder: String?

    /// Other than the real ones in tests.
    let published: @Sendable (DatasetName) -> PublishedDataset

    /// - Parameters:
    ///   - folder: what the user named with `--data`; then nothing else is looked at, so that a
    ///     mistyped path cannot silently be replaced by other data.
    ///   - environment: of the process: `ALSWEEP_DATA`, `XDG_DATA_HOME`, `XDG_CACHE_HOME` and `HOME`
    ///     count.
    public init(folder: String? = nil, environment: [String: String]) {
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        func place(_ variable: String, _ underHome: String) -> String? {
            (value(variable) ?? value("HOME").map { "\($0)/\(underHome)" }).map { "\($0)/alsweep" }
        }
        cacheFolder = place("XDG_CACHE_HOME", ".cache")
        published = PublishedDataset.of
        roots =
            folder.map { [$0] }
            ?? [value("ALSWEEP_DATA"), place("XDG_DATA_HOME", ".local/share"), Self.systemRoot]
            .compactMap(\.self)
    }

    /// - Parameter published: what archives are checked against.
    public init(
        roots: [String], cacheFolder: String? = nil,
        published: @escaping @Sendable (DatasetName) -> PublishedDataset = PublishedDataset.of
    ) {
        self.roots = roots
        self.cacheFolder = cacheFolder
        self.published = published
    }

    /// Where `alsweep data fetch` puts datasets: the first place but Debian's.
    public var fetchRoot: String? { roots.first { $0 != Self.systemRoot } }

    /// Loads the first images of a dataset from the first place that holds any of its files.
    ///
    /// - Parameters:
    ///   - poolCount: images of the training files.
    ///   - testCount: images of the test files.
    public func load(
        _ name: DatasetName, poolCount: Int, testCount: Int
    ) throws(DatasetError) -> Dataset {
        let source = try source(of: name)
        let published = published(name)
        let dataset = try ImageCache(folder: cacheFolder).dataset(of: source) {
            () throws(DatasetError) in try source.read(published)
        }
        func first(
            _ count: Int, of images: ImageSet, isTest: Bool
        ) throws(DatasetError) -> ImageSet {
            guard images.count >= count else {
                throw .tooFewImages(
                    path: source.path(ofTest: isTest), count: images.count, needed: count)
            }
            return images.prefix(count)
        }
        return Dataset(
            pool: try first(poolCount, of: dataset.pool, isTest: false),
            test: try first(testCount, of: dataset.test, isTest: true))
    }

    /// The files of a dataset, without reading them. In each root the complete files come before the
    /// archive, and the archive before a mistake: a folder with only some of the files.
    public func source(of name: DatasetName) throws(DatasetError) -> DatasetSource {
        for root in roots {
            var fault: DatasetError?
            for folder in folders(of: name, in: root) {
                let found = name.parts.map { find($0, in: folder) }
                if let missing = found.firstIndex(of: nil) {
                    guard fault == nil, found.contains(where: { $0 != nil }) else { continue }
                    fault = .incomplete(name, folder: folder, missing: name.parts[missing][0])
                    continue
                }
                return DatasetSource(
                    name: name, folder: folder, paths: found.map { $0! }, isArchive: false)
            }
            if let archive = published(name).archive {
                for folder in folders(of: name, in: root) {
                    guard let path = find([archive.name], in: folder) else { continue }
                    return DatasetSource(
                        name: name, folder: folder, paths: [path], isArchive: true)
                }
            }
            if let fault { throw fault }
        }
        throw .notFound(name, places: places(of: name))
    }

    /// Every folder that is looked at, in order.
    public func places(of name: DatasetName) -> [String] {
        roots.flatMap { folders(of: name, in: $0) }
    }

    private func folders(of name: DatasetName, in root: String) -> [String] {
        [root] + name.subfolders.map { "\(root)/\($0)" }
    }

    private func find(_ names: [String], in folder: String) -> String? {
        names.lazy.map { "\(folder)/\($0)" }.first(where: isFileOrFolder)
    }

    /// A pipe or a device is no file of a dataset, and reading it might wait forever.
    private func isFileOrFolder(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return false }
        return [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
    }
}

extension DatasetName {
    /// The files of the dataset, each with the names it may have.
    var parts: [[String]] {
        switch self {
        case .fashionmnist: FashionMNIST.parts
        case .cifar10, .cifar100: CIFAR.parts(of: self).map { [$0] }
        }
    }

    /// Whether one of so many files of the dataset, counted from 0, may have this name: a part of it,
    /// or its archive alone.
    public func isFileName(_ file: String, ofFile index: Int, count: Int) -> Bool {
        if count == parts.count {
            return parts.indices.contains(index) && parts[index].contains(file)
        }
        return count == 1 && index == 0 && PublishedDataset.of(self).archive?.name == file
    }

    /// As Debian names the folder, as this program does, and as torchvision does.
    fileprivate var subfolders: [String] {
        switch self {
        case .fashionmnist: ["fashion-mnist", "fashionmnist", "FashionMNIST/raw"]
        case .cifar10: ["cifar-10-batches-bin", "cifar10"]
        case .cifar100: ["cifar-100-binary", "cifar100"]
        }
    }
}
