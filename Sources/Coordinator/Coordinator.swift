import DequeModule
import OrderedCollections
import SweepModel
import Wire

/// A point on a monotonic clock, whose zero means nothing.
public struct Instant: Hashable, Comparable, Sendable {
    public var milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (first: Instant, second: Instant) -> Bool {
        first.milliseconds < second.milliseconds
    }

    func after(_ milliseconds: Int64) -> Instant {
        Instant(milliseconds: self.milliseconds + milliseconds)
    }
}

/// What happens to the coordinator.
public enum Event: Sendable {
    /// It takes up the run. The submission is the sweep's; if the journal has one, only another text
    /// is taken from it.
    case started(SweepSubmitted)
    case received(Message, from: WorkerID)
    /// A message could not be delivered: the worker is not connected, or does not read.
    case undelivered(Message, to: WorkerID)
    /// The worker's process is known to have ended; its trials are blamed with the fault, if any.
    case workerDied(WorkerID, fault: WorkerFault? = nil)
    /// An instant it asked for has come.
    case timerFired
    /// The user wants to stop and keep everything.
    case stopRequested
    /// The user wants something of the run changed; the number names the command in its answer.
    case commanded(RunCommand, number: UInt64)
}

/// What the coordinator wants done, in this order. The shell makes every `append` of an event
/// durable before it performs any `send` of it.
public enum Action: Hashable, Sendable {
    case append(Record)
    case send(Message, to: WorkerID)
    /// Replaces the instant asked for before.
    case setTimer(Instant)
    /// To the user's command of that number.
    case answer(CommandAnswer, command: UInt64)
    case finished(Outcome)
}

public enum Outcome: Hashable, Sendable {
    /// Every trial is settled.
    case sweepFinished
    /// Stopped on request; everything is kept.
    case stopped
}

/// Decides who runs what. A function of its events: the same events give the same actions, and a
/// restart is a replay of the records.
public struct Coordinator: Sendable {
    public struct Options: Hashable, Sendable {
        /// A worker that is not heard of for so long is suspected.
        public var leaseMs: Int64 = 90_000
        /// A suspected attempt is replaced after so long.
        public var graceMs: Int64 = 90_000
        public var heartbeatMs: Int64 = 10_000
        /// Attempts that may fail by the trial's own fault before it is given up.
        public var maximumFailures = 3
        /// A failed attempt is repeated after so long, times its number.
        public var retryDelayMs: Int64 = 2_000
        /// A worker on which so many different trials failed in a row, and no cycle was finished
        /// meanwhile, gets none for a while.
        public var quarantineFailures = 3
        public var quarantineMs: Int64 = 600_000
        /// Workers get so long to give their attempts back when the user stops the sweep.
        public var stopDelayMs: Int64 = 10_000
        /// A trial's process that does nothing for so long is hung, and ended.
        public var hangDelayMs: Int64 = 600_000
        public var runFolder = ""
        /// Where files are moved from and to; nil where they are not.
        public var blobEndpoint: String?
        public var softwareVersion = ""

        public init() {}
    }

    enum Mode: Hashable { case running, stopping, finished }

    public let sweep: Sweep
    public let options: Options
    public internal(set) var history: RunHistory
    /// Workers that said hello in this epoch and were heard of since.
    var workers: OrderedDictionary<WorkerID, WorkerSession> = [:]
    /// The running attempts' leases.
    var leases = LeaseTable()
    /// Places in `history.trials` of the trials that wait, the longest first.
    var queue: Deque<Int> = []
    /// Workers that may have free slots, in the order in which they said so.
    var offers: OrderedSet<WorkerID> = []
    /// When it is next looked for workers that fell silent.
    var silenceCheck = Instant(milliseconds: .min)
    /// No lease ends before this instant; nil where there is none.
    var earliestLeaseEnd: Instant?
    /// Instants before which a failed trial is not tried again.
    var retryInstants: [TrialID: Instant] = [:]
    /// Workers that reported a dataset missing or damaged; they get none of its trials.
    var workersWithoutData: [DatasetName: [WorkerID]] = [:]
    /// Different trials that failed on a worker since it last finished a cycle.
    var failuresInRow: [WorkerID: [TrialID]] = [:]
    /// Until when a worker gets no trial.
    var quarantines: OrderedDictionary<WorkerID, Instant> = [:]
    /// Seconds that a host took for an expected image-step of its last cycle. Looked up only.
    var paces: [String: Double] = [:]
    var mode = Mode.running
    /// Set when a trial was settled: a stage may have what it waits for.
    var needsExpansion = true
    /// Stages all of whose trials of a dataset were added.
    var expandedStages: Set<StageOfDataset> = []
    var stopDeadline: Instant?
    private var timer: Instant?
    private var actions: [Action] = []

    /// - Parameter history: the journal's, empty for a new run.
    public init(sweep: Sweep, options: Options, history: RunHistory) {
        self.sweep = sweep.extended(bySeeds: history.addedSeeds.count)
        self.options = options
        self.history = history
    }

