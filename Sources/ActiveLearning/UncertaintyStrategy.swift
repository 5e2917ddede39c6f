import SweepModel

/// Takes the samples about which the network is least certain (Lewis & Gale 1994,
/// arXiv:cmp-lg/9407020; Settles 2009, "Active learning literature survey", 3.1).
struct UncertaintyStrategy: QueryStrategy {
    /// How uncertainty is measured; the highest score is taken first.
    enum Measure: CaseIterable {
        /// −Σ p·ln(p + 1e-8).
        case entropy
        /// 1 − max p.
        case leastConfidence
        /// −(top1 − top2).
        case margin
    }

    let measure: Measure
    let poolTransform: PoolTransform

    var state: StrategyState { .none }

    func picks(for request: QueryRequest) throws(ExperimentError) -> QueryPicks {
        let candidates = request.candidates
        guard !candidates.isEmpty else { return QueryPicks(indices: []) }
        let logits = try request.logits(
            of: candidates, through: poolTransform, purpose: .poolAugmentation)
        let states = ClassifierStates(
            logits: logits.span, classCount: request.classifier.classCount)
        let scores = candidates.indices.map { measure.score(states.row($0)) }
        return QueryPicks(
            indices: topPositions(scores, request.count).map { candidates[$0] })
    }
}

extension UncertaintyStrategy.Measure {
    /// - Parameter state: C probabilities, then the largest, its lead, and the entropy.
    func score(_ state: ArraySlice<Float>) -> Float {
        switch self {
        case .entropy: state[state.endIndex - 1]
        // The order of 1 − max p, without its rounding next to 0.
        case .leastConfidence: -state[state.endIndex - 3]
        case .margin: -state[state.endIndex - 2]
        }
    }
}
