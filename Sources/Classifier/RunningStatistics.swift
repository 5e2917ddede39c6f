/// A batch norm's running statistics.
struct RunningStatistics {
    var mean: [Float]
    var variance: [Float]
    /// The batches seen so far.
    var batchCount: Int64

    /// Mixes in a batch's statistics; the running variance takes the unbiased estimate.
    ///
    /// - Parameters:
    ///   - batchVariance: the biased one, which the normalisation used.
    ///   - sampleCount: the number of values that the statistics are over.
    mutating func update(
        batchMean: Span<Float>, batchVariance: Span<Float>, sampleCount: Int
    ) {
        precondition(batchMean.count == mean.count && batchVariance.count == mean.count)
        let share = ResNet18.statisticsMomentum
        let unbiased = Float(Double(sampleCount) / Double(sampleCount - 1))
        for channel in mean.indices {
            mean[channel] = (1 - share) * mean[channel] + share * batchMean[channel]
            variance[channel] =
                (1 - share) * variance[channel] + share * unbiased * batchVariance[channel]
        }
        batchCount += 1
    }
}

extension RunningStatistics {
    /// - Parameter name: of the batch norm, which the state is known to have.
    init(_ name: String, in state: NetworkState) {
        mean = state[name + ".running_mean"]!.floats!
        variance = state[name + ".running_var"]!.floats!
        batchCount = state[name + ".num_batches_tracked"]!.integers![0]
    }
}

extension ResNet18 {
    /// A state from an engine's parts.
    ///
    /// - Parameters:
    ///   - running: in the order of the units.
    ///   - values: a trained entry's values, row-major.
    func state(
        _ running: [RunningStatistics], values: (Entry) throws(ClassifierError) -> [Float]
    ) throws(ClassifierError) -> NetworkState {
        let statistics = Dictionary(uniqueKeysWithValues: zip(units.map(\.normName), running))
        var tensors: [NetworkState.Tensor] = []
        for entry in entries {
            let norm = String(entry.name[..<entry.name.lastIndex(of: ".")!])
            let content: NetworkState.Values
            switch entry.role {
            case .weight, .scale, .shift: content = .float32(try values(entry))
            case .runningMean: content = .float32(statistics[norm]!.mean)
            case .runningVariance: content = .float32(statistics[norm]!.variance)
            case .batchCount: content = .int64([statistics[norm]!.batchCount])
            }
            tensors.append(.init(name: entry.name, shape: entry.shape, values: content))
        }
        return NetworkState(tensors: tensors)
    }
}
