import SweepModel

/// How far an experiment is.
public struct EpochProgress: Hashable, Sendable {
    /// Counted from 1.
    public var cycle: Int
    /// Finished epochs of the cycle.
    public var epoch: Int
    public var epochCount: Int
    /// The mean cross-entropy of the last finished epoch, in nats; nil before the first.
    public var trainLoss: Double?

    public init(cycle: Int, epoch: Int, epochCount: Int, trainLoss: Double? = nil) {
        self.cycle = cycle
        self.epoch = epoch
        self.epochCount = epochCount
        self.trainLoss = trainLoss
    }
}

/// What an experiment tells while it runs, and how it is stopped. Called on the experiment's own
/// thread, which waits.
public struct ExperimentObserver {
    /// After every epoch.
    public var onEpoch: (EpochProgress) -> Void
    /// After every cycle, with all that the next one needs.
    public var onCycle: (CycleResult, ExperimentCheckpoint) -> Void
    /// With the cycle, before it waits for a network that another trial trains.
    public var onWait: (Int) -> Void
    /// Asked before every batch, and while it waits; true ends the experiment with `ExperimentError.stopped`.
    public var shouldStop: () -> Bool

    public init(
        onEpoch: @escaping (EpochProgress) -> Void = { _ in },
        onCycle: @escaping (CycleResult, ExperimentCheckpoint) -> Void = { _, _ in },
        onWait: @escaping (Int) -> Void = { _ in },
        shouldStop: @escaping () -> Bool = { false }
    ) {
        self.onEpoch = onEpoch
        self.onCycle = onCycle
        self.onWait = onWait
        self.shouldStop = shouldStop
    }
}
