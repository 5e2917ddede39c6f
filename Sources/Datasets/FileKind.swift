/// What a file is, judged by its first bytes, for saying what was found in place of a dataset.
enum FileKind: Hashable {
    case empty
    case idxLabels, idxImages
    /// Another element type or number of dimensions.
    case idx(type: UInt8, dimensionCount: UInt8)
    case html, zip, gzip, pickle
    /// Anything else, with its first bytes.
    case other([UInt8])

    init(_ bytes: ArraySlice<UInt8>) {
        let start = String(decoding: bytes.prefix(16), as: UTF8.self).lowercased()
        let next = bytes.dropFirst(2).prefix(2)
        self =
            if bytes.isEmpty {
                .empty
            } else if bytes.starts(with: [0, 0, 8, 1]) {
                .idxLabels
            } else if bytes.starts(with: [0, 0, 8, 3]) {
                .idxImages
            } else if bytes.starts(with: [0, 0]), Self.idxTypes.contains(next.first ?? 0) {
                .idx(type: next.first!, dimensionCount: next.last!)
            } else if start.hasPrefix("<!doctype") || start.hasPrefix("<html") {
                .html
            } else if bytes.starts(with: [0x50, 0x4b, 3, 4]) {
                .zip
            } else if bytes.starts(with: [0x1f, 0x8b]) {
                .gzip
            } else if bytes.starts(with: [0x80, 2]) {
                .pickle
            } else {
                .other(Array(bytes.prefix(4)))
            }
    }

    /// The element types that the format knows.
    private static let idxTypes: [UInt8] = [8, 9, 11, 12, 13, 14]

    var title: String {
        switch self {
        case .empty: "an empty file"
        case .idxLabels: "an IDX file of labels"
        case .idxImages: "an IDX file of images"
        case .idx(let type, let dimensionCount):
            "an IDX file of type \(type) with \(dimensionCount) dimensions"
        case .html: "an HTML page"
        case .zip: "a ZIP archive"
        case .gzip: "a gzip file"
        case .pickle: "a Python pickle"
        case .other(let bytes):
            "a file that begins with the bytes "
                + bytes.map { String($0, radix: 16) }.joined(separator: " ")
        }
    }
}
