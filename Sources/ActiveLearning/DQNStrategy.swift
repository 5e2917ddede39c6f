import Datasets
import SweepModel

/// A deep Q-network that learns which samples the classifier gets wrong: a contextual bandit, with
/// two actions, no exploration and no target network.
///
/// What it picks in a cycle comes from its training up to the cycle before; in the first cycle it
/// is untrained.
struct DQNStrategy: QueryStrategy {
    /// Transitions of one gradient step.
    static let batchSize = 64

    let gradientSteps: Int
    let poolTransform: PoolTransform
    /// nil before the first query.
    private var learner: DQNState?

    init(gradientSteps: Int, poolTransform: PoolTransform, learner: DQNState? = nil) {
        self.gradientSteps = gradientSteps
        self.poolTransform = poolTransform
        self.learner = learner
    }

    var state: StrategyState { .dqn(learner) }

    mutating func picks(for request: QueryRequest) throws(ExperimentError) -> QueryPicks {
        let candidates = request.candidates
        let logits = try request.logits(
            of: candidates, through: poolTransform, purpose: .poolAugmentation)
        let states = ClassifierStates(
            logits: logits.span, classCount: request.classifier.classCount)
        var learner = self.learner ?? DQNState(stateLength: states.length, for: request)

        let scores = learner.network.pickValues(of: states)
        let picked = topPositions(scores, request.count)
        let isWrong = try rewards(of: picked, candidates, logits, request)
        let losses = try learner.learn(
            from: picked, isWrong: isWrong, among: states, gradientSteps: gradientSteps,
            for: request
        )
        self.learner = learner
        return QueryPicks(
            indices: picked.map { candidates[$0] }, isWrong: isWrong,
            values: picked.map { scores[$0] }, losses: losses)
    }

    /// Whether the classifier is wrong about each pick: by the prediction that gave the state, or,
    /// through the train transform, by a second draw.
    private func rewards(
        of picked: [Int], _ candidates: [Int], _ logits: [Float], _ request: QueryRequest
    ) throws(ExperimentError) -> [Bool] {
        let classifier = request.classifier
        let indices = picked.map { candidates[$0] }
        let pickedLogits =
            switch poolTransform {
            case .test:
                request.rows(picked, of: logits)
            case .train:
                try request.logits(
                    of: indices, through: .train, purpose: .rewardAugmentation)
            }
        return classifier.isWrong(indices, labels: request.labels, logits: pickedLogits)
    }
}

extension RandomStream {
    /// A flip with p = 0.5 and one of 81 crops.
    mutating func augmentation() -> Augmentation {
        Augmentation(
            isFlipped: below(2) == 1, column: below(Augmentation.offsetCount),
            row: below(Augmentation.offsetCount))
    }
}
