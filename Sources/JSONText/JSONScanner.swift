/// Reads JSON in the one form in which it is written here: without spaces, keys in ascending order,
/// no field that is unknown. On anything else it gives up, and a general parser reads on.
public struct JSONScanner: JSONFields {
    public typealias Failure = JSONMismatch

    @usableFromInline let bytes: UnsafeRawBufferPointer
    public private(set) var position = 0
    @usableFromInline var needsComma = false

    /// - Parameter bytes: valid while the scanner is used.
    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    // MARK: Objects

    @inlinable
    public mutating func beginObject() throws(JSONMismatch) {
        try expect("{")
        needsComma = false
    }

    @inlinable
    public mutating func endObject() throws(JSONMismatch) {
        try expect("}")
        needsComma = true
    }

    @inlinable
    public mutating func field<Value: JSONValue>(
        _ key: StaticString, _ value: inout Value
    ) throws(JSONMismatch) {
        guard skip(key: key) else { throw JSONMismatch() }
        value = try Value.read(from: &self)
        needsComma = true
    }

    @inlinable
    public mutating func field<Value: JSONValue>(
        _ key: StaticString, optional value: inout Value?
    ) throws(JSONMismatch) {
        guard skip(key: key) else {
            value = nil
            return
        }
        value = try Value.read(from: &self)
        needsComma = true
    }

    /// Whether this key comes next; it is passed then, with its comma and its colon.
    public mutating func skip(key: StaticString) -> Bool {
        let start = position
        if skip(needsComma ? ",\"" : "\""), skip(key), skip("\":") { return true }
        position = start
        return false
    }

    // MARK: Parts

    /// Whether exactly this text comes next; it is passed then.
    public mutating func skip(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard count <= bytes.count - position else { return false }
        let expected = UnsafeRawPointer(text.utf8Start)
        let start = bytes.baseAddress! + position
        var index = 0
        while count - index >= 8 {
            guard
                start.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    == expected.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            else { return false }
            index += 8
        }
        while index < count {
            guard
                start.load(fromByteOffset: index, as: UInt8.self)
                    == expected.load(fromByteOffset: index, as: UInt8.self)
            else { return false }
            index += 1
        }
        position += count
        return true
    }

    public mutating func expect(_ text: StaticString) throws(JSONMismatch) {
        guard skip(text) else { throw JSONMismatch() }
    }

    public func expectEnd() throws(JSONMismatch) {
        guard position == bytes.count else { throw JSONMismatch() }
    }

    /// The next byte; 0 at the end.
    private var next: UInt8 { position < bytes.count ? bytes[position] : 0 }

    // MARK: Numbers

    public mutating func unsignedInteger() throws(JSONMismatch) -> UInt64 {
        let start = position
        let value = try digits(from: 0)
        guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
            throw JSONMismatch()
        }
        return value
    }

    public mutating func integer() throws(JSONMismatch) -> Int {
        let isNegative = skip("-")
        guard let value = Int(exactly: try unsignedInteger()), value > 0 || !isNegative else {
            throw JSONMismatch()
        }
        return isNegative ? -value : value
    }

    /// Digits that follow those of `first`: at least one, and no more than 64 bits hold.
    private mutating func digits(from first: UInt64) throws(JSONMismatch) -> UInt64 {
        var value = first
        let start = position
        while case let digit = next &- UInt8(ascii: "0"), digit < 10 {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooLargeBy) = product.addingReportingOverflow(UInt64(digit))
            guard !isTooLarge, !isTooLargeBy else { throw JSONMismatch() }
            value = sum
            position += 1
        }
        guard position > start else { throw JSONMismatch() }
        return value
    }

    /// Powers of ten that a Double holds exactly.
    private static let exactPowers: [Double] = (0...22).map { exponent in
        (0..<exponent).reduce(1) { power, _ in power * 10 }
    }

    /// A number, or the text that stands for one that JSON does not have.
    public mutating func number() throws(JSONMismatch) -> Double {
        if next == UInt8(ascii: "\"") {
            if skip("\"nan\"") { return .nan }
            if skip("\"inf\"") { return .infinity }
            try expect("\"-inf\"")
            return -.infinity
        }
        let start = position
        let isNegative = skip("-")
        let whole = position
        var mantissa = try? unsignedInteger()
        if mantissa == nil { try passDigits(from: whole) }
        guard position == whole + 1 || bytes[whole] != UInt8(ascii: "0") else {
            throw JSONMismatch()
        }
        var decimals = 0
        if skip(".") {
            let point = position
            if let digits = mantissa { mantissa = try? self.digits(from: digits) }
            if mantissa == nil { try passDigits(from: point) }
            decimals = position - point
        }
        if next | 0x20 == UInt8(ascii: "e") {
            mantissa = nil
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try passDigits(from: position)
        }
        // Below 2^53 mantissa and power are exact, so their quotient is rounded once, and rightly
        // (Clinger 1990, "How to read floating point numbers accurately").
        if let mantissa, mantissa < 1 << 53, decimals < Self.exactPowers.count {
            let value = Double(mantissa) / Self.exactPowers[decimals]
            return isNegative ? -value : value
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        // What is too large or too small for a Double is for the general parser to judge.
        guard let value = Double(text), value.isFinite, value != 0 else { throw JSONMismatch() }
        return value
    }

    /// Passes digits that may be too many for an integer.
    private mutating func passDigits(from start: Int) throws(JSONMismatch) {
        position = start
        while next &- UInt8(ascii: "0") < 10 { position += 1 }
        guard position > start else { throw JSONMismatch() }
    }

    // MARK: Text

    public mutating func string() throws(JSONMismatch) -> String {
        try expect("\"")
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                let text = String(validating: bytes[start..<position], as: UTF8.self)
                guard let text else { throw JSONMismatch() }
                position += 1
                return text
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            case 0..<0x20: throw JSONMismatch()
            default: position += 1
            }
        }
        throw JSONMismatch()
    }

    /// - Parameter start: where the text began, which has an escape at `position`.
    private mutating func escapedString(from start: Int) throws(JSONMismatch) -> String {
        var content = [UInt8](bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw JSONMismatch()
                }
                return text
            case UInt8(ascii: "\\"): content.append(try escapedByte())
            case 0..<0x20: throw JSONMismatch()
            default: content.append(byte)
            }
        }
        throw JSONMismatch()
    }

    /// What a backslash and the next byte mean; code points in hexadecimal are rare.
    private mutating func escapedByte() throws(JSONMismatch) -> UInt8 {
        let byte = next
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return byte
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "r"): return 0x0D
        default: throw JSONMismatch()
        }
    }
}
