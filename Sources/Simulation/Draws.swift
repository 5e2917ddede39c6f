/// SplitMix64 (Steele, Lea & Flood 2014): the same seed gives the same draws in every process.
struct Draws {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// The finalizer of SplitMix64: every bit of the result depends on every bit of `word`.
    static func mix(_ word: UInt64) -> UInt64 {
        var mixed = word
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    /// From 0 to one less than `bound`.
    mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// True so many times in a thousand.
    mutating func happens(perMille: Int) -> Bool { perMille > 0 && below(1_000) < perMille }

    mutating func flip() -> Bool { next() & 1 == 1 }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    mutating func number(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.count)
    }

    mutating func milliseconds(in range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(below(Int(range.upperBound - range.lowerBound) + 1))
    }

    /// A wait whose mean is `mean`, often short and now and then eight times as long.
    mutating func wait(meanMs mean: Int64) -> Int64 {
        let scale = [mean / 4, mean / 2, mean, 4 * mean, 8 * mean, mean / 4, mean / 2, mean]
        return 1 + milliseconds(in: 0...max(1, scale[below(8)]))
    }
}
