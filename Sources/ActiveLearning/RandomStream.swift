import Glibc

/// What random numbers are for. The numbers are part of every result: never change or reuse one.
public enum RandomPurpose: UInt32, CaseIterable, Hashable, Sendable {
    /// The classifier's initial parameters.
    case initialisation = 1
    /// The order of the training images in an epoch.
    case epochPermutation = 2
    /// Flip and crop of the training images in an epoch.
    case augmentation = 3
    /// Flip and crop of the pool when it is scored through the train transform.
    case poolAugmentation = 4
    /// The second draw of the same, for the reward.
    case rewardAugmentation = 5
    /// The Q-network's initial parameters.
    case qNetworkInitialisation = 6
    /// The batches that the Q-network trains on.
    case replaySampling = 7
    /// The samples that enter the replay buffer as not picked.
    case negativesSampling = 8
    /// The batches of the regression that warms up the Q-network of `dqn_warm`.
    case warmStart = 9
    /// The noise by which `dqn_warm` samples in proportion to its score.
    case softRankSampling = 10
    /// The samples that `dqn_warm` picks whatever their score.
    case uniformSampling = 11
    /// The seeds of clusters that `badge` picks.
    case clusterSeeding = 12
}

/// A named sequence of random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random
/// numbers: as easy as 1, 2, 3") with the seed as key, and purpose, cycle and epoch in the counter.
///
/// A stream depends on nothing that was drawn elsewhere, so a resumed or reordered computation
/// draws the same numbers.
public struct RandomStream: Sendable {
    private let key: SIMD2<UInt32>
    private var counter: SIMD4<UInt32>
    private var block = SIMD4<UInt32>()
    /// The next word of `block`; 4 when it is used up.
    private var position = 4

    /// - Parameters:
    ///   - cycle: counted from 1.
    ///   - epoch: counted from 0, for what is drawn anew in every epoch.
    public init(seed: UInt64, purpose: RandomPurpose, cycle: Int, epoch: Int = 0) {
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        counter = SIMD4(0, UInt32(epoch), UInt32(cycle), purpose.rawValue)
    }

    /// 32 random bits.
    public mutating func nextWord() -> UInt32 {
        if position == 4 {
            block = philox4x32(counter: counter, key: key)
            // Traps after 2³² blocks, before a stream could repeat itself.
            counter[0] += 1
            position = 0
        }
        defer { position += 1 }
        return block[position]
    }

    /// Uniform in 0..<1, a multiple of 2⁻²⁴.
    public mutating func uniform() -> Float { Float(nextWord() >> 8) * 0x1p-24 }

    /// Uniform in 0..<1, a multiple of 2⁻⁵³.
    public mutating func fraction() -> Double {
        let high = UInt64(nextWord())
        return Double((high << 32 | UInt64(nextWord())) >> 11) * 0x1p-53
    }

    /// A Gumbel variate: −ln(−ln u) of a uniform u, never 0 nor 1.
    public mutating func gumbel() -> Double {
        -log(-log((Double(nextWord()) + 0.5) * 0x1p-32))
    }

    /// Uniform in −bound...bound.
    public mutating func uniform(within bound: Float) -> Float { (2 * uniform() - 1) * bound }

    /// Uniform in 0..<bound, without bias (Lemire 2019, arXiv:1805.10941).
    ///
    /// - Parameter bound: 1...2³² − 1.
    public mutating func below(_ bound: Int) -> Int {
        precondition(0 < bound, "a bound is positive")
        let bound = UInt32(bound)
        let threshold = (0 &- bound) % bound
        while true {
            let product = nextWord().multipliedFullWidth(by: bound)
            if product.low >= threshold { return Int(product.high) }
        }
    }

    /// Permutes the values, each order equally likely (Fisher & Yates).
    public mutating func shuffle(_ values: inout [Int]) {
        for index in stride(from: values.count - 1, to: 0, by: -1) {
            values.swapAt(index, below(index + 1))
        }
    }

    /// Some of the values without replacement, in the order in which they are drawn.
    ///
    /// - Parameter count: at most `values.count`.
    public mutating func sample(_ values: [Int], _ count: Int) -> [Int] {
        precondition(0 <= count && count <= values.count, "a sample is no larger than its list")
        var values = values
        for index in 0..<count {
            values.swapAt(index, index + below(values.count - index))
        }
        return Array(values[..<count])
    }
}

/// One block of Philox4x32 with 10 rounds.
func philox4x32(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (counter, key) = (counter, key)
    for _ in 0..<10 {
        let first = counter[0].multipliedFullWidth(by: 0xd251_1f53)
        let second = counter[2].multipliedFullWidth(by: 0xcd9e_8d57)
        counter = SIMD4(
            second.high ^ counter[1] ^ key[0], second.low,
            first.high ^ counter[3] ^ key[1], first.low)
        key = key &+ SIMD2(0x9e37_79b9, 0xbb67_ae85)
    }
    return counter
}
