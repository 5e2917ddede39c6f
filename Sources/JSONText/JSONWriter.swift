/// Writes JSON without spaces. Slashes are not escaped; numbers that JSON does not have stand as the
/// texts `inf`, `-inf` and `nan`.
public struct JSONWriter: JSONFields {
    public typealias Failure = Never

    public private(set) var bytes: [UInt8] = []
    /// Whether the next field of the object has one before it.
    @usableFromInline var needsComma = false

    /// - Parameter capacity: bytes for which there is room at first.
    public init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// The JSON of `value`.
    @inlinable
    public static func bytes(of value: some JSONValue, capacity: Int = 256) -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        value.write(to: &writer)
        return writer.bytes
    }

    // MARK: Objects

    @inlinable
    public mutating func beginObject() {
        append("{")
        needsComma = false
    }

    /// The object was a field's value, or an element, so what follows it stands after a comma.
    @inlinable
    public mutating func endObject() {
        append("}")
        needsComma = true
    }

    @inlinable
    public mutating func field(_ key: StaticString, _ value: inout some JSONValue) {
        append(key: key)
        value.write(to: &self)
        needsComma = true
    }

    @inlinable
    public mutating func field<Value: JSONValue>(_ key: StaticString, optional value: inout Value?)
    {
        guard var present = value else { return }
        field(key, &present)
    }

    /// - Parameter key: of ASCII letters, digits and underscores.
    public mutating func append(key: StaticString) {
        append(needsComma ? ",\"" : "\"")
        append(key)
        append("\":")
    }

    // MARK: Parts

    public mutating func append(_ text: StaticString) {
        bytes.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    public mutating func append(_ integer: some FixedWidthInteger) {
        if integer >= 0, integer < 10 {
            bytes.append(UInt8(ascii: "0") + UInt8(integer))
        } else {
            bytes.append(contentsOf: String(integer).utf8)
        }
    }

    public mutating func append(_ number: Double) {
        guard number.isFinite else {
            return append(number.isNaN ? "\"nan\"" : number < 0 ? "\"-inf\"" : "\"inf\"")
        }
        bytes.append(contentsOf: number.description.utf8)
        if bytes.suffix(2).elementsEqual([UInt8(ascii: "."), UInt8(ascii: "0")]) {
            bytes.removeLast(2)
        }
    }

    public mutating func append(quoting text: String) {
        let quote = UInt8(ascii: "\"")
        bytes.append(quote)
        var text = text
        text.withUTF8 { content in
            if content.allSatisfy({ $0 >= 0x20 && $0 != quote && $0 != UInt8(ascii: "\\") }) {
                bytes.append(contentsOf: content)
            } else {
                for byte in content { append(escaping: byte) }
            }
        }
        bytes.append(quote)
    }

    private mutating func append(escaping byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0A: append("\\n")
        case 0x0C: append("\\f")
        case 0x0D: append("\\r")
        case 0..<0x20:
            append(byte < 0x10 ? "\\u000" : "\\u001")
            bytes.append(contentsOf: String(byte & 15, radix: 16).utf8)
        default: bytes.append(byte)
        }
    }
}
