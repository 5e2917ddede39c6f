import Glibc
import SweepModel

/// The DQN with a remedy for its cold start: the margin chooses until Q has shown that it orders the
/// classifier's errors, and chance has a part in every query.
///
/// The score of a sample is (1 − λ)·rank(1 − margin) + λ·rank(Q(s, 1)), ranks being divided by their
/// number. λ is 0 in the first query, and grows with what Q was taught by and how well it ordered
/// the errors among the last labels bought, before it trained on them.
struct WarmDQNStrategy: QueryStrategy {
    /// Steps of the regression of Q(s, 1) to 1 − margin before the first query.
    static let warmStepCount = 200

    let gradientSteps: Int
    /// nil before the first query.
    private var known: WarmDQNState?

    init(gradientSteps: Int, known: WarmDQNState? = nil) {
        self.gradientSteps = gradientSteps
        self.known = known
    }

    var state: StrategyState { .dqnWarm(known) }

    mutating func picks(for request: QueryRequest) throws(ExperimentError) -> QueryPicks {
        let candidates = request.candidates
        let logits = try request.logits(
            of: candidates, through: .test, purpose: .poolAugmentation)
        let states = ClassifierStates(
            logits: logits.span, classCount: request.classifier.classCount)
        var known =
            if let known = self.known { known } else {
                try WarmDQNState(warmedBy: states, for: request)
            }

        let values = known.learner.network.pickValues(of: states)
        let lambda = known.lambda(buying: request.count)
        let scores = warmScores(
            certainty: (0..<states.count).map { states.margin($0) }, values: values, lambda: lambda)
        let picked = drawPicks(request.count, scores: scores, for: request)
        let indices = picked.map { candidates[$0] }
        let isWrong = request.classifier.isWrong(
            indices, labels: request.labels, logits: request.rows(picked, of: logits))
        let losses = try known.learner.learn(
            from: picked, isWrong: isWrong, among: states, gradientSteps: gradientSteps,
            for: request
        )
        var picks = QueryPicks(
            indices: indices, isWrong: isWrong, values: picked.map { values[$0] }, losses: losses)
        picks.lambda = lambda
        known.auc = picks.auc
        self.known = known
        return picks
    }

    /// Nine tenths by soft-rank sampling, which is sampling without replacement in proportion to
    /// 1/place, where 1 is the place of the highest score (Kirsch et al. 2021, arXiv:2106.12059): the
    /// top of −log place + Gumbel noise. The others uniformly among the rest.
    private func drawPicks(_ count: Int, scores: [Double], for request: QueryRequest) -> [Int] {
        var noise = RandomStream(
            seed: request.seed, purpose: .softRankSampling, cycle: request.cycle)
        let places = midranks(scores.map { -Float($0) })
        let noisy = places.map { Float(noise.gumbel() - log($0)) }
        let uniformCount = count / 10
        let drawn = topPositions(noisy, count - uniformCount)
        var isDrawn = [Bool](repeating: false, count: scores.count)
        for position in drawn { isDrawn[position] = true }
        var stream = RandomStream(
            seed: request.seed, purpose: .uniformSampling, cycle: request.cycle)
        return drawn + stream.sample(scores.indices.filter { !isDrawn[$0] }, uniformCount)
    }
}

/// (1 − λ)·rank(−certainty) + λ·rank(value), with ranks in 1/n...1 and ties in the middle of theirs.
func warmScores(certainty: [Float], values: [Float], lambda: Double) -> [Double] {
    let count = Double(values.count)
    return zip(midranks(certainty.map { -$0 }), midranks(values)).map { margin, value in
        ((1 - lambda) * margin + lambda * value) / count
    }
}

/// What `dqn_warm` knows between two queries.
struct WarmDQNState: Hashable, Sendable {
    var learner: DQNState
    /// How Q ordered the errors among the last picks before it trained on them; nil before there
    /// were any, and if all or none were errors.
    var auc: Double?

    init(learner: DQNState, auc: Double?) {
        self.learner = learner
        self.auc = auc
    }

    /// Regresses Q(s, 1) to 1 − margin over states of the pool, none of which enter the buffer.
    init(
        warmedBy states: ClassifierStates, for request: QueryRequest
    ) throws(ExperimentError) {
        learner = DQNState(stateLength: states.length, for: request)
        guard states.count > 0 else { return }
        var stream = RandomStream(seed: request.seed, purpose: .warmStart, cycle: request.cycle)
        let positions = Array(0..<states.count)
        for _ in 0..<WarmDQNStrategy.warmStepCount {
            try request.goOn()
            let drawn = stream.sample(positions, min(DQNStrategy.batchSize, states.count))
            _ = learner.step(
                on: QBatch(
                    states: drawn.flatMap { states.row($0) },
                    actions: [UInt8](repeating: 1, count: drawn.count),
                    rewards: drawn.map { 1 - states.margin($0) }))
        }
    }

    /// The share of Q in the score: n₁/(n₁ + 2K)·clip(2·AUC − 1, 0, 1), n₁ being the picks in the
    /// buffer; 0 while there is no AUC.
    ///
    /// - Parameter count: K, the labels to buy.
    func lambda(buying count: Int) -> Double {
        let pickCount = learner.buffer.actions.count { $0 == 1 }
        guard let auc, pickCount > 0 else { return 0 }
        let trust = min(max(2 * auc - 1, 0), 1)
        return Double(pickCount) / Double(pickCount + 2 * count) * trust
    }
}