    /// The workers that said hello in this epoch, in the order of their first.
    public var sessions: [WorkerSession] { Array(workers.values) }

    public func session(of worker: WorkerID) -> WorkerSession? { workers[worker] }

    /// How many trials wait for a slot.
    public var waitingCount: Int { queue.count }

    /// How far the running attempts are, in the order of their assignment.
    public var runningAttempts: [LeaseState] { leases.all }

    public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        actions = []
        switch event {
        case .started(let submission): start(submission, at: now)
        case .received(let message, let worker): receive(message, from: worker, at: now)
        case .undelivered(let message, let worker): returnUndelivered(message, to: worker)
        case .workerDied(let worker, let fault):
            if let fault { blame(fault, on: worker, at: now) }
            dismiss(worker)
        case .timerFired: timer = nil
        case .stopRequested: stop(at: now)
        case .commanded(let command, let number): obey(command, number)
        }
        expireLeases(at: now)
        endQuarantines(at: now)
        if mode == .running {
            expandStages()
            assignTrials(at: now)
        }
        finishIfSettled(at: now)
        updateTimer(at: now)
        return actions
    }

    private mutating func start(_ submission: SweepSubmitted, at now: Instant) {
        if history.submission == nil {
            commit(.sweepSubmitted(submission))
        } else if history.submission?.text != submission.text {
            commit(.sweepExtended(SweepExtended(text: submission.text)))
        }
        commit(.coordinatorStarted(epoch: history.epoch + 1))
        for (index, trial) in history.trials.enumerated() {
            for cycle in trial.cycles { if let cycle { learnPace(from: cycle) } }
            if let attempt = trial.runningAttempt {
                // Its worker may have gone on without a coordinator: one full lease to return in.
                beginLease(attempt, at: now)
            } else if trial.state == .pending {
                enqueue(index)
            }
        }
    }

    private mutating func receive(_ message: Message, from worker: WorkerID, at now: Instant) {
        if case .hello(let hello) = message {
            welcome(worker, hello, at: now)
            return
        }
        guard workers[worker] != nil else {
            send(.helloWanted, to: worker)
            return
        }
        workers[worker]!.lastHeard = now
        switch message {
        case .ready(let ready):
            workers[worker]!.offer(ready)
            offers.append(worker)
            // Said as often as it offers slots: a message may be lost.
            if isDrained(worker), leases.count(of: worker) == 0 {
                send(.stop(.drained), to: worker)
            }
        case .heartbeat(let heartbeat): renewLeases(of: worker, heartbeat, at: now)
        case .report(let report): accept(report, from: worker, at: now)
        case .goodbye: dismiss(worker)
        case .hello, .welcome, .helloWanted, .assign, .acknowledge, .fenced, .renewed, .stop,
            .refused, .command, .commandAnswered, .workersAsked, .workersTold:
            // A worker never says these.
            send(.refused(reason: "a worker does not send '\(message.type)'"), to: worker)
        }
    }

    private mutating func stop(at now: Instant) {
        guard mode == .running else { return }
        mode = .stopping
        stopDeadline = now.after(options.stopDelayMs)
        for worker in workers.keys { send(.stop(.coordinatorLeaving), to: worker) }
    }

    private mutating func finishIfSettled(at now: Instant) {
        switch mode {
        case .running:
            guard history.unsettledCount == 0 else { return }
            mode = .finished
            for worker in workers.keys { send(.stop(.sweepFinished), to: worker) }
            actions.append(.finished(.sweepFinished))
        case .stopping:
            let isHeld = leases.isAnyHeld { workers[$0] != nil }
            guard !isHeld || now >= stopDeadline! else { return }
            mode = .finished
            actions.append(.finished(.stopped))
        case .finished: break
        }
    }

    private mutating func updateTimer(at now: Instant) {
        var next = stopDeadline
        if let earliestLeaseEnd { next = min(next ?? earliestLeaseEnd, earliestLeaseEnd) }
        for retry in retryInstants.values where retry > now { next = min(next ?? retry, retry) }
        if !queue.isEmpty {
            for end in quarantines.values { next = min(next ?? end, end) }
        }
        guard let next, next != timer, mode != .finished else { return }
        timer = next
        actions.append(.setTimer(next))
    }

    /// Journals a record and takes it into account: live and after a restart by the same fold.
    mutating func commit(_ record: Record) {
        do {
            try history.apply(record)
        } catch {
            preconditionFailure("the coordinator made an inconsistent record: \(error)")
        }
        switch record {
        case .trialFinished, .trialFailed: needsExpansion = true
        default: break
        }
        actions.append(.append(record))
    }

    mutating func answer(_ answer: CommandAnswer, command: UInt64) {
        actions.append(.answer(answer, command: command))
    }

    mutating func send(_ message: Message, to worker: WorkerID) {
        actions.append(.send(message, to: worker))
    }
}
