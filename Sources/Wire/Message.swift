import SweepModel

/// What coordinator and worker say to each other. The raw value is the type byte on the wire;
/// a number is never used again for something else.
public enum MessageType: UInt8, CaseIterable, Sendable {
    case hello = 1
    case ready = 2
    case heartbeat = 3
    case report = 4
    case goodbye = 5
    case command = 32
    case workersAsked = 33
    case welcome = 65
    case helloWanted = 66
    case assign = 67
    case acknowledge = 68
    case fenced = 69
    case renewed = 70
    case stop = 71
    case refused = 72
    case commandAnswered = 96
    case workersTold = 97
}

public enum Message: Hashable, Sendable {
    // From a worker.

    /// A worker presents itself and all it holds, at first and after every reconnection.
    case hello(Hello)
    /// A worker asks for trials.
    case ready(Ready)
    /// A worker lives, and this is how far its attempts are.
    case heartbeat(Heartbeat)
    /// Something that must not be lost: repeated until it is acknowledged or fenced.
    case report(Report)
    /// A worker leaves and gives its attempts back.
    case goodbye(Goodbye)

    // From the coordinator.

    /// The answer to `hello`: the intervals, and a verdict on every attempt.
    case welcome(Welcome)
    /// The coordinator does not know the sender in this epoch: it shall say hello.
    case helloWanted
    case assign(Assignment)
    /// The report with this number is on disk.
    case acknowledge(report: UInt64)
    /// This attempt has lost its lease: stop it and forget its reports.
    case fenced(Lease)
    /// The answer to `heartbeat` with this number: the leases it named run on from its sending.
    case renewed(heartbeat: UInt64)
    case stop(StopReason)
    /// The coordinator will not work with this worker.
    case refused(reason: String)

    // Between a user and the coordinator, over the control socket.

    case command(RunCommand)
    /// What came of the command; what it changed is on disk.
    case commandAnswered(CommandAnswer)
    /// Which workers are connected, and what do they do? Changes nothing. Since version 1.3.
    case workersAsked
    case workersTold(WorkersTold)
}

/// What came of a user's command.
public struct CommandAnswer: Codable, Hashable, Sendable {
    public var isDone: Bool
    /// What was done, or why nothing was.
    public var text: String
    /// What to do instead, of a command that was refused.
    public var hint: String?

    public init(isDone: Bool, text: String, hint: String? = nil) {
        self.isDone = isDone
        self.text = text
        self.hint = hint
    }
}

/// A trial's attempt: what a lease is for.
public struct Lease: Codable, Hashable, Sendable {
    public var trial: TrialID
    public var attempt: Int

    public init(trial: TrialID, attempt: Int) {
        self.trial = trial
        self.attempt = attempt
    }
}

/// An engine and a precision that a machine can compute with.
public struct ComputingOffer: Codable, Hashable, Sendable {
    public var engine: EngineName
    public var precision: Precision

    public init(engine: EngineName, precision: Precision) {
        self.engine = engine
        self.precision = precision
    }
}

public struct Hello: Codable, Hashable, Sendable {
    public var host: String
    public var slots: Int
    public var softwareVersion: String
    /// What its machine can compute with; nil in messages of version 1.0, which offered float32.
    public var offers: [ComputingOffer]?
    /// It ends after so long, whatever it runs then; nil is never.
    public var remainingMs: Int64?
    /// Every attempt it holds: running, or with reports that were not acknowledged.
    public var attempts: [Lease]

    public init(
        host: String, slots: Int, softwareVersion: String, offers: [ComputingOffer]?,
        remainingMs: Int64? = nil, attempts: [Lease]
    ) {
        self.host = host
        self.slots = slots
        self.softwareVersion = softwareVersion
        self.offers = offers
        self.remainingMs = remainingMs
        self.attempts = attempts
    }

    enum CodingKeys: String, CodingKey {
        case host, slots, offers, attempts
        case remainingMs = "remaining_ms"
        case softwareVersion = "software_version"
    }
}

public struct Ready: Codable, Hashable, Sendable {
    public var freeSlots: Int
    /// Assignments received since its last hello, so that one under way is not counted twice.
    public var assignmentsReceived: Int

    public init(freeSlots: Int, assignmentsReceived: Int) {
        self.freeSlots = freeSlots
        self.assignmentsReceived = assignmentsReceived
    }

    enum CodingKeys: String, CodingKey {
        case freeSlots = "free_slots"
        case assignmentsReceived = "assignments_received"
    }
}

public struct AttemptProgress: Codable, Hashable, Sendable {
    public var lease: Lease
    /// The cycle it is in, counted from 1; 0 before the first.
    public var cycle: Int
    /// Epochs of that cycle that are finished.
    public var epoch: Int

    public init(lease: Lease, cycle: Int, epoch: Int) {
        self.lease = lease
        self.cycle = cycle
        self.epoch = epoch
    }
}

