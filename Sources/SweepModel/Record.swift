/// What the coordinator writes to its journal: the only truth of a run. Everything else, a restarted
/// coordinator's state included, is a fold over these.
public enum Record: Hashable, Sendable {
    /// The first record of a run: its seeds from the clock are drawn once and stand here.
    case sweepSubmitted(SweepSubmitted)
    /// The sweep file was changed, and asks for more than before.
    case sweepExtended(SweepExtended)
    /// More seeds from the clock, for every stage that has such.
    case seedsAdded(SeedsAdded)
    /// A coordinator took up the run, for the `epoch`-th time, counted from 1.
    case coordinatorStarted(epoch: Int)
    /// A stage takes these gradient steps for a dataset, from what an earlier stage found.
    case stepsChosen(StepsChosen)
    case trialAdded(TrialAdded)
    /// An attempt got the lease. Written before the trial is assigned.
    case attemptStarted(AttemptStarted)
    /// The one result that counts for a cycle.
    case cycleAccepted(CycleAccepted)
    /// A second result of an accepted cycle says something else: nondeterminism.
    case cycleDisputed(CycleAccepted)
    /// An attempt ended without finishing its trial.
    case attemptEnded(AttemptEnded)
    case trialFinished(TrialFinished)
    /// The trial will not be tried again.
    case trialFailed(TrialFailed)
    /// The user paused the run, or had it go on: while it is paused no attempt is started.
    case pauseSet(Bool)
    /// The user does not want the trial any more. Its attempt, if one ran, ended before.
    case trialCancelled(TrialID)
    /// The user wants a trial tried again that failed or was cancelled; its failures so far are forgiven.
    case trialRetried(TrialID)
    /// The user wants a trial started sooner or later than others that wait.
    case prioritySet(PrioritySet)
    /// The user wants workers to get no more trials, or to get some again.
    case drainSet(DrainSet)
}

public struct PrioritySet: Codable, Hashable, Sendable {
    public var trial: TrialID
    public var priority: Int

    public init(trial: TrialID, priority: Int) {
        self.trial = trial
        self.priority = priority
    }
}

public struct DrainSet: Codable, Hashable, Sendable {
    /// A worker's identifier, or the name of a host, whose workers are all meant.
    public var name: String
    public var isDrained: Bool

    public init(name: String, isDrained: Bool) {
        self.name = name
        self.isDrained = isDrained
    }

    enum CodingKeys: String, CodingKey {
        case name
        case isDrained = "drained"
    }
}

public struct SweepSubmitted: Codable, Hashable, Sendable {
    public var name: String
    /// The sweep file as submitted.
    public var text: String
    public var timeSeeds: [UInt64]
    /// The file's, or what the command line said instead; nil in journals of version 0.1.
    public var engine: EngineName?
    /// The file's, what the command line said instead, or what `auto` became; nil in journals of
    /// version 0.1.
    public var precision: Precision?
    /// Of every trial on the coordinator's machine; nil where none run there, and in journals of
    /// version 0.1.
    public var threads: Int?

    public init(
        name: String, text: String, timeSeeds: [UInt64], engine: EngineName? = nil,
        precision: Precision? = nil, threads: Int? = nil
    ) {
        self.name = name
        self.text = text
        self.timeSeeds = timeSeeds
        self.engine = engine
        self.precision = precision
        self.threads = threads
    }

    enum CodingKeys: String, CodingKey {
        case name, text, engine, precision, threads
        case timeSeeds = "time_seeds"
    }
}

public struct SweepExtended: Codable, Hashable, Sendable {
    /// The sweep file as it is from here on.
    public var text: String

    public init(text: String) { self.text = text }
}

public struct SeedsAdded: Codable, Hashable, Sendable {
    public var seeds: [UInt64]

    public init(seeds: [UInt64]) { self.seeds = seeds }
}

public struct StepsChosen: Codable, Hashable, Sendable {
    /// The stage that uses the choice.
    public var stage: String
    public var dataset: DatasetName
    public var gradientSteps: Int
    /// All settings that are best by the criterion, the chosen one first.
    public var tied: [Int]
    /// nil in journals of version 0.1, which knew wins only.
    public var criterion: ChoiceCriterion?

