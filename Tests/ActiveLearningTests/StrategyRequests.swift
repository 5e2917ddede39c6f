import Classifier
import Datasets
import SweepModel

@testable import ActiveLearning

/// Every strategy, those that learn with few gradient steps.
let allStrategies: [Strategy] =
    Strategy.plain + Learner.allCases.map { $0.strategy(gradientSteps: 5) }

/// A pool with a network of seed 0, about which a strategy is asked directly.
struct StrategyScene {
    let pool: ImageSet
    let engine: LinearEngine

    init(_ pool: ImageSet = bandedImages(count: 60, seed: 1), width: Int = 1) throws {
        self.pool = pool
        let network = ResNet18(width: width, classes: pool.classCount)
        var stream = RandomStream(seed: 0, purpose: .initialisation, cycle: 1)
        engine = try LinearEngine(network, network.initialState { stream.uniform() })
    }

    /// A pool of so many copies of one image, whose classes take turns.
    static func copies(_ count: Int) throws -> StrategyScene {
        let one = bandedImages(count: 1, seed: 1)
        return try StrategyScene(
            ImageSet(
                name: one.name, channels: 1, pixels: (0..<count).flatMap { _ in one.pixels },
                labels: (0..<count).map { UInt8($0 % 10) }))
    }

    var classifier: PoolClassifier { classifier { false } }

    private func classifier(_ shouldStop: @escaping () -> Bool) -> PoolClassifier {
        PoolClassifier(
            feed: try! ImageFeed(pool, to: engine), batchSize: 16, cycle: 1,
            shouldStop: shouldStop)
    }

    func request(
        _ count: Int, of unlabelled: [Int], labelled: [Int] = [], seed: UInt64 = 0, cycle: Int = 1,
        shouldStop: @escaping () -> Bool = { false }
    ) -> QueryRequest {
        QueryRequest(
            seed: seed, cycle: cycle, unlabelled: unlabelled, labelled: labelled,
            count: min(count, unlabelled.count), labels: pool.labels,
            classifier: classifier(shouldStop))
    }
}

/// Rows of Gaussian-like values with a common offset, as features after a relu have one.
func randomRows(_ count: Int, length: Int, seed: UInt64, offset: Float = 0) -> [Float] {
    var stream = RandomStream(seed: seed, purpose: .augmentation, cycle: 1)
    return (0..<count * length).map { _ in
        offset + (0..<4).reduce(Float(0)) { sum, _ in sum + stream.uniform(within: 1) }
    }
}

func squaredDistance(_ first: [Double], _ second: [Double]) -> Double {
    var sum = 0.0
    for (one, other) in zip(first, second) { sum += (one - other) * (one - other) }
    return sum
}