public struct Heartbeat: Codable, Hashable, Sendable {
    public var number: UInt64
    public var assignmentsReceived: Int
    /// Every attempt it holds.
    public var attempts: [AttemptProgress]
    /// Its GPUs, if it runs trials on some; nil in messages before version 1.3.
    public var gpus: [GPULoad]?

    public init(
        number: UInt64, assignmentsReceived: Int, attempts: [AttemptProgress],
        gpus: [GPULoad]? = nil
    ) {
        self.number = number
        self.assignmentsReceived = assignmentsReceived
        self.attempts = attempts
        self.gpus = gpus
    }

    enum CodingKeys: String, CodingKey {
        case number, attempts, gpus
        case assignmentsReceived = "assignments_received"
    }
}

public struct Report: Codable, Hashable, Sendable {
    /// Numbers a worker's reports from 1 on.
    public var number: UInt64
    public var lease: Lease
    public var content: ReportContent

    public init(number: UInt64, lease: Lease, content: ReportContent) {
        self.number = number
        self.lease = lease
        self.content = content
    }
}

public enum ReportContent: Codable, Hashable, Sendable {
    case cycle(CycleResult)
    case finished(modelDigest: String)
    case failed(kind: FailureKind, message: String)
    /// The worker stopped the attempt without a fault of its own.
    case released
}

public struct Goodbye: Codable, Hashable, Sendable {
    public init() {}
}

public enum Verdict: String, Codable, Hashable, Sendable {
    /// The attempt goes on; its lease runs from now.
    case adopt
    /// The attempt has been replaced, or its trial is settled: stop it and forget its reports.
    case fence
}

public struct AttemptVerdict: Codable, Hashable, Sendable {
    public var lease: Lease
    public var verdict: Verdict

    public init(lease: Lease, verdict: Verdict) {
        self.lease = lease
        self.verdict = verdict
    }
}

public struct Welcome: Codable, Hashable, Sendable {
    public var leaseMs: Int64
    public var heartbeatMs: Int64
    public var softwareVersion: String
    /// A process that says nothing for so long, and for many times the longest pause it made before, is
    /// hung; nil in messages of version 1.0, whose workers waited for ever.
    public var hangMs: Int64?
    /// One for every attempt of the hello, in its order.
    public var verdicts: [AttemptVerdict]
    /// Where the `blob` socket is bound, with the coordinator's host as the worker knows it in place
    /// of "every interface"; nil in messages before version 1.2, which moved no files.
    public var blobEndpoint: String?

    public init(
        leaseMs: Int64, heartbeatMs: Int64, softwareVersion: String, hangMs: Int64? = nil,
        verdicts: [AttemptVerdict], blobEndpoint: String? = nil
    ) {
        self.leaseMs = leaseMs
        self.heartbeatMs = heartbeatMs
        self.softwareVersion = softwareVersion
        self.hangMs = hangMs
        self.verdicts = verdicts
        self.blobEndpoint = blobEndpoint
    }

    enum CodingKeys: String, CodingKey {
        case verdicts
        case blobEndpoint = "blob_endpoint"
        case leaseMs = "lease_ms"
        case heartbeatMs = "heartbeat_ms"
        case hangMs = "hang_ms"
        case softwareVersion = "software_version"
    }
}

public struct Assignment: Codable, Hashable, Sendable {
    public var lease: Lease
    public var configuration: TrialConfiguration
    /// The run's folder on the coordinator's machine. A worker that sees the same folder keeps
    /// models and checkpoints there.
    public var runFolder: String

    public init(lease: Lease, configuration: TrialConfiguration, runFolder: String) {
        self.lease = lease
        self.configuration = configuration
        self.runFolder = runFolder
    }

    enum CodingKeys: String, CodingKey {
        case lease, configuration
        case runFolder = "run_folder"
    }
}

public enum StopReason: String, Codable, Hashable, Sendable {
    /// Every trial is settled: the worker exits.
    case sweepFinished = "sweep_finished"
    /// The coordinator leaves and may come back: the worker gives its attempts back.
    case coordinatorLeaving = "coordinator_leaving"
    /// The user wants the worker to get no more trials, and it has none: it exits.
    case drained
}

/// Who speaks, in which conversation.
public struct Header: Codable, Hashable, Sendable {
    /// The name of the run's folder; empty in a worker's messages before its first welcome.
    public var run: String
    /// The coordinator's epoch; 0 in a worker's messages before its first welcome.
    public var epoch: Int
    /// The worker that sends, or that is meant.
    public var worker: WorkerID
    /// Counts the sender's messages, from 1 on.
    public var messageNumber: UInt64

    public init(run: String, epoch: Int, worker: WorkerID, messageNumber: UInt64) {
        self.run = run
        self.epoch = epoch
        self.worker = worker
        self.messageNumber = messageNumber
    }

    enum CodingKeys: String, CodingKey {
        case run, epoch, worker
        case messageNumber = "message_number"
    }
}
