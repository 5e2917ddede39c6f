/// A record that cannot follow the ones before it.
public struct InconsistentRecord: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}

/// An attempt at a trial, as the journal knows it.
public struct AttemptHistory: Hashable, Sendable {
    public let started: AttemptStarted
    /// nil while it runs, and of the attempt that finished the trial.
    public internal(set) var end: AttemptEnd?
}

/// A trial, as the journal knows it.
public struct TrialHistory: Hashable, Sendable {
    /// The configuration's, which is composed anew every time.
    public let id: TrialID
    public let added: TrialAdded
    /// pending, running, done, failed or cancelled: who is suspected is not journaled.
    public internal(set) var state = TrialState.pending
    public internal(set) var attempts: [AttemptHistory] = []
    /// By cycle; nil where there is no accepted result yet.
    public internal(set) var cycles: [CycleAccepted?]
    public internal(set) var disputes: [CycleAccepted] = []
    public internal(set) var modelDigest: String?
    public internal(set) var failure: TrialFailed?
    /// Attempts before the user last wanted the trial tried again.
    public internal(set) var forgivenAttempts = 0
    /// What the user wanted last; nil is its stage's.
    public internal(set) var priority: Int?

    init(_ added: TrialAdded) {
        id = added.configuration.id
        self.added = added
        cycles = Array(repeating: nil, count: added.configuration.studyProtocol.cycles)
    }

    public var configuration: TrialConfiguration { added.configuration }

    /// The attempt that holds the lease.
    public var runningAttempt: AttemptStarted? {
        state == .running ? attempts.last?.started : nil
    }

    public var hasAllCycles: Bool { cycles.allSatisfy { $0 != nil } }

    public var isSettled: Bool { state == .done || state == .failed || state == .cancelled }

    /// Attempts whose failure counts against the trial, of those since the last retry.
    public var blamedFailures: [AttemptHistory] {
        attempts.dropFirst(forgivenAttempts).filter { $0.end?.countsAgainstTrial ?? false }
    }

    /// Workers on which an attempt failed since the last retry.
    public var failedWorkers: [WorkerID] {
        attempts.dropFirst(forgivenAttempts).filter { $0.end?.speaksAgainstWorker ?? false }
            .map(\.started.worker)
    }
}

/// The fold over a run's records that every reader starts from.
public struct RunHistory: Sendable {
    /// With the sweep file as it is now.
    public private(set) var submission: SweepSubmitted?
    /// Seeds from the clock that were added to the submission's.
    public private(set) var addedSeeds: [UInt64] = []
    /// How often a coordinator took up the run.
    public private(set) var epoch = 0
    public private(set) var choices: [StepsChosen] = []
    /// In the order in which they were added.
    public private(set) var trials: [TrialHistory] = []
    /// Trials that are neither done nor given up.
    public private(set) var unsettledCount = 0
    /// No attempt is to be started.
    public private(set) var isPaused = false
    /// Workers and hosts that get no trials, in the order in which the user named them.
    public private(set) var drained: [String] = []
    private var indices: [TrialID: Int] = [:]

    public init() {}

    public init(_ records: some Sequence<Record>) throws(InconsistentRecord) {
        for record in records { try apply(record) }
    }

    /// All seeds from the clock, in the order in which they were drawn.
    public var timeSeeds: [UInt64] { (submission?.timeSeeds ?? []) + addedSeeds }

    /// The trial's place in `trials`.
    public func index(of trial: TrialID) -> Int? { indices[trial] }

    public subscript(trial: TrialID) -> TrialHistory? { indices[trial].map { trials[$0] } }

    /// Whether the user wants the worker to get no trials.
    public func isDrained(_ worker: WorkerID, host: String) -> Bool {
        !drained.isEmpty && drained.contains { $0 == worker.rawValue || $0 == host }
    }

