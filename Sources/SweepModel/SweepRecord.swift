/// Why a trial or an attempt ended without a result.
public enum FailureKind: String, Codable, CaseIterable, Hashable, Sendable {
    /// The configuration or the data cannot work: trying again would fail again.
    case user
    /// The trial's process ended by a signal or an unknown exit status.
    case crash
    case outOfMemory = "out_of_memory"
    /// Its GPU's memory ran out; the process said so itself.
    case outOfGPUMemory = "out_of_gpu_memory"
    case timeout
    /// Its process lived and did nothing for long.
    case hung
    /// The worker's machine has no space, or cannot start a process.
    case disk
    /// The worker's machine lacks the dataset, or has it damaged.
    case data
}

/// Where a trial stands.
public enum TrialState: String, Codable, CaseIterable, Hashable, Sendable {
    /// Waits for a free slot.
    case pending
    /// An attempt holds its lease.
    case running
    /// The lease of its attempt ran out; the attempt may still return before it is replaced.
    case suspect
    case done
    case failed
    case cancelled
}

/// A cycle's accepted result and where it came from.
public struct CycleRecord: Codable, Hashable, Sendable {
    public var result: CycleResult
    /// Counted from 1.
    public var attempt: Int
    public var host: String

    public init(result: CycleResult, attempt: Int, host: String) {
        self.result = result
        self.attempt = attempt
        self.host = host
    }
}

/// A trial as a reader of a run sees it.
public struct TrialRecord: Codable, Hashable, Sendable {
    public var id: TrialID
    /// The stage that asked for the trial first.
    public var stage: String
    /// Whether its seed was drawn from the clock.
    public var isTimeSeeded: Bool
    public var configuration: TrialConfiguration
    public var state: TrialState
    /// Attempts started so far.
    public var attempts: Int
    /// Accepted results, by cycle.
    public var cycles: [CycleRecord]
    /// What went wrong, of a failed trial.
    public var failure: String?
    /// Second results of cycles that say something else than the accepted one: nondeterminism.
    public var disputes: [CycleRecord]
    /// SHA-256 of the final model's file, in hexadecimal; nil while there is none.
    public var modelDigest: String?

    public init(
        id: TrialID, stage: String, isTimeSeeded: Bool, configuration: TrialConfiguration,
        state: TrialState, attempts: Int, cycles: [CycleRecord], failure: String? = nil,
        disputes: [CycleRecord] = [], modelDigest: String? = nil
    ) {
        self.id = id
        self.stage = stage
        self.isTimeSeeded = isTimeSeeded
        self.configuration = configuration
        self.state = state
        self.attempts = attempts
        self.cycles = cycles
        self.failure = failure
        self.disputes = disputes
        self.modelDigest = modelDigest
    }
}

/// A sweep as a reader of a run sees it: what collecting, status and dashboard fold into tables.
public struct SweepRecord: Codable, Hashable, Sendable {
    public var name: String
    /// Stages in the order of the sweep file.
    public var stages: [String]
    /// Trials in the order in which the sweep expands to them.
    public var trials: [TrialRecord]
    /// The gradient steps that stages took from what earlier ones found.
    public var choices: [StepsChosen]

    public init(
        name: String, stages: [String], trials: [TrialRecord], choices: [StepsChosen] = []
    ) {
        self.name = name
        self.stages = stages
        self.trials = trials
        self.choices = choices
    }
}
