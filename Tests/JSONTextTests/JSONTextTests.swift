import Foundation
import Fuzzing
import JSONText
import Testing

private enum Colour: String, Codable, CaseIterable, JSONValue {
    case red
    case deepBlue = "deep_blue"
}

private struct Point: Codable, Equatable, JSONObject {
    var x = 0.0
    var y: Double?

    static var blank: Point { Point() }

    mutating func visit<Fields: JSONFields>(_ fields: inout Fields) throws(Fields.Failure) {
        try fields.field("x", &x)
        try fields.field("y", optional: &y)
    }
}

/// Every kind of value.
private struct Sample: Codable, Equatable, JSONObject {
    var colour = Colour.red
    var flag: Bool?
    var large: UInt64 = 0
    var numbers: [Int] = []
    var point = Point()
    var points: [Point] = []
    var signed: Int64 = 0
    var text = ""

    static var blank: Sample { Sample() }

    mutating func visit<Fields: JSONFields>(_ fields: inout Fields) throws(Fields.Failure) {
        try fields.field("colour", &colour)
        try fields.field("flag", optional: &flag)
        try fields.field("large", &large)
        try fields.field("numbers", &numbers)
        try fields.field("point", &point)
        try fields.field("points", &points)
        try fields.field("signed", &signed)
        try fields.field("text", &text)
    }
}

extension FuzzGenerator {
    /// Of any size, and of few digits, as programs write most.
    fileprivate mutating func number() -> Double {
        switch below(6) {
        case 0: Double(bitPattern: next())
        case 1: Double(below(100_000)) / 1_000
        case 2:
            [
                0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
                0.1,
            ][below(7)]
        case 3: Double(below(1 << 54)) - Double(1 << 53)
        case 4: Double(below(1_000_000)) * 1e-9
        default: Double(below(2_000)) - 1_000
        }
    }

    fileprivate mutating func text() -> String {
        let parts = [
            "\"", "\\", "/", "\u{0}", "\n", "\r\t\u{8}\u{c}", "\u{1f}\u{7f}", "é", "漢", "👩‍🔬", "a b",
        ]
        return (0..<below(6)).map { _ in parts[below(parts.count)] }.joined()
    }

    fileprivate mutating func point() -> Point {
        Point(x: number(), y: below(2) == 0 ? nil : number())
    }

    fileprivate mutating func sample() -> Sample {
        Sample(
            colour: Colour.allCases[below(2)], flag: [nil, true, false][below(3)],
            large: next() >> UInt64(below(64)),
            numbers: (0..<below(4)).map { _ in Int(truncatingIfNeeded: next()) >> below(64) },
            point: point(), points: (0..<below(3)).map { _ in point() },
            signed: Int64(truncatingIfNeeded: next()) >> Int64(below(64)), text: text())
    }
}

private func general(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return Array(try encoder.encode(value))
}

private func generally<Value: Decodable>(_ bytes: [UInt8], _ type: Value.Type) throws -> Value {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try decoder.decode(Value.self, from: Data(bytes))
}

private func scanned<Value: JSONObject>(_ bytes: [UInt8], _ type: Value.Type) -> Value? {
    bytes.withUnsafeBytes { try? Value(json: $0) }
}