    public init(
        stage: String, dataset: DatasetName, gradientSteps: Int, tied: [Int],
        criterion: ChoiceCriterion? = nil
    ) {
        self.stage = stage
        self.dataset = dataset
        self.gradientSteps = gradientSteps
        self.tied = tied
        self.criterion = criterion
    }

    enum CodingKeys: String, CodingKey {
        case stage, dataset, tied, criterion
        case gradientSteps = "gradient_steps"
    }
}

public struct TrialAdded: Codable, Hashable, Sendable {
    public var stage: String
    public var isTimeSeeded: Bool
    public var configuration: TrialConfiguration

    public init(stage: String, isTimeSeeded: Bool, configuration: TrialConfiguration) {
        self.stage = stage
        self.isTimeSeeded = isTimeSeeded
        self.configuration = configuration
    }

    enum CodingKeys: String, CodingKey {
        case stage, configuration
        case isTimeSeeded = "time_seeded"
    }
}

public struct AttemptStarted: Codable, Hashable, Sendable {
    public var trial: TrialID
    /// Counted from 1; fences the lease.
    public var attempt: Int
    public var worker: WorkerID
    public var host: String

    public init(trial: TrialID, attempt: Int, worker: WorkerID, host: String) {
        self.trial = trial
        self.attempt = attempt
        self.worker = worker
        self.host = host
    }
}

public struct CycleAccepted: Codable, Hashable, Sendable {
    public var trial: TrialID
    public var attempt: Int
    public var host: String
    public var result: CycleResult

    public init(trial: TrialID, attempt: Int, host: String, result: CycleResult) {
        self.trial = trial
        self.attempt = attempt
        self.host = host
        self.result = result
    }
}

/// Why an attempt ended without finishing its trial.
public enum AttemptEnd: Codable, Hashable, Sendable {
    /// Its process failed.
    case failed(kind: FailureKind, message: String)
    /// Nothing was heard of its worker for a lease and the grace after it.
    case expired
    /// Its worker gave it back, or does not know of it.
    case released
    /// The user took it back: its trial was cancelled, or the run paused.
    case withdrawn

    /// Whether the trial is to blame, and not a machine or a network.
    public var countsAgainstTrial: Bool {
        switch self {
        case .failed(kind: .disk, _), .failed(kind: .data, _), .failed(kind: .outOfGPUMemory, _),
            .expired, .released, .withdrawn:
            false
        case .failed: true
        }
    }

    /// Whether the trial is better tried elsewhere, if there is a place.
    var speaksAgainstWorker: Bool {
        if case .failed(kind: .outOfGPUMemory, _) = self { return true }
        return countsAgainstTrial
    }
}

public struct AttemptEnded: Codable, Hashable, Sendable {
    public var trial: TrialID
    public var attempt: Int
    public var end: AttemptEnd

    public init(trial: TrialID, attempt: Int, end: AttemptEnd) {
        self.trial = trial
        self.attempt = attempt
        self.end = end
    }
}

public struct TrialFinished: Codable, Hashable, Sendable {
    public var trial: TrialID
    public var attempt: Int
    /// SHA-256 of the final model's file, in hexadecimal.
    public var modelDigest: String

    public init(trial: TrialID, attempt: Int, modelDigest: String) {
        self.trial = trial
        self.attempt = attempt
        self.modelDigest = modelDigest
    }

    enum CodingKeys: String, CodingKey {
        case trial, attempt
        case modelDigest = "model_digest"
    }
}

public struct TrialFailed: Codable, Hashable, Sendable {
    public var trial: TrialID
    public var kind: FailureKind
    public var message: String

    public init(trial: TrialID, kind: FailureKind, message: String) {
        self.trial = trial
        self.kind = kind
        self.message = message
    }
}

/// What a worker's end is blamed on, where its trials are the cause of it.
public struct WorkerFault: Hashable, Sendable {
    public var kind: FailureKind
    public var message: String

    public init(kind: FailureKind, message: String) {
        self.kind = kind
        self.message = message
    }
}

/// Names a worker process for its whole life, whatever connection it uses.
public struct WorkerID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(_ rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }
}

extension WorkerID: Codable {
    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
