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

    /// As it is at the first query.
    init(stateLength: Int, for request: QueryRequest) {
        var stream = RandomStream(
            seed: request.seed, purpose: .qNetworkInitialisation, cycle: request.cycle)
        self.init(network: QNetwork(stateLength: stateLength, from: &stream))
    }

    /// Remembers a query's picks, and as many of the other candidates if there are so many; then
    /// trains.
    ///
    /// - Parameters:
    ///   - picked: rows of `states`.
    ///   - isWrong: whether the classifier was wrong about each pick, the reward.
    ///   - states: of all candidates.
    /// - Returns: the loss of every gradient step, before it.
    mutating func learn(
        from picked: [Int], isWrong: [Bool], among states: ClassifierStates, gradientSteps: Int,
        for request: QueryRequest
    ) throws(ExperimentError) -> [Double] {
        for (position, isWrong) in zip(picked, isWrong) {
            buffer.append(states.row(position), action: 1, reward: isWrong ? 1 : 0)
        }
        var isPicked = [Bool](repeating: false, count: states.count)
        for position in picked { isPicked[position] = true }
        let others = (0..<states.count).filter { !isPicked[$0] }
        var stream = RandomStream(
            seed: request.seed, purpose: .negativesSampling, cycle: request.cycle)
        for position in stream.sample(others, min(picked.count, others.count)) {
            buffer.append(states.row(position), action: 0, reward: 0)
        }
        return try train(
            gradientSteps,
            drawing: RandomStream(
                seed: request.seed, purpose: .replaySampling, cycle: request.cycle),
            goOn: request.goOn)
    }

    /// Takes gradient steps, each on a batch drawn without replacement; none at all while the
    /// buffer holds less than one batch.
    ///
    /// - Parameter goOn: called before every step.
    /// - Returns: the loss of every step, before it.
    mutating func train<Failure: Error>(
        _ stepCount: Int, drawing stream: RandomStream, goOn: () throws(Failure) -> Void
    ) throws(Failure) -> [Double] {
        guard buffer.count >= DQNStrategy.batchSize else { return [] }
        var stream = stream
        let positions = Array(0..<buffer.count)
        var losses: [Double] = []
        for _ in 0..<stepCount {
            try goOn()
            losses.append(step(on: buffer.batch(stream.sample(positions, DQNStrategy.batchSize))))
        }
        return losses
    }

    /// One gradient step.
    ///
    /// - Returns: the loss before it.
    mutating func step(on batch: QBatch) -> Double {
        let (loss, gradient) = network.gradient(of: batch)
        optimizer.step(&network.parameters, gradient: gradient)
        return loss
    }
}

extension QNetwork {
    /// Q(s, 1) of every state.
    func pickValues(of states: ClassifierStates) -> [Float] {
        let values = values(of: states.values.span)
        return (0..<states.count).map { values[$0 * Self.actionCount + 1] }
    }
}

extension QueryPicks {
    /// The picks of a Q-network.
    ///
    /// - Parameters:
    ///   - values: Q(s, 1) of the picks before it trained on them.
    ///   - losses: of the gradient steps after.
    init(indices: [Int], isWrong: [Bool], values: [Float], losses: [Double]) {
        self.init(
            indices: indices, isWrong: isWrong,
            meanQ: values.reduce(0) { $0 + Double($1) } / Double(max(1, values.count)),
            firstLoss: losses.first, lastLoss: losses.last,
            auc: areaUnderROC(scores: values, isPositive: isWrong))
    }
}