@Test("random values get the bytes that the general encoder gives, and come back from them")
func randomValues() throws {
    var generator = FuzzGenerator(seed: fuzzSeed)
    for _ in 0..<max(3_000, fuzzRounds) {
        let sample = generator.sample()
        let bytes = JSONWriter.bytes(of: sample)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(try text == String(decoding: general(sample), as: UTF8.self))
        // Of what is written, only control characters that have no letter are left to the general
        // parser.
        let isRare = text.contains("\\u")
        let back = scanned(bytes, Sample.self)
        #expect(isRare || back != nil, "not scanned: \(text)")
        // Bytes, because NaN is not equal to itself.
        if let back { #expect(JSONWriter.bytes(of: back) == bytes) }
    }
}

@Test("what is damaged is left to the general parser, or read as it reads it")
func damagedText() throws {
    var generator = FuzzGenerator(seed: fuzzSeed)
    var (read, left) = (0, 0)
    for _ in 0..<max(20_000, fuzzRounds) {
        let bytes = generator.damaged(JSONWriter.bytes(of: generator.sample()))
        guard let value = scanned(bytes, Sample.self) else {
            left += 1
            continue
        }
        read += 1
        let text = String(decoding: bytes, as: UTF8.self)
        let expected = try? generally(bytes, Sample.self)
        #expect(expected != nil, "the general parser refuses \(text)")
        if let expected {
            #expect(JSONWriter.bytes(of: value) == JSONWriter.bytes(of: expected), "\(text)")
        }
    }
    #expect(read > 100 && left > 100)
}

@Test(
    "numbers in every form are left to the general parser, or read as it reads them",
    arguments: [
        "0", "-0", "00", "01", "-01", "1.", ".5", "+1", "1.0", "-0.0", "1e3", "1E+3", "1e", "1e+",
        "0.1e-2", "123456789012345678901234567890", "0.1234567890123456789012345",
        "9007199254740993",
        "0.30000000000000004", "1e308", "1e309", "-1e999", "1e-400", "4.9e-324", "2.5e-324", "NaN",
        "nan", "Infinity", "-Infinity", "\"nan\"", "\"inf\"", "\"-inf\"", "\"1\"", "null", "true",
        "0x10", "1_000", "--1", "1-", "00.5", "01.5",
        "179769313486231570000000000000000000000000000000000000000000000000000000000000000000000000",
    ])
func numberForms(number: String) {
    let bytes = Array("{\"x\":\(number)}".utf8)
    guard let value = scanned(bytes, Point.self) else { return }
    let expected = try? generally(bytes, Point.self)
    #expect(expected != nil, "the general parser refuses \(number)")
    #expect(value.x.bitPattern == expected?.x.bitPattern || value.x.isNaN)
}

@Test("the forms that are written are scanned: nothing is slow unnoticed")
func scannedForms() {
    for number in [
        "0", "-1", "0.5", "-2.25", "1e-05", "1.5e+300", "0.30000000000000004", "\"inf\"",
    ] {
        #expect(scanned(Array("{\"x\":\(number)}".utf8), Point.self) != nil, "\(number)")
    }
    let text =
        #"{"colour":"red","large":18446744073709551615,"numbers":[-9223372036854775807],"#
        + #""point":{"x":1},"points":[],"signed":-1,"text":"\/\"\\\b\f\n\r\té"}"#
    #expect(scanned(Array(text.utf8), Sample.self)?.text == "/\"\\\u{8}\u{c}\n\r\té")
}

@Test(
    "another form is not scanned, even where it is right",
    arguments: [
        #"{ "x":1}"#, #"{"x":1} "#, #"{"x":1,"x":2}"#, #"{"y":1,"x":1}"#, #"{"w":1,"x":1}"#,
        #"{"x":1,"z":1}"#, #"{"x":1,}"#, #"{"x":1"#, #"{"x":1}}"#, #"{}"#, "", "[]", "{\"x\"",
        #"{"x":1,"y":null}"#, #"{"x":[[[[1]]]]}"#,
    ])
func otherForms(text: String) { #expect(scanned(Array(text.utf8), Point.self) == nil) }

@Test("text that is no UTF-8, or has bare control characters, is not scanned")
func wrongText() {
    func sample(_ content: [UInt8]) -> Sample? {
        let head =
            #"{"colour":"red","large":1,"numbers":[],"point":{"x":1},"points":[],"signed":1,"#
            + #""text":""#
        return scanned(Array(head.utf8) + content + [0x22, 0x7D], Sample.self)
    }
    #expect(sample([0x61])?.text == "a")
    for wrong: [UInt8] in [
        [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0x0A], [0x00], [0x5C], [0x5C, 0x78],
        Array(#"\ud800"#.utf8), [0x5C, 0x6E, 0xFF],
    ] {
        #expect(sample(wrong) == nil, "\(wrong)")
    }
}
