import Digests
import SweepModel

/// A file as its publisher offers it.
public struct PublishedFile: Hashable, Sendable {
    public var name: String
    public var byteCount: Int
    /// Of the file as published, in hexadecimal.
    public var md5: String
    public var sha256: String

    public init(name: String, byteCount: Int, md5: String, sha256: String) {
        self.name = name
        self.byteCount = byteCount
        self.md5 = md5
        self.sha256 = sha256
    }

    /// Throws unless a file has the published length and sums.
    public func check(_ path: String) throws(DatasetError) {
        let found = try FileIdentity(path)
        guard found.byteCount == byteCount else {
            throw .wrongLength(path: path, expected: byteCount, found: found.byteCount)
        }
        for (algorithm, expected) in [(DigestAlgorithm.sha256, sha256), (.md5, md5)] {
            guard let digest = try digest(ofFile: path, algorithm), digest != expected else {
                continue
            }
            throw .wrongDigest(
                path: path, algorithm: algorithm.rawValue, expected: expected, found: digest)
        }
    }

    /// - Returns: nil where a policy forbids the algorithm, as it may MD5; SHA-256 says more.
    private func digest(
        ofFile path: String, _ algorithm: DigestAlgorithm
    ) throws(DatasetError) -> String? {
        do {
            return try Digest(ofFile: path, algorithm: algorithm).hexadecimal
        } catch {
            switch error {
            case .unavailable: return nil
            case .unreadable(_, let code): throw .unreadable(path: path, code: code)
            }
        }
    }
}

/// Where a dataset is published, as which files, and what is in them.
public struct PublishedDataset: Sendable {
    public var name: DatasetName
    /// The folder on the web that holds the files; ends with a slash.
    public var address: String
    /// What is downloaded: an archive, or the dataset's files themselves.
    public var files: [PublishedFile]
    /// The dataset's folder in a data folder.
    public var folder: String
    /// The SHA-256 of the contents of every part of the dataset, inflated, in the parts' order.
    public var contentDigests: [String]
    /// Bytes of the parts when they are unpacked; those of `files` where there is no archive.
    public var unpackedByteCount: Int

    public init(
        name: DatasetName, address: String, files: [PublishedFile], folder: String,
        contentDigests: [String], unpackedByteCount: Int
    ) {
        self.name = name
        self.address = address
        self.files = files
        self.folder = folder
        self.contentDigests = contentDigests
        self.unpackedByteCount = unpackedByteCount
    }

    /// The archive, if the dataset comes in one.
    public var archive: PublishedFile? { name == .fashionmnist ? nil : files[0] }

    public static func of(_ name: DatasetName) -> PublishedDataset {
        switch name {
        case .cifar10: cifar10
        case .cifar100: cifar100
        case .fashionmnist: fashionMNIST
        }
    }

    /// The MD5 is the publisher's (www.cs.toronto.edu/~kriz/cifar.html); the SHA-256 is what other
    /// programs check, among them Julia's MLDatasets; the sums of the batches are
    /// torchvision-ruby's.
    private static let cifar10 = PublishedDataset(
        name: .cifar10, address: "https://www.cs.toronto.edu/~kriz/",
        files: [
            PublishedFile(
                name: "cifar-10-binary.tar.gz", byteCount: 170_052_171,
                md5: "c32a1d4ab5d03f1284b67883e8d87530",
                sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")
        ],
        folder: "cifar-10-batches-bin",
        contentDigests: [
            "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
            "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
            "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
            "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
            "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        ], unpackedByteCount: 60_000 * 3_073)

    /// From the same sources as CIFAR-10's.
    private static let cifar100 = PublishedDataset(
        name: .cifar100, address: "https://www.cs.toronto.edu/~kriz/",
        files: [
            PublishedFile(
                name: "cifar-100-binary.tar.gz", byteCount: 168_513_733,
                md5: "03b5dce01913d631647c71ecec9e9cb8",
                sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec")
        ],
        folder: "cifar-100-binary",
        contentDigests: [
            "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
            "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
        ], unpackedByteCount: 60_000 * 3_074)

    /// The MD5s are those of github.com/zalandoresearch/fashion-mnist. The other sums were taken of
    /// Debian's package: its files are the published ones without the name and time in their gzip
    /// header; with these put back they have the published MD5s.
    private static let fashionMNIST = PublishedDataset(
        name: .fashionmnist,
        address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files: [
            PublishedFile(
                name: "train-images-idx3-ubyte.gz", byteCount: 26_421_880,
                md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            PublishedFile(
                name: "train-labels-idx1-ubyte.gz", byteCount: 29_515,
                md5: "25c81989df183df01b3e8a0aad5dffbe",
                sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            PublishedFile(
                name: "t10k-images-idx3-ubyte.gz", byteCount: 4_422_102,
                md5: "bef4ecab320f06d8554ea6380940ec79",
                sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            PublishedFile(
                name: "t10k-labels-idx1-ubyte.gz", byteCount: 5_148,
                md5: "bb300cfdad3c16e7a12a480ee83cd310",
                sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ],
        folder: "fashion-mnist",
        contentDigests: [
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ], unpackedByteCount: 26_421_880 + 29_515 + 4_422_102 + 5_148)
}
