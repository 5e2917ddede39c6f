import Testing

@testable import ActiveLearning

@Suite struct RandomStreamTests {
    /// The known answers of Random123 (kat_vectors, philox 4 32 10).
    @Test("Philox gives the known answers")
    func knownAnswers() {
        #expect(
            philox4x32(counter: SIMD4(), key: SIMD2())
                == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        #expect(
            philox4x32(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
                == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        #expect(
            philox4x32(
                counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
                key: SIMD2(0xa409_3822, 0x299f_31d0))
                == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }

    @Test("the numbers of the purposes never change")
    func purposes() {
        #expect(RandomPurpose.allCases.map(\.rawValue) == Array(1...12))
        #expect(RandomPurpose.replaySampling.rawValue == 7)
    }

    @Test("streams of another seed, purpose, cycle or epoch differ; equal ones are equal")
    func names() {
        func words(
            _ seed: UInt64, _ purpose: RandomPurpose, _ cycle: Int, _ epoch: Int
        ) -> [UInt32] {
            var stream = RandomStream(seed: seed, purpose: purpose, cycle: cycle, epoch: epoch)
            return (0..<10).map { _ in stream.nextWord() }
        }
        let words = [
            words(0, .augmentation, 1, 0), words(1, .augmentation, 1, 0),
            words(1 << 32, .augmentation, 1, 0), words(0, .initialisation, 1, 0),
            words(0, .augmentation, 2, 0), words(0, .augmentation, 1, 1),
        ]
        #expect(Set(words).count == words.count)
        #expect(Set(words.joined()).count == 60)
        var again = RandomStream(seed: 0, purpose: .augmentation, cycle: 1)
        #expect((0..<10).map { _ in again.nextWord() } == words[0])
    }

    @Test("bounded draws are even over their range", arguments: [2, 3, 9, 10])
    func bounded(_ bound: Int) {
        var stream = RandomStream(seed: 11, purpose: .augmentation, cycle: 1)
        var counts = [Int](repeating: 0, count: bound)
        let drawCount = 20_000
        for _ in 0..<drawCount { counts[stream.below(bound)] += 1 }
        let expected = Double(drawCount) / Double(bound)
        let chiSquare = counts.reduce(0) {
            $0 + (Double($1) - expected) * (Double($1) - expected) / expected
        }
        // The 99.99 % quantile of chi-square with 9 degrees of freedom is 33.7.
        #expect(chiSquare < 33.7)
    }

    @Test("a bound that divides no power of two rejects the words that would favour low numbers")
    func unbiased() {
        // With a bound of 3·2³⁰, multiplying alone would give the numbers divisible by 3 half of
        // all draws; without bias they have a third.
        var stream = RandomStream(seed: 11, purpose: .augmentation, cycle: 1)
        let drawCount = 20_000
        let multiples = (0..<drawCount).count { _ in stream.below(3 << 30) % 3 == 0 }
        #expect(abs(Double(multiples) / Double(drawCount) - 1.0 / 3) < 0.02)
    }

    @Test("uniform numbers lie in 0..<1 with mean 1/2 and variance 1/12")
    func uniform() {
        var stream = RandomStream(seed: 7, purpose: .initialisation, cycle: 1)
        let values = (0..<20_000).map { _ in Double(stream.uniform()) }
        #expect(values.allSatisfy { 0 <= $0 && $0 < 1 })
        let mean = values.reduce(0, +) / 20_000
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
        #expect(abs(mean - 0.5) < 0.01)
        #expect(abs(variance - 1.0 / 12) < 0.002)
    }

    @Test("a shuffle is a permutation, and every order of three is equally likely")
    func shuffle() {
        var stream = RandomStream(seed: 7, purpose: .epochPermutation, cycle: 1)
        var counts: [[Int]: Int] = [:]
        for _ in 0..<6_000 {
            var values = [0, 1, 2]
            stream.shuffle(&values)
            #expect(values.sorted() == [0, 1, 2])
            counts[values, default: 0] += 1
        }
        #expect(counts.count == 6)
        #expect(counts.values.allSatisfy { abs($0 - 1_000) < 120 })
    }

    @Test("a sample has no duplicates, and may be the whole list")
    func sample() {
        var stream = RandomStream(seed: 7, purpose: .negativesSampling, cycle: 1)
        let values = Array(100..<150)
        for count in [0, 1, 25, 50] {
            let sample = stream.sample(values, count)
            #expect(sample.count == count)
            #expect(Set(sample).count == count && Set(sample).isSubset(of: values))
        }
    }
}
