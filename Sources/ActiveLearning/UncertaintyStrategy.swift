import SweepModel

/// A strategy that takes the samples about which the network is least certain (Lewis & Gale 1994,
/// arXiv:cmp-lg/9407020; Settles 2009, "Active learning literature survey", 3.1).
protocol UncertaintyStrategy: QueryStrategy {
    init(poolTransform: PoolTransform)

    var poolTransform: PoolTransform { get }

    /// The highest is taken first.
    ///
    /// - Parameter state: a row of `ClassifierStates`: C probabilities, then the largest, its lead, and
    ///   the entropy.
    static func uncertainty(_ state: ArraySlice<Float>) -> Float
}

extension UncertaintyStrategy {
    var state: StrategyState { .none }

    func picks(for request: QueryRequest) throws(ExperimentError) -> QueryPicks {
        let candidates = request.candidates
        guard !candidates.isEmpty else { return QueryPicks(indices: []) }
        let logits = try request.logits(
            of: candidates, through: poolTransform, purpose: .poolAugmentation)
        let states = ClassifierStates(
            logits: logits.span, classCount: request.classifier.classCount)
        let scores = candidates.indices.map { Self.uncertainty(states.row($0)) }
        return QueryPicks(
            indices: topPositions(scores, request.count).map { candidates[$0] })
    }
}
