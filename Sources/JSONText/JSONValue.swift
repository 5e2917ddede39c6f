/// What is written as JSON, and read again, without a general coder. A type that is `Codable` too has
/// the same JSON from both; a test compares them.
public protocol JSONValue {
    func write(to writer: inout JSONWriter)

    /// Reads the one form that `write` gives.
    static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> Self
}

/// The text is not in the form that is written. It may be right all the same: a general parser says so.
public struct JSONMismatch: Error {
    @inlinable public init() {}
}

/// A value whose JSON is an object: one list of its fields serves the writer and the scanner.
public protocol JSONObject: JSONValue {
    /// What the scanner fills in: its fields' values do not matter.
    static var blank: Self { get }

    /// Names every field, in the ascending order of the keys.
    mutating func visit<Fields: JSONFields>(_ fields: inout Fields) throws(Fields.Failure)
}

/// Who visits the fields of an object.
public protocol JSONFields {
    associatedtype Failure: Error

    mutating func field<Value: JSONValue>(
        _ key: StaticString, _ value: inout Value
    ) throws(Failure)

    /// A field that is left out if it is nil.
    mutating func field<Value: JSONValue>(
        _ key: StaticString, optional value: inout Value?
    ) throws(Failure)
}

extension JSONObject {
    @inlinable
    public func write(to writer: inout JSONWriter) {
        var visited = self
        writer.beginObject()
        visited.visit(&writer)
        writer.endObject()
    }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> Self {
        var value = blank
        try scanner.beginObject()
        try value.visit(&scanner)
        try scanner.endObject()
        return value
    }

    /// The value whose JSON `bytes` are, and nothing else.
    @inlinable
    public init(json bytes: UnsafeRawBufferPointer) throws(JSONMismatch) {
        var scanner = JSONScanner(bytes)
        self = try Self.read(from: &scanner)
        try scanner.expectEnd()
    }
}

// MARK: Values without fields

extension Int: JSONValue {
    @inlinable
    public func write(to writer: inout JSONWriter) { writer.append(self) }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> Int {
        try scanner.integer()
    }
}

extension Int64: JSONValue {
    @inlinable
    public func write(to writer: inout JSONWriter) { writer.append(self) }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> Int64 {
        Int64(try scanner.integer())
    }
}

extension UInt64: JSONValue {
    @inlinable
    public func write(to writer: inout JSONWriter) { writer.append(self) }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> UInt64 {
        try scanner.unsignedInteger()
    }
}

extension Double: JSONValue {
    @inlinable
    public func write(to writer: inout JSONWriter) { writer.append(self) }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> Double {
        try scanner.number()
    }
}

extension Bool: JSONValue {
    @inlinable
    public func write(to writer: inout JSONWriter) { writer.append(self ? "true" : "false") }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> Bool {
        if scanner.skip("true") { return true }
        try scanner.expect("false")
        return false
    }
}

extension String: JSONValue {
    @inlinable
    public func write(to writer: inout JSONWriter) { writer.append(quoting: self) }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> String {
        try scanner.string()
    }
}

extension Array: JSONValue where Element: JSONValue {
    @inlinable
    public func write(to writer: inout JSONWriter) {
        writer.append("[")
        for index in indices {
            if index > 0 { writer.append(",") }
            self[index].write(to: &writer)
        }
        writer.append("]")
    }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> [Element] {
        try scanner.expect("[")
        var values: [Element] = []
        if scanner.skip("]") { return values }
        repeat { values.append(try Element.read(from: &scanner)) } while scanner.skip(",")
        try scanner.expect("]")
        return values
    }
}

/// A word of a list of words.
extension JSONValue where Self: RawRepresentable, RawValue == String {
    @inlinable
    public func write(to writer: inout JSONWriter) { writer.append(quoting: rawValue) }

    @inlinable
    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> Self {
        guard let value = Self(rawValue: try scanner.string()) else { throw JSONMismatch() }
        return value
    }
}
