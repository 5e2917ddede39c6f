import Glibc
import SweepModel

/// Why a dataset could not be loaded.
public enum DatasetError: Error, Hashable, Sendable {
    /// None of the places holds a file of the dataset.
    case notFound(DatasetName, places: [String])
    /// A folder holds some files of the dataset but not this one, under none of its names.
    case incomplete(DatasetName, folder: String, missing: String)
    /// The operating system's error code says why.
    case unreadable(path: String, code: Int32)
    /// The compressed stream breaks off; the file has `byteCount` bytes.
    case truncatedGzip(path: String, byteCount: Int)
    /// The compressed stream is damaged; `reason` is zlib's.
    case damagedGzip(path: String, reason: String)
    /// The contents, after inflating, are shorter than their header says, or end in a record.
    case truncated(path: String, expectedByteCount: Int, foundByteCount: Int)
    /// Something follows what the header announces.
    case trailingBytes(path: String, expectedByteCount: Int)
    /// The file is something else.
    case wrongKind(path: String, expected: String, found: String)
    /// The images have another size.
    case wrongDimensions(path: String, expected: String, found: String)
    /// The file has, or its header announces, more images than any dataset has.
    case absurdCount(path: String, count: Int, maximum: Int)
    /// Images and labels that belong together differ in number.
    case countsDiffer(images: String, imageCount: Int, labels: String, labelCount: Int)
    /// Fewer images than the experiment takes.
    case tooFewImages(path: String, count: Int, needed: Int)
    case labelOutOfRange(path: String, index: Int, label: Int, classCount: Int)
    /// The file is longer or shorter than the published one.
    case wrongLength(path: String, expected: Int, found: Int)
    /// The file, or what a gzip file holds, is not the published one.
    case wrongDigest(path: String, algorithm: String, expected: String, found: String)
    /// `reason` is libarchive's.
    case damagedArchive(path: String, reason: String)
    /// The archive has a member that no archive of a dataset has; nothing of it is used.
    case refusedMember(path: String, member: String, reason: String)
    /// The operating system's error code says why.
    case unwritable(path: String, code: Int32)
}

extension DatasetError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notFound(let name, let places):
            "no \(name.title) dataset in " + places.joined(separator: ", ")
        case .incomplete(let name, let folder, let missing):
            "\(folder) lacks '\(missing)' of \(name.title)"
        case .unreadable(let path, let code):
            "\(path) cannot be read: \(String(cString: strerror(code)))"
        case .truncatedGzip(let path, let byteCount):
            "\(path) breaks off: its gzip stream is not complete after \(byteCount) bytes"
        case .damagedGzip(let path, let reason):
            "\(path) is a damaged gzip file: \(reason)"
        case .truncated(let path, let expected, let found):
            "\(path) breaks off: it should have \(expected) bytes and holds \(found)"
        case .trailingBytes(let path, let expected):
            "\(path) goes on after the \(expected) bytes that its header announces"
        case .wrongKind(let path, let expected, let found):
            "\(path) is \(found), not \(expected)"
        case .wrongDimensions(let path, let expected, let found):
            "\(path) holds images of \(found), not \(expected)"
        case .absurdCount(let path, let count, let maximum):
            "\(path) has \(count) images or more; \(maximum) is the most that is read"
        case .countsDiffer(let images, let imageCount, let labels, let labelCount):
            "\(images) holds \(imageCount) images, but \(labels) holds \(labelCount) labels"
        case .tooFewImages(let path, let count, let needed):
            "\(path) holds \(count) images; the experiment takes the first \(needed)"
        case .labelOutOfRange(let path, let index, let label, let classCount):
            "\(path) gives image \(index) the label \(label); labels are 0 to \(classCount - 1)"
        case .wrongLength(let path, let expected, let found):
            "\(path) has \(found) bytes; the published file has \(expected)"
        case .wrongDigest(let path, let algorithm, let expected, let found):
            "\(path) is not what was published: its \(algorithm.uppercased()) is \(found), not "
                + expected
        case .damagedArchive(let path, let reason):
            "\(path) is a damaged archive: \(reason)"
        case .refusedMember(let path, let member, let reason):
            "\(path) is not used: its member '\(member)' \(reason)"
        case .unwritable(let path, let code):
            "\(path) cannot be written: \(String(cString: strerror(code)))"
        }
    }

    /// What to do about it.
    public var hint: String {
        switch self {
        case .notFound(let name, let places): name.remedy(folder: places[0])
        case .incomplete(let name, let folder, _): name.remedy(folder: folder)
        case .unreadable: "check that the file exists and that this user may read it"
        case .truncatedGzip, .damagedGzip, .truncated, .trailingBytes, .wrongKind, .absurdCount,
            .labelOutOfRange, .wrongLength, .wrongDigest, .damagedArchive:
            """
            get it again with `alsweep data fetch`; Debian's own with apt-get install --reinstall \
            dataset-fashion-mnist
            """
        case .refusedMember: "get the archive from its publisher: `alsweep data fetch`"
        case .unwritable: "free some space, or check the folder's permissions"
        case .wrongDimensions: "the dataset's own files have images of that size"
        case .countsDiffer: "the two files come from different sets; get both again"
        case .tooFewImages: "use the complete files, or lower pool_limit or test_limit"
        }
    }
}

extension DatasetName {
    /// - Parameter folder: where the files may be put.
    fileprivate func remedy(folder: String) -> String {
        let published = PublishedDataset.of(self)
        let debian = self == .fashionmnist ? ", or apt-get install dataset-fashion-mnist" : ""
        let files = published.files.map(\.name).joined(separator: ", ")
        return """
            alsweep data fetch \(rawValue)\(debian); without a network, copy \(files) from \
            \(published.address) to \(folder), or to a folder that you name with --data or ALSWEEP_DATA
            """
    }
}
