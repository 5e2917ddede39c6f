import Classifier
import Datasets
import SweepModel

/// A rule that chooses which labels to buy. Its state persists from cycle to cycle.
protocol QueryStrategy {
    /// Chooses `request.count` unlabelled images.
    mutating func picks(for request: QueryRequest) throws(ExperimentError) -> QueryPicks

    /// All that a later query depends on.
    var state: StrategyState { get }
}

/// What a strategy may look at.
struct QueryRequest {
    let seed: UInt64
    /// The cycle whose query this is, counted from 1.
    let cycle: Int
    /// Unlabelled pool indices in the pool's own order.
    let unlabelled: [Int]
    /// Labelled pool indices, sorted.
    let labelled: [Int]
    /// Labels to buy, at most `unlabelled.count`.
    let count: Int
    /// The classes of the whole pool; a strategy looks at those of its picks alone.
    let labels: [UInt8]
    let classifier: PoolClassifier

    /// The unlabelled indices, sorted: what a score decides on, so that a choice depends on the
    /// set alone and ties go to the lower pool index.
    var candidates: [Int] { unlabelled.sorted() }

    /// The logits of pool images, `(indices.count, classes)`.
    ///
    /// - Parameter purpose: of the flips and crops, should the transform draw any.
    func logits(
        of indices: [Int], through transform: PoolTransform, purpose: RandomPurpose
    ) throws(ExperimentError) -> [Float] {
        try withAugmentation(through: transform, purpose: purpose) {
            augmentation throws(ExperimentError) in
            try classifier.logits(of: indices, augmentation: augmentation)
        }
    }

    /// The same with what the linear layer saw, `(indices.count, features)`.
    func outputs(
        of indices: [Int], through transform: PoolTransform, purpose: RandomPurpose
    ) throws(ExperimentError) -> (logits: [Float], features: [Float]) {
        try withAugmentation(through: transform, purpose: purpose) {
            augmentation throws(ExperimentError) in
            try classifier.outputs(of: indices, augmentation: augmentation)
        }
    }

    /// Called between the steps of a long choice, as before every batch: who watches sees that there is
    /// work, and may end it.
    func goOn() throws(ExperimentError) {
        guard !classifier.shouldStop() else { throw .stopped(cycle: cycle) }
    }

    /// Some rows of the candidates' logits.
    func rows(_ positions: [Int], of logits: [Float]) -> [Float] {
        let length = classifier.classCount
        return positions.flatMap { logits[$0 * length..<($0 + 1) * length] }
    }

    private func withAugmentation<Result>(
        through transform: PoolTransform, purpose: RandomPurpose,
        _ body: (() -> Augmentation) throws(ExperimentError) -> Result
    ) throws(ExperimentError) -> Result {
        switch transform {
        case .test: return try body { .none }
        case .train:
            var stream = RandomStream(seed: seed, purpose: purpose, cycle: cycle)
            return try body { stream.augmentation() }
        }
    }
}

/// What a strategy chose.
struct QueryPicks: Hashable, Sendable {
    /// Pool indices in the order in which they were picked.
    var indices: [Int]
    /// Whether the network was wrong about each pick; nil if the strategy did not look.
    var isWrong: [Bool]?
    /// As in `QueryResult`.
    var meanQ: Double?
    var firstLoss: Double?
    var lastLoss: Double?
    var auc: Double?
    var lambda: Double?
}

/// The state of a strategy between two cycles, as a value that can be saved.
enum StrategyState: Hashable, Sendable {
    /// Of a strategy that remembers nothing.
    case none
    case random(CPythonRandom)
    /// nil before the first query.
    case dqn(DQNState?)
    /// nil before the first query.
    case dqnWarm(WarmDQNState?)
}

extension PoolClassifier {
    /// Whether the network is wrong about images.
    ///
    /// - Parameters:
    ///   - indices: pool indices.
    ///   - labels: the classes of the whole pool.
    ///   - logits: of the images in the order of `indices`, `(indices.count, classes)`.
    func isWrong(_ indices: [Int], labels: [UInt8], logits: [Float]) -> [Bool] {
        let logits = logits.span
        var isWrong: [Bool] = []
        for (row, index) in indices.enumerated() {
            let range = row * classCount..<(row + 1) * classCount
            isWrong.append(predictedClass(logits.extracting(range)) != Int(labels[index]))
        }
        return isWrong
    }
}

/// The positions of the largest scores, largest first; ties go to the lower position.
///
/// - Parameter scores: finite.
func topPositions(_ scores: [Float], _ count: Int) -> [Int] {
    let ordered = scores.indices.sorted { first, second in
        scores[first] == scores[second] ? first < second : scores[first] > scores[second]
    }
    return Array(ordered.prefix(count))
}
