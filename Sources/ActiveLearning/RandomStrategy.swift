/// `random.sample` over the unlabelled list, as CPython draws it: independent of the network.
struct RandomStrategy: QueryStrategy {
    /// Goes on where the shuffle of the pool left it.
    private var generator: CPythonRandom

    init(generator: CPythonRandom) { self.generator = generator }

    mutating func picks(for request: QueryRequest) throws(ExperimentError) -> QueryPicks {
        QueryPicks(indices: generator.sample(request.unlabelled, request.count))
    }

    var state: StrategyState { .random(generator) }
}
