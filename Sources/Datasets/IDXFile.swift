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
            let found = describe(header[..<readCount], inGzip: file.isCompressed)
            throw .wrongKind(path: path, expected: kind.title, found: found)
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
        guard count >= neededCount else {
            throw .tooFewImages(path: file.path, count: count, needed: neededCount)
        }
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

/// What a file that should be IDX is, judged by its first bytes.
private func describe(_ bytes: ArraySlice<UInt8>, inGzip: Bool) -> String {
    let start = String(decoding: bytes, as: UTF8.self).lowercased()
    let kind =
        if bytes.isEmpty {
            "an empty file"
        } else if bytes.starts(with: [0, 0, 8, 1]) {
            "an IDX file of labels"
        } else if bytes.starts(with: [0, 0, 8, 3]) {
            "an IDX file of images"
        } else if bytes.count >= 4 && bytes.starts(with: [0, 0]) {
            "an IDX file of type \(bytes[2]) with \(bytes[3]) dimensions"
        } else if start.hasPrefix("<!doctype") || start.hasPrefix("<html") {
            "an HTML page"
        } else if bytes.starts(with: [0x50, 0x4b]) {
            "a ZIP archive"
        } else if bytes.starts(with: [0x1f, 0x8b]) {
            "a gzip file"
        } else {
            "a file that begins with the bytes "
                + bytes.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
        }
    return inGzip ? "a gzip of \(kind)" : kind
}
