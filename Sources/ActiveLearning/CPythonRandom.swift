/// CPython's `random` module: the Mersenne Twister MT19937 (Matsumoto & Nishimura 1998) with
/// CPython's seeding, `shuffle` and `sample`, as CPython 3.11 and later draw them.
///
/// A run here can so be paired with one of a Python program at the same seed.
public struct CPythonRandom: Hashable, Sendable {
    /// Words of the generator's state.
    public static let wordCount = 624

    /// The generator's words, and the index of the next one to use, 0...624.
    public private(set) var words: [UInt32]
    public private(set) var position: Int

    /// As `random.seed(seed)`.
    public init(seed: UInt64) {
        let low = UInt32(truncatingIfNeeded: seed)
        let high = UInt32(truncatingIfNeeded: seed >> 32)
        self.init(key: high == 0 ? [low] : [low, high])
    }

    /// Continues from a saved state; nil if it cannot be one.
    public init?(words: [UInt32], position: Int) {
        guard words.count == Self.wordCount, (0...Self.wordCount).contains(position) else {
            return nil
        }
        self.words = words
        self.position = position
    }

    /// MT19937's `init_by_array`.
    private init(key: [UInt32]) {
        let count = Self.wordCount
        var words = [UInt32](repeating: 0, count: count)
        words[0] = 19_650_218
        for index in 1..<count {
            let previous = words[index - 1]
            words[index] = 1_812_433_253 &* (previous ^ previous >> 30) &+ UInt32(index)
        }
        var index = 1
        var keyIndex = 0
        for _ in 0..<max(count, key.count) {
            let previous = words[index - 1]
            words[index] =
                (words[index] ^ (previous ^ previous >> 30) &* 1_664_525)
                &+ key[keyIndex] &+ UInt32(keyIndex)
            index += 1
            keyIndex = (keyIndex + 1) % key.count
            if index == count {
                words[0] = words[count - 1]
                index = 1
            }
        }
        for _ in 1..<count {
            let previous = words[index - 1]
            words[index] =
                (words[index] ^ (previous ^ previous >> 30) &* 1_566_083_941) &- UInt32(index)
            index += 1
            if index == count {
                words[0] = words[count - 1]
                index = 1
            }
        }
        words[0] = 0x8000_0000
        self.words = words
        position = count
    }

    /// 32 random bits.
    public mutating func nextWord() -> UInt32 {
        if position == Self.wordCount { twist() }
        var word = words[position]
        position += 1
        word ^= word >> 11
        word ^= word << 7 & 0x9d2c_5680
        word ^= word << 15 & 0xefc6_0000
        return word ^ word >> 18
    }

    /// As `random._randbelow(bound)`: as many high bits as the bound has, until they are below it.
    ///
    /// - Parameter bound: 1...2³².
    public mutating func below(_ bound: Int) -> Int {
        precondition(0 < bound && bound <= 1 << 32, "a bound lies in 1...2^32")
        let bitCount = Int.bitWidth - bound.leadingZeroBitCount
        while true {
            let draw = bits(bitCount)
            if draw < bound { return draw }
        }
    }

    /// As `random.shuffle(values)`.
    public mutating func shuffle(_ values: inout [Int]) {
        for index in stride(from: values.count - 1, to: 0, by: -1) {
            values.swapAt(index, below(index + 1))
        }
    }

    /// As `random.sample(values, count)`.
    ///
    /// - Parameter count: at most `values.count`.
    public mutating func sample(_ values: [Int], _ count: Int) -> [Int] {
        precondition(0 <= count && count <= values.count, "a sample is no larger than its list")
        // Above this size CPython remembers the chosen positions instead of copying the list.
        var setSize = 21
        if count > 5 {
            var power = 1
            while power < 3 * count { power *= 4 }
            setSize += power
        }
        if values.count <= setSize {
            var rest = values
            return (0..<count).map { index in
                let position = below(values.count - index)
                let value = rest[position]
                rest[position] = rest[values.count - index - 1]
                return value
            }
        }
        var isChosen = [Bool](repeating: false, count: values.count)
        return (0..<count).map { _ in
            var position = below(values.count)
            while isChosen[position] { position = below(values.count) }
            isChosen[position] = true
            return values[position]
        }
    }

    /// As `random.getrandbits(bitCount)`, for 1...64 bits: whole words first, the high bits of the
    /// last word on top.
    private mutating func bits(_ bitCount: Int) -> Int {
        guard bitCount > 32 else { return Int(nextWord() >> (32 - UInt32(bitCount))) }
        let low = nextWord()
        let high = nextWord() >> (64 - UInt32(bitCount))
        return Int(high) << 32 | Int(low)
    }

    private mutating func twist() {
        let count = Self.wordCount
        for index in 0..<count {
            let mixed =
                words[index] & 0x8000_0000 | words[(index + 1) % count] & 0x7fff_ffff
            var word = words[(index + 397) % count] ^ mixed >> 1
            if mixed & 1 == 1 { word ^= 0x9908_b0df }
            words[index] = word
        }
        position = 0
    }
}
