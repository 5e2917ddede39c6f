import Glibc

/// Reads JSON in the one form in which records are written: without spaces, keys in ascending
/// order, text without escapes. On anything else it gives up, and a whole JSON parser reads on.
struct JSONScanner {
    /// It is not the form that is written; it may be right all the same.
    struct Mismatch: Error {}

    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    /// - Parameter bytes: valid while the scanner is used.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Whether exactly this text comes next; it is passed then.
    @inline(__always)
    mutating func skip(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count,
            memcmp(bytes.baseAddress! + position, text.utf8Start, count) == 0
        else { return false }
        position += count
        return true
    }

    @inline(__always)
    mutating func expect(_ text: StaticString) throws(Mismatch) {
        guard skip(text) else { throw Mismatch() }
    }

    func expectEnd() throws(Mismatch) {
        guard position == bytes.count else { throw Mismatch() }
    }

    mutating func unsignedInteger() throws(Mismatch) -> UInt64 {
        var value: UInt64 = 0
        let start = position
        while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"),
            digit < 10
        {
            // 19 digits always fit.
            guard position - start < 19 else { throw Mismatch() }
            value = value * 10 + UInt64(digit)
            position += 1
        }
        guard position > start else { throw Mismatch() }
        return value
    }

    mutating func integer() throws(Mismatch) -> Int {
        let isNegative = skip("-")
        guard let value = Int(exactly: try unsignedInteger()) else { throw Mismatch() }
        return isNegative ? -value : value
    }

    /// A number, or the text that stands for one that JSON does not have.
    mutating func number() throws(Mismatch) -> Double {
        // A brace at the end keeps `strtod` from reading beyond it.
        guard position < bytes.count, bytes.last == UInt8(ascii: "}") else { throw Mismatch() }
        let first = bytes[position]
        guard first == UInt8(ascii: "-") || first &- UInt8(ascii: "0") < 10 else {
            if skip("\"nan\"") { return .nan }
            if skip("\"inf\"") { return .infinity }
            if skip("\"-inf\"") { return -.infinity }
            throw Mismatch()
        }
        let start = bytes.baseAddress!.assumingMemoryBound(to: CChar.self) + position
        var end: UnsafeMutablePointer<CChar>?
        let value = strtod(start, &end)
        guard let end, end > UnsafeMutablePointer(mutating: start) else { throw Mismatch() }
        position += start.distance(to: UnsafePointer(end))
        return value
    }

    /// Text without escapes.
    mutating func string() throws(Mismatch) -> String {
        try expect("\"")
        let start = position
        guard let quote = memchr(bytes.baseAddress! + start, 0x22, bytes.count - start)
        else { throw Mismatch() }
        let content = UnsafeRawBufferPointer(
            start: bytes.baseAddress! + start, count: bytes.baseAddress!.distance(to: quote) - start
        )
        guard content.isEmpty || memchr(content.baseAddress!, 0x5C, content.count) == nil
        else { throw Mismatch() }
        position = start + content.count + 1
        return String(decoding: content, as: UTF8.self)
    }

    mutating func integers() throws(Mismatch) -> [Int] {
        try expect("[")
        var values: [Int] = []
        if skip("]") { return values }
        repeat { values.append(try integer()) } while skip(",")
        try expect("]")
        return values
    }

    /// The bytes of an object, which is passed.
    mutating func object() throws(Mismatch) -> UnsafeRawBufferPointer {
        let start = position
        var depth = 0
        repeat {
            guard position < bytes.count else { throw Mismatch() }
            switch bytes[position] {
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}"): depth -= 1
            case UInt8(ascii: "\\"): throw Mismatch()
            case UInt8(ascii: "\""):
                guard
                    let quote = memchr(
                        bytes.baseAddress! + position + 1, 0x22, bytes.count - position - 1)
                else { throw Mismatch() }
                position = bytes.baseAddress!.distance(to: quote)
            default: break
            }
            position += 1
        } while depth > 0
        return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }
}
