import Classifier
import Datasets
import SweepModel
import Testing

@testable import ActiveLearning

@Suite struct KCenterStrategyTests {
    /// By the definition: before every pick, each row's distance to every center.
    private func bruteForce(_ rows: [[Double]], from centers: [[Double]], count: Int) -> [Int] {
        var centers = centers
        var picks: [Int] = []
        for _ in 0..<count {
            var best: (position: Int, distance: Double)?
            for (position, row) in rows.enumerated() where !picks.contains(position) {
                let distance = centers.map { squaredDistance(row, $0) }.min() ?? .infinity
                if distance > best?.distance ?? -1 { best = (position, distance) }
            }
            picks.append(best!.position)
            centers.append(rows[best!.position])
        }
        return picks
    }

    private func rows(_ values: [Float], length: Int) -> [[Double]] {
        stride(from: 0, to: values.count, by: length).map { start in
            values[start..<start + length].map(Double.init)
        }
    }

    private func embeddings(_ values: [Float], length: Int) -> Embeddings {
        Embeddings(count: values.count / length, features: values, featureCount: length)
    }

    @Test(
        "picks are those of a search through all rows, whatever the block",
        arguments: [1, 2, 7, 64, 512], [(300, 16, 20), (1_100, 5, 130), (40, 64, 1)])
    func oracle(_ blockCapacity: Int, _ sizes: (rows: Int, length: Int, centers: Int)) {
        let values = randomRows(sizes.rows, length: sizes.length, seed: 3)
        let centers = randomRows(sizes.centers, length: sizes.length, seed: 4)
        let picks = farthestFirst(
            embeddings(values, length: sizes.length),
            from: embeddings(centers, length: sizes.length), count: 40,
            blockCapacity: blockCapacity, goOn: {})
        let expected = bruteForce(
            rows(values, length: sizes.length), from: rows(centers, length: sizes.length), count: 40
        )
        #expect(picks == expected)
    }

    @Test(
        "of many rows at equal distances the lower goes first, whatever the block",
        arguments: [1, 3, 10, 512])
    func ties(_ blockCapacity: Int) {
        // Points of a small grid: their distances are whole numbers, and nearly all tie.
        var stream = RandomStream(seed: 5, purpose: .augmentation, cycle: 1)
        let values = (0..<200 * 3).map { _ in Float(stream.below(3)) }
        let picks = farthestFirst(
            embeddings(values, length: 3), from: embeddings([1, 1, 1], length: 3), count: 200,
            blockCapacity: blockCapacity, goOn: {})
        #expect(
            picks == bruteForce(rows(values, length: 3), from: [[1, 1, 1]], count: 200))
        #expect(picks.sorted() == Array(0..<200))
    }

    @Test("equal rows are picked in order, although their distances are rounded")
    func duplicates() {
        let row = randomRows(1, length: 512, seed: 8, offset: 3)
        let values = (0..<700).flatMap { _ in row }
        for centers in [row, []] {
            let picks = farthestFirst(
                embeddings(values, length: 512), from: embeddings(centers, length: 512), count: 650,
                goOn: {})
            #expect(picks == Array(0..<650))
        }
    }

    @Test("no center makes the first row the first; one row is all; none asked for is none")
    func limits() {
        let values = randomRows(20, length: 4, seed: 2)
        let none = embeddings([], length: 4)
        let picks = farthestFirst(embeddings(values, length: 4), from: none, count: 20, goOn: {})
        #expect(picks == bruteForce(rows(values, length: 4), from: [], count: 20))
        #expect(picks[0] == 0)
        let one = embeddings(Array(values[..<4]), length: 4)
        #expect(farthestFirst(one, from: one, count: 1, goOn: {}) == [0])
        #expect(farthestFirst(one, from: one, count: 0, goOn: {}) == [])
        #expect(farthestFirst(none, from: one, count: 0, goOn: {}) == [])
    }

    @Test("a row without its column's mean keeps its distances")
    func centering() {
        let values = randomRows(50, length: 6, seed: 1, offset: 100)
        var moved = values
        center(&moved, length: 6)
        for column in 0..<6 {
            let sum = (0..<50).reduce(0.0) { $0 + Double(moved[$1 * 6 + column]) }
            #expect(abs(sum) < 1e-3)
        }
        for (first, second) in [(0, 1), (7, 31)] {
            let distances = [values, moved].map { values in
                (0..<6).reduce(0.0) { sum, column in
                    let step = values[first * 6 + column] - values[second * 6 + column]
                    return sum + Double(step) * Double(step)
                }
            }
            #expect(abs(distances[0] - distances[1]) < 1e-3 * distances[0])
        }
        var empty: [Float] = []
        center(&empty, length: 6)
        #expect(empty.isEmpty)
    }

    @Test("the strategy looks at the features of labelled and unlabelled images")
    func features() throws {
        let scene = try StrategyScene(width: 4)
        let labelled = [0, 7, 20]
        let unlabelled = (0..<60).filter { !labelled.contains($0) }
        let strategy = KCenterStrategy(poolTransform: .test)
        let picks = try strategy.picks(for: scene.request(15, of: unlabelled, labelled: labelled))
        let features = try scene.classifier.outputs(of: Array(0..<60)).features
        let all = rows(features, length: 32)
        let expected = bruteForce(
            unlabelled.map { all[$0] }, from: labelled.map { all[$0] }, count: 15)
        #expect(picks.indices == expected.map { unlabelled[$0] })
        let reversed = try strategy.picks(
            for: scene.request(15, of: unlabelled.reversed(), labelled: labelled))
        #expect(reversed == picks, "the order does not count")
        let fewer = try strategy.picks(for: scene.request(15, of: unlabelled, labelled: [0]))
        #expect(fewer != picks, "the labelled ones do")
    }

    @Test("more than the pool takes all of it, one takes one, none takes none, copies tie")
    func smallPools() throws {
        let scene = try StrategyScene()
        let strategy = KCenterStrategy(poolTransform: .test)
        func picks(_ count: Int, _ unlabelled: [Int]) throws -> [Int] {
            try strategy.picks(for: scene.request(count, of: unlabelled, labelled: [0])).indices
        }
        #expect(try picks(10, [8, 3, 5]).sorted() == [3, 5, 8])
        #expect(try picks(1, [8]) == [8])
        #expect(try picks(10, []) == [])
        #expect(try picks(0, [8, 3]) == [])
        let copies = try StrategyScene.copies(6)
        let request = copies.request(3, of: [5, 2, 4, 1], labelled: [0, 3])
        #expect(try strategy.picks(for: request).indices == [1, 2, 4])
    }
}
