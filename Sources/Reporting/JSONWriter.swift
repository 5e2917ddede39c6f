/// Writes one JSON value. Keys must be written in ascending order, so that equal contents are equal
/// bytes; numbers are the shortest that read back as the same.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    /// Whether the next value of the innermost container follows another.
    private var needsComma = false
    private var lastKeys: [String] = []

    mutating func object(_ content: (inout JSONWriter) -> Void) {
        open("{")
        lastKeys.append("")
        content(&self)
        lastKeys.removeLast()
        close("}")
    }

    mutating func array<Element>(
        _ elements: some Sequence<Element>, _ content: (inout JSONWriter, Element) -> Void
    ) {
        open("[")
        for element in elements { content(&self, element) }
        close("]")
    }

    /// Writes the key whose value is written next.
    mutating func key(_ name: String) {
        precondition(lastKeys[lastKeys.count - 1] < name, "key '\(name)' is out of order")
        lastKeys[lastKeys.count - 1] = name
        separate()
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func value(_ text: String) {
        separate()
        string(text)
    }

    mutating func value(_ number: some BinaryInteger) {
        separate()
        bytes.append(contentsOf: number.description.utf8)
    }

    /// A number that is not finite has no JSON and becomes null.
    mutating func value(_ number: Double) {
        separate()
        bytes.append(contentsOf: (number.isFinite ? number.description : "null").utf8)
    }

    mutating func value(_ truth: Bool) {
        separate()
        bytes.append(contentsOf: (truth ? "true" : "false").utf8)
    }

    mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(ascii: bracket))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        let needsEscape = text.utf8.contains { byte in
            byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
        }
        if needsEscape { escape(text) } else { bytes.append(contentsOf: text.utf8) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case 0..<0x20:
                let hexadecimal = String(byte, radix: 16)
                bytes.append(contentsOf: (byte < 16 ? "\\u000" : "\\u00").utf8)
                bytes.append(contentsOf: hexadecimal.utf8)
            default: bytes.append(byte)
            }
        }
    }
}

extension JSONWriter {
    mutating func field(_ name: String, _ text: String?) {
        key(name)
        if let text { value(text) } else { null() }
    }

    mutating func field(_ name: String, _ number: (some BinaryInteger)?) {
        key(name)
        if let number { value(number) } else { null() }
    }

    mutating func field(_ name: String, _ number: Double?) {
        key(name)
        optional(number)
    }

    mutating func optional(_ number: Double?) {
        if let number { value(number) } else { null() }
    }

    mutating func field(_ name: String, _ truth: Bool) {
        key(name)
        value(truth)
    }
}