    public mutating func apply(_ record: Record) throws(InconsistentRecord) {
        switch record {
        case .sweepSubmitted(let content):
            guard submission == nil else { throw InconsistentRecord(description: "a second sweep") }
            submission = content
        case .sweepExtended(let content):
            guard submission != nil else {
                throw InconsistentRecord(description: "a sweep is extended and was not submitted")
            }
            submission!.text = content.text
        case .seedsAdded(let content): addedSeeds += content.seeds
        case .coordinatorStarted(let epoch): self.epoch = epoch
        case .stepsChosen(let content): choices.append(content)
        case .trialAdded(let content):
            let trial = TrialHistory(content)
            guard indices.updateValue(trials.count, forKey: trial.id) == nil else {
                throw InconsistentRecord(description: "\(trial.id) is added twice")
            }
            trials.append(trial)
            unsettledCount += 1
        case .attemptStarted(let content):
            let index = try known(content.trial)
            guard content.attempt == trials[index].attempts.count + 1 else {
                throw InconsistentRecord(
                    description: "attempt \(content.attempt) of \(content.trial) is out of order")
            }
            trials[index].attempts.append(AttemptHistory(started: content, end: nil))
            trials[index].state = .running
        case .cycleAccepted(let content): try accept(content)
        case .cycleDisputed(let content):
            trials[try known(content.trial)].disputes.append(content)
        case .attemptEnded(let content):
            let index = try known(content.trial)
            guard trials[index].attempts.count == content.attempt, content.attempt > 0 else {
                throw InconsistentRecord(
                    description: "attempt \(content.attempt) of \(content.trial) ended, but is not "
                        + "the last one")
            }
            trials[index].attempts[content.attempt - 1].end = content.end
            trials[index].state = .pending
        case .trialFinished(let content):
            let index = try known(content.trial)
            trials[index].modelDigest = content.modelDigest
            settle(index, .done)
        case .trialFailed(let content):
            let index = try known(content.trial)
            trials[index].failure = content
            settle(index, .failed)
        case .pauseSet(let isPaused): self.isPaused = isPaused
        case .trialCancelled(let trial):
            let index = try known(trial)
            guard trials[index].state == .pending else {
                throw InconsistentRecord(
                    description: "\(trial) is cancelled and was \(trials[index].state.rawValue)")
            }
            settle(index, .cancelled)
        case .trialRetried(let trial): try retry(try known(trial))
        case .prioritySet(let content): trials[try known(content.trial)].priority = content.priority
        case .drainSet(let content):
            drained.removeAll { $0 == content.name }
            if content.isDrained { drained.append(content.name) }
        }
    }

    private mutating func retry(_ index: Int) throws(InconsistentRecord) {
        let state = trials[index].state
        guard state == .failed || state == .cancelled else {
            throw InconsistentRecord(
                description: "\(trials[index].id) is tried again and was \(state.rawValue)")
        }
        trials[index].state = .pending
        trials[index].failure = nil
        trials[index].forgivenAttempts = trials[index].attempts.count
        unsettledCount += 1
    }

    private mutating func settle(_ index: Int, _ state: TrialState) {
        if !trials[index].isSettled { unsettledCount -= 1 }
        trials[index].state = state
    }

    private mutating func accept(_ content: CycleAccepted) throws(InconsistentRecord) {
        let index = try known(content.trial)
        let cycle = content.result.cycle
        guard trials[index].cycles.indices.contains(cycle - 1) else {
            throw InconsistentRecord(description: "\(content.trial) has no cycle \(cycle)")
        }
        guard trials[index].cycles[cycle - 1] == nil else {
            throw InconsistentRecord(
                description: "cycle \(cycle) of \(content.trial) is accepted twice")
        }
        trials[index].cycles[cycle - 1] = content
    }

    private func known(_ trial: TrialID) throws(InconsistentRecord) -> Int {
        guard let index = indices[trial] else {
            throw InconsistentRecord(description: "trial \(trial) was never added")
        }
        return index
    }
}

extension SweepRecord {
    /// What a reader sees of a run.
    ///
    /// - Parameter stages: the names of the sweep's stages, in the order of its file.
    public init(_ history: RunHistory, stages: [String]) {
        self.init(
            name: history.submission?.name ?? "", stages: stages,
            trials: history.trials.map(TrialRecord.init), choices: history.choices)
    }
}

extension TrialRecord {
    public init(_ history: TrialHistory) {
        self.init(
            id: history.id, stage: history.added.stage, isTimeSeeded: history.added.isTimeSeeded,
            configuration: history.configuration, state: history.state,
            attempts: history.attempts.count,
            cycles: history.cycles.compactMap { accepted in
                accepted.map(CycleRecord.init)
            },
            failure: history.failure?.message,
            disputes: history.disputes.map(CycleRecord.init), modelDigest: history.modelDigest)
    }
}

extension CycleRecord {
    init(_ accepted: CycleAccepted) {
        self.init(result: accepted.result, attempt: accepted.attempt, host: accepted.host)
    }
}
