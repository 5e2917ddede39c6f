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
        var learner = self.learner ?? newLearner(stateLength: states.length, request)

        let values = learner.network.values(of: states.values.span)
        let scores = candidates.indices.map { values[$0 * QNetwork.actionCount + 1] }
        let picked = topPositions(scores, request.count)
        let isWrong = try rewards(of: picked, candidates, logits, request)

        for (position, isWrong) in zip(picked, isWrong) {
            learner.buffer.append(states.row(position), action: 1, reward: isWrong ? 1 : 0)
        }
        for position in negatives(beside: picked, of: candidates.count, request) {
            learner.buffer.append(states.row(position), action: 0, reward: 0)
        }
        let losses = learner.train(
            gradientSteps,
            drawing: RandomStream(
                seed: request.seed, purpose: .replaySampling, cycle: request.cycle))
        self.learner = learner

        let meanQ = picked.reduce(0) { $0 + Double(scores[$1]) } / Double(max(1, picked.count))
        return QueryPicks(
            indices: picked.map { candidates[$0] }, isWrong: isWrong, meanQ: meanQ,
            firstLoss: losses.first, lastLoss: losses.last)
    }

    private func newLearner(stateLength: Int, _ request: QueryRequest) -> DQNState {
        var stream = RandomStream(
            seed: request.seed, purpose: .qNetworkInitialisation, cycle: request.cycle)
        return DQNState(network: QNetwork(stateLength: stateLength, from: &stream))
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
                picked.flatMap {
                    logits[$0 * classifier.classCount..<($0 + 1) * classifier.classCount]
                }
            case .train:
                try request.logits(
                    of: indices, through: .train, purpose: .rewardAugmentation)
            }
        return classifier.isWrong(indices, labels: request.labels, logits: pickedLogits)
    }

    /// As many of the candidates that were not picked as were, if there are so many.
    private func negatives(
        beside picked: [Int], of candidateCount: Int, _ request: QueryRequest
    ) -> [Int] {
        var isPicked = [Bool](repeating: false, count: candidateCount)
        for position in picked { isPicked[position] = true }
        let others = (0..<candidateCount).filter { !isPicked[$0] }
        var stream = RandomStream(
            seed: request.seed, purpose: .negativesSampling, cycle: request.cycle)
        return stream.sample(others, min(picked.count, others.count))
    }
}

/// What a DQN knows: network, optimiser and replay buffer.
struct DQNState: Hashable, Sendable {
    var network: QNetwork
    var optimizer: Adam
    var buffer: ReplayBuffer

    init(network: QNetwork, optimizer: Adam, buffer: ReplayBuffer) {
        self.network = network
        self.optimizer = optimizer
        self.buffer = buffer
    }

    /// With nothing learned and nothing seen.
    init(network: QNetwork) {
        self.network = network
        optimizer = Adam(parameterCount: network.parameters.count)
        buffer = ReplayBuffer(stateLength: network.stateLength)
    }

    /// Takes gradient steps, each on a batch drawn without replacement; none at all while the
    /// buffer holds less than one batch.
    ///
    /// - Returns: the loss of every step, before it.
    mutating func train(_ stepCount: Int, drawing stream: RandomStream) -> [Double] {
        guard buffer.count >= DQNStrategy.batchSize else { return [] }
        var stream = stream
        let positions = Array(0..<buffer.count)
        return (0..<stepCount).map { _ in
            let batch = buffer.batch(stream.sample(positions, DQNStrategy.batchSize))
            let (loss, gradient) = network.gradient(of: batch)
            optimizer.step(&network.parameters, gradient: gradient)
            return loss
        }
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
