import Foundation

/// SplitMix64 (Steele, Lea & Flood 2014): the same damage in every run of a seed.
public struct FuzzGenerator: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// A few changes: of bits, of bytes to their extremes, of the length, of the order, and of words
    /// to others of the same file.
    public mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<(1 + below(4)) where !bytes.isEmpty {
            let place = below(bytes.count)
            let end = min(bytes.count, place + 1 + below(40))
            switch below(9) {
            case 0: bytes[place] ^= 1 << UInt8(below(8))
            case 1: bytes[place] = [0, 1, 0x7f, 0x80, 0xff][below(5)]
            case 2: for index in place..<min(place + 8, bytes.count) { bytes[index] = 0xff }
            case 3: bytes.removeSubrange(place...)
            case 4: bytes.removeSubrange(place..<end)
            case 5: bytes.insert(contentsOf: bytes[place..<end], at: below(bytes.count))
            case 6: bytes.insert(contentsOf: Self.words[below(Self.words.count)].utf8, at: place)
            case 7:
                bytes.replaceSubrange(place..<end, with: bytes[0..<min(end - place, bytes.count)])
            default:
                for _ in 0..<(1 + below(20)) { bytes.append(UInt8(truncatingIfNeeded: next())) }
            }
        }
        return bytes
    }

    /// What parsers of text trip over.
    private static let words = [
        "-1", "9223372036854775807", "9223372036854775808", "1e999", "-0", "null", "{}", "[]",
        "[[[[[[[[",
        "\"", "\\u0000", "&a [*a]", "!!binary ", "\n- ", ": ", "\t", "true", "nan", "NaN",
        "\u{FEFF}",
        "\u{202E}", "0x7fffffffffffffff", ",", "'", "# ", "|", "%",
    ]
}

/// Rounds of every fuzz test; `ALSWEEP_FUZZ_ROUNDS` asks for more.
public let fuzzRounds = number("ALSWEEP_FUZZ_ROUNDS") ?? 300
/// Messages through the frame codec; `ALSWEEP_FUZZ_FRAMES` asks for more.
public let fuzzFrames = number("ALSWEEP_FUZZ_FRAMES") ?? 20_000
/// `ALSWEEP_FUZZ_SEED` asks for other damage.
public let fuzzSeed = UInt64(number("ALSWEEP_FUZZ_SEED") ?? 1)

private func number(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init)
}
