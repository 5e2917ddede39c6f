/// A tar archive as POSIX describes it (ustar), made byte by byte so that it can be wrong.
struct Tar {
    enum Kind: UInt8 {
        case file = 0x30
        case hardLink = 0x31
        case symbolicLink = 0x32
        case characterDevice = 0x33
        case folder = 0x35
        case pipe = 0x36
    }

    private(set) var bytes: [UInt8] = []

    /// - Parameter announced: the size in the header, if it is not the contents'.
    mutating func add(
        _ name: String, _ contents: [UInt8] = [], kind: Kind = .file, link: String = "",
        announced: Int? = nil
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int, width: Int) {
            let bytes = Array(text.utf8.prefix(width))
            header.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        func put(octal value: Int, at offset: Int, width: Int) {
            let digits = String(value, radix: 8)
            put(
                String(repeating: "0", count: width - 1 - digits.count) + digits, at: offset,
                width: width)
        }
        put(name, at: 0, width: 100)
        put(octal: 0o644, at: 100, width: 8)
        put(octal: 0, at: 108, width: 8)
        put(octal: 0, at: 116, width: 8)
        put(octal: announced ?? contents.count, at: 124, width: 12)
        put(octal: 1_500_000_000, at: 136, width: 12)
        header[156] = kind.rawValue
        put(link, at: 157, width: 100)
        put("ustar", at: 257, width: 6)
        put("00", at: 263, width: 2)
        // The sum is taken with blanks in its own place.
        put("        ", at: 148, width: 8)
        put(octal: header.reduce(0) { $0 + Int($1) }, at: 148, width: 7)
        bytes += header + contents
        bytes += [UInt8](repeating: 0, count: (512 - contents.count % 512) % 512)
    }

    /// With the two empty blocks at its end.
    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1_024) }
}
