import Classifier
import SweepModel

/// All that an experiment is after a finished cycle: what is needed to go on, and what was found.
public struct ExperimentCheckpoint: Hashable, Sendable {
    public let configuration: TrialConfiguration
    /// Of every finished cycle, in order.
    public let results: [CycleResult]
    /// Parameters and running statistics after the last finished cycle.
    public let network: NetworkState

    /// Where the trial went on with another engine or precision, in order; empty in almost every trial.
    public let switches: [EngineSwitch]

    /// What the last cycle was computed on, in words separated by `; `: where it is equal, so are the bits of
    /// what is computed. nil if nobody said so.
    public var platform: String?

    let pool: LabelledPool
    let strategy: StrategyState

    init(
        configuration: TrialConfiguration, results: [CycleResult], switches: [EngineSwitch] = [],
        network: NetworkState, pool: LabelledPool, strategy: StrategyState
    ) {
        self.configuration = configuration
        self.results = results
        self.switches = switches
        self.network = network
        self.pool = pool
        self.strategy = strategy
    }
}

/// That a trial's cycles up to one were computed by another engine, or in another precision, than those
/// after it: its numbers are then nobody else's.
public struct EngineSwitch: Codable, Hashable, Sendable {
    /// The last one before.
    public var cycle: Int
    /// What computed it.
    public var engine: EngineName
    public var precision: SweepModel.Precision

    public init(cycle: Int, engine: EngineName, precision: SweepModel.Precision) {
        self.cycle = cycle
        self.engine = engine
        self.precision = precision
    }
}
