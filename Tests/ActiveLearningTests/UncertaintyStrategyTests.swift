import Classifier
import Datasets
import Foundation
import SweepModel
import Testing

@testable import ActiveLearning

@Suite struct UncertaintyStrategyTests {
    enum Measure: CaseIterable {
        case entropy, leastConfidence, margin

        var strategy: any UncertaintyStrategy.Type {
            switch self {
            case .entropy: EntropyStrategy.self
            case .leastConfidence: LeastConfidenceStrategy.self
            case .margin: MarginStrategy.self
            }
        }
    }

    private static let pool = bandedImages(count: 60, seed: 1)

    /// What a measure picks among some of a pool's images, with a network of seed 0.
    private func picks(
        _ measure: Measure, _ count: Int, of unlabelled: [Int], in pool: ImageSet = pool,
        transform: PoolTransform = .test
    ) throws -> [Int] {
        let strategy = measure.strategy.init(poolTransform: transform)
        return try strategy.picks(
            for: QueryRequest(
                seed: 0, cycle: 1, unlabelled: unlabelled, labelled: [],
                count: min(count, unlabelled.count),
                labels: pool.labels, classifier: try classifier(of: pool))
        ).indices
    }

    private func classifier(of pool: ImageSet) throws -> PoolClassifier {
        let network = ResNet18(width: 1, classes: 10)
        var stream = RandomStream(seed: 0, purpose: .initialisation, cycle: 1)
        let engine = try LinearEngine(network, network.initialState { stream.uniform() })
        return PoolClassifier(
            feed: try ImageFeed(pool, to: engine), batchSize: 16, cycle: 1,
            shouldStop: { false })
    }

    @Test("scores of three distributions rank as worked out by hand")
    func scores() {
        // p = (.5, .5, 0), (.4, .3, .3), (.6, .2, .2): entropies .693, 1.089, .950.
        let rows: [[Float]] = [[0.5, 0.5, 1e-20], [0.4, 0.3, 0.3], [0.6, 0.2, 0.2]]
        let logits = rows.flatMap { $0.map { Float(log(Double($0))) } }
        let states = ClassifierStates(logits: logits.span, classCount: 3)
        func ranking(_ measure: Measure) -> [Int] {
            topPositions((0..<3).map { measure.strategy.uncertainty(states.row($0)) }, 3)
        }
        #expect(ranking(.entropy) == [1, 2, 0])
        #expect(ranking(.leastConfidence) == [1, 0, 2])
        #expect(ranking(.margin) == [0, 1, 2])
    }

    @Test(
        "picks are the top of the measure over every unlabelled image", arguments: Measure.allCases)
    func top(_ measure: Measure) throws {
        let unlabelled = Array((5..<60).reversed())
        let logits = try classifier(of: Self.pool).logits(of: Array(0..<60))
        let uncertainty = (0..<60).map { index -> Double in
            let row = logits[index * 10..<(index + 1) * 10].map { exp(Double($0)) }
            let p = row.map { $0 / row.reduce(0, +) }.sorted(by: >)
            return switch measure {
            case .entropy: -p.reduce(0) { $0 + $1 * log($1 + 1e-8) }
            case .leastConfidence: 1 - p[0]
            case .margin: p[1] - p[0]
            }
        }
        let picks = try picks(measure, 7, of: unlabelled)
        let expected = (5..<60).sorted { uncertainty[$0] > uncertainty[$1] }.prefix(7)
        #expect(picks == Array(expected))
        #expect(try picks == self.picks(measure, 7, of: Array(5..<60)), "the order does not count")
    }

    @Test("duplicates tie, and ties go to the lower index", arguments: Measure.allCases)
    func duplicates(_ measure: Measure) throws {
        let one = Self.pool.prefix(1)
        let copies = ImageSet(
            name: one.name, channels: 1, pixels: (0..<6).flatMap { _ in one.pixels },
            labels: [UInt8](repeating: 0, count: 6))
        #expect(try picks(measure, 3, of: [5, 2, 4, 1], in: copies) == [1, 2, 4])
    }

    @Test(
        "more than the pool takes all of it, one takes one, none takes none",
        arguments: Measure.allCases)
    func smallPools(_ measure: Measure) throws {
        #expect(try picks(measure, 10, of: [8, 3, 5]).sorted() == [3, 5, 8])
        #expect(try picks(measure, 1, of: [8]) == [8])
        #expect(try picks(measure, 10, of: []) == [])
    }

    @Test("the pool's transform is heeded", arguments: Measure.allCases)
    func transform(_ measure: Measure) throws {
        let all = Array(0..<60)
        let plain = try picks(measure, 60, of: all)
        let augmented = try picks(measure, 60, of: all, transform: .train)
        #expect(plain != augmented)
        #expect(augmented == (try picks(measure, 60, of: all, transform: .train)))
    }
}
