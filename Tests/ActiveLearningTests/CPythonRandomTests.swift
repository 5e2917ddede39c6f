import Digests
import Testing

@testable import ActiveLearning

@Suite struct CPythonRandomTests {
    /// `random.seed(seed); [random.getrandbits(32) for _ in range(3)]` of CPython 3.11.
    static let firstWords: [(seed: UInt64, words: [UInt32])] = [
        (0, [3_626_764_237, 1_654_615_998, 3_255_389_356]),
        (5, [2_675_342_405, 1_097_127_993, 3_185_950_873]),
        (4_294_967_296, [485_306_839, 1_508_871_100, 1_794_561_286]),
        (1_099_511_627_781, [2_166_296_868, 2_220_160_828, 1_153_647_273]),
        (18_446_744_073_709_551_615, [93_740_670, 1_068_495_656, 1_452_108_352]),
    ]

    @Test("words are CPython's, for seeds of one and of two words", arguments: firstWords.indices)
    func words(_ index: Int) {
        var generator = CPythonRandom(seed: Self.firstWords[index].seed)
        #expect((0..<3).map { _ in generator.nextWord() } == Self.firstWords[index].words)
    }

    @Test("both branches of random.sample agree with CPython 3.11 at their border")
    func sampleBranches() {
        var generator = CPythonRandom(seed: 5)
        #expect(generator.sample(Array(0..<21), 4) == [19, 8, 11, 16])
        #expect(generator.sample(Array(0..<22), 4) == [0, 14, 7, 20])
        #expect(generator.sample(Array(0..<85), 6) == [6, 20, 14, 47, 60, 31])
        #expect(generator.sample(Array(0..<86), 6) == [48, 69, 13, 73, 31, 1])
    }

    @Test("bounded draws agree with CPython 3.11, for a bound of 33 bits too")
    func bounded() {
        var generator = CPythonRandom(seed: 5)
        let bounds = [1, 2, 3, 4, 1_000, 1 << 31, (1 << 32) - 1, 1 << 32]
        #expect(
            bounds.map { generator.below($0) } == [
                0, 1, 2, 0, 860, 1_999_834_075, 3_332_716_663, 4_051_686_260,
            ])
    }

    @Test("initial sets and picks are those of the program in Python, cycle by cycle")
    func pools() throws {
        for vector in try FixtureFiles.pythonRandom().cases {
            var generator = CPythonRandom(seed: vector.seed)
            var pool = LabelledPool(
                count: vector.pool, initialCount: vector.initial, generator: &generator)
            #expect(pool.labelled.prefix(vector.first.count) == vector.first[...])
            #expect(digest(ofIndices: pool.labelled).hexadecimal == vector.initialDigest)
            for cycle in vector.cycles {
                let count = min(vector.addendum, pool.unlabelled.count)
                let picks = generator.sample(pool.unlabelled, count)
                pool.label(picks)
                let comment: Comment = "seed \(vector.seed), pool \(vector.pool), \(cycle.cycle)"
                #expect(picks.prefix(cycle.firstAdded.count) == cycle.firstAdded[...], comment)
                #expect(digest(ofIndices: pool.labelled).hexadecimal == cycle.inOrder, comment)
                #expect(digest(ofIndices: pool.sortedLabelled).hexadecimal == cycle.sorted, comment)
            }
        }
    }

    @Test("a saved generator goes on where it was, and what is no state is refused")
    func saved() throws {
        var generator = CPythonRandom(seed: 3)
        for _ in 0..<700 { _ = generator.nextWord() }
        var restored = try #require(
            CPythonRandom(words: generator.words, position: generator.position))
        #expect((0..<700).allSatisfy { _ in generator.nextWord() == restored.nextWord() })
        #expect(CPythonRandom(words: [1, 2, 3], position: 0) == nil)
        #expect(CPythonRandom(words: generator.words, position: 625) == nil)
    }
}
