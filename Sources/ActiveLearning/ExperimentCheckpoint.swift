import Classifier
import SweepModel

/// All that an experiment is after a finished cycle: what is needed to go on, and what was found.
public struct ExperimentCheckpoint: Hashable, Sendable {
    public let configuration: TrialConfiguration
    /// Of every finished cycle, in order.
    public let results: [CycleResult]
    /// Parameters and running statistics after the last finished cycle.
    public let network: NetworkState

    let pool: LabelledPool
    let strategy: StrategyState

    init(
        configuration: TrialConfiguration, results: [CycleResult], network: NetworkState,
        pool: LabelledPool, strategy: StrategyState
    ) {
        self.configuration = configuration
        self.results = results
        self.network = network
        self.pool = pool
        self.strategy = strategy
    }
}
