/// An IDX file of bytes: 4 magic bytes, a big-endian UInt32 per dimension, then the values.
/// (Format: yann.lecun.com/exdb/mnist, "The IDX file format".)
struct IDXFile: ~Copyable {
    /// What a file is expected to hold.
    enum Kind {
        case images, labels

        fileprivate var dimensionCount: Int { self == .images ? 3 : 1 }

        fileprivate var title: String { "an IDX file of \(self == .images ? "images" : "labels")" }
    }

    /// More than any dataset of this shape has; a header that says more is damaged.
    static let maximumCount = 1_000_000

    /// Items in the file, as its header says.
    let count: Int
    /// Rows and columns of an item; empty for labels.
    let dimensions: [Int]

    private var file: InflatingFile

    init(path: String, kind: Kind) throws(DatasetError) {
        var file = try InflatingFile(path: path)
        var header = [UInt8](repeating: 0, count: 4 + 4 * kind.dimensionCount)
        var bytes = header.mutableSpan
        let readCount = try file.read(into: &bytes)
        guard header[..<4] == [0, 0, 8, UInt8(kind.dimensionCount)] else {
            let found = FileKind(header[..<readCount]).title
            throw .wrongKind(
                path: path, expected: kind.title,
                found: file.isCompressed ? "a gzip of \(found)" : found)
        }
        guard readCount == header.count else {
            throw .truncated(
                path: path, expectedByteCount: header.count, foundByteCount: readCount)
        }
        let sizes = stride(from: 4, to: header.count, by: 4).map { offset in
            header[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
        }
        guard sizes[0] <= Self.maximumCount else {
            throw .absurdCount(path: path, count: sizes[0], maximum: Self.maximumCount)
        }
        count = sizes[0]
        dimensions = Array(sizes.dropFirst())
        self.file = file
    }

    /// The first items, after reading the file to its end, so that damage anywhere is found.
    ///
    /// - Parameter itemByteCount: what the caller has checked the dimensions against.
    /// - Returns: `neededCount · itemByteCount` bytes.
    consuming func prefix(
        _ neededCount: Int, itemByteCount: Int
    ) throws(DatasetError) -> [UInt8] {
        precondition(neededCount <= count, "the file has only \(count) items")
        var values = [UInt8](repeating: 0, count: neededCount * itemByteCount)
        var bytes = values.mutableSpan
        var valueCount = try file.read(into: &bytes)

        let announcedCount = count * itemByteCount
        var discarded = [UInt8](repeating: 0, count: Self.discardByteCount)
        while valueCount <= announcedCount {
            var bytes = discarded.mutableSpan
            let readCount = try file.read(into: &bytes)
            guard readCount > 0 else { break }
            valueCount += readCount
        }
        let headerByteCount = 8 + 4 * dimensions.count
        guard valueCount >= announcedCount else {
            throw .truncated(
                path: file.path, expectedByteCount: headerByteCount + announcedCount,
                foundByteCount: headerByteCount + valueCount)
        }
        guard valueCount == announcedCount else {
            throw .trailingBytes(
                path: file.path, expectedByteCount: headerByteCount + announcedCount)
        }
        return values
    }

    private static let discardByteCount = 1 << 16
}
