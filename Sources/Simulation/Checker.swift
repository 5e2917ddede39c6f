import Coordinator
import OrderedCollections
import SweepModel
import Wire

/// Looks after every event whether the promises hold. It keeps accounts of its own: of what the
/// coordinator decided, what is on disk, and what was acknowledged.
struct Checker {
    /// The fold over what the coordinator decided, on disk or not.
    private(set) var live = RunHistory()
    /// The fold over what is on disk.
    private(set) var durable = RunHistory()
    private(set) var violation: Violation?
    /// Workers whose results need not be true.
    var liars: OrderedSet<WorkerID> = []
    var oracle: LeaseOracle
    private var acknowledged: [(report: Report, worker: WorkerID)] = []
    let options: Coordinator.Options
    let sweep: Sweep
    /// Whether workers end by themselves.
    let hasWalltimes: Bool
    /// In the simulation's time.
    private var time: Int64 = 0

    init(_ scenario: Scenario) {
        options = scenario.options
        sweep = scenario.sweep
        hasWalltimes = scenario.machines.contains { $0.walltimeMs != nil }
        oracle = LeaseOracle(options)
    }

    mutating func fail(_ promise: Promise, _ detail: String, at time: Int64? = nil) {
        guard violation == nil else { return }
        violation = Violation(promise: promise, milliseconds: time ?? self.time, detail: detail)
    }

    // MARK: Decisions

    /// - Parameters:
    ///   - isKnown: whether the event's worker had a session before.
    ///   - coordinator: after the event.
    mutating func check(
        _ event: Event, isKnown: Bool, _ actions: [Action], _ coordinator: Coordinator,
        at now: Instant, time: Int64
    ) {
        self.time = time
        let now = now.milliseconds
        switch event {
        case .started: oracle.restart(live, at: now)
        case .received(let message, let worker):
            var isHeard = true
            if case .hello = message { isHeard = isWelcome(worker, in: actions) }
            if isHeard { oracle.hear(message, from: worker, isKnown: isKnown, at: now) }
        default: break
        }
        for case .append(let record) in actions {
            judge(record, after: event, at: now)
            apply(record)
        }
        if let lease = oracle.expire(at: now) {
            fail(.leases, "\(lease.traceText) should have expired")
        }
        for case .send(let message, let worker) in actions { judge(message, to: worker) }
        compareLeases(coordinator)
        compareState(coordinator, actions)
    }

    private func isWelcome(_ worker: WorkerID, in actions: [Action]) -> Bool {
        actions.contains { if case .send(.welcome, worker) = $0 { true } else { false } }
    }

    private mutating func apply(_ record: Record) {
        do {
            try live.apply(record)
        } catch {
            fail(.oneResult, error.description)
        }
    }

    private mutating func compareLeases(_ coordinator: Coordinator) {
        let running = coordinator.runningAttempts
        let isEqual =
            running.count == oracle.entries.count
            && zip(running, oracle.entries.values).allSatisfy {
                $0.attempt == $1.attempt && $0.isSuspect == $1.isSuspect
            }
        guard !isEqual else { return }
        func text(_ attempt: AttemptStarted, _ isSuspect: Bool) -> String {
            "\(attempt.trial)#\(attempt.attempt)\(isSuspect ? " suspected" : "")"
        }
        let held = running.map { text($0.attempt, $0.isSuspect) }
        let expected = oracle.entries.values.map { text($0.attempt, $0.isSuspect) }
        fail(
            .leases,
            "the coordinator holds [\(held.joined(separator: ", "))], and should hold "
                + "[\(expected.joined(separator: ", "))]")
    }

    private mutating func compareState(_ coordinator: Coordinator, _ actions: [Action]) {
        let history = coordinator.history
        guard history.trials.count == live.trials.count, history.epoch == live.epoch,
            history.choices.count == live.choices.count,
            history.unsettledCount == live.unsettledCount, history.isPaused == live.isPaused,
            history.drained == live.drained
        else {
            return fail(
                .replay,
                "the records say \(live.trials.count) trials, \(live.choices.count) "
                    + "choices and epoch \(live.epoch); the coordinator \(history.trials.count), "
                    + "\(history.choices.count) and \(history.epoch)")
        }
        for case .append(let record) in actions {
            guard let trial = record.trial, history[trial] != live[trial] else { continue }
            fail(.replay, "\(trial) is not what its records say")
        }
    }

    // MARK: The disk

    mutating func committed(_ records: [Record]) {
        do {
            for record in records { try durable.apply(record) }
        } catch {
            fail(.replay, "the journal cannot be replayed: \(error.description)")
        }
    }

    /// A coordinator starts from the journal: what it had not written never was.
    mutating func restarted(_ records: [Record], time: Int64) {
        self.time = time
        do {
            let replayed = try RunHistory(records)
            guard replayed.trials.starts(with: durable.trials, by: { $0.id == $1.id }) else {
                return fail(.nothingLost, "the journal holds other trials than before")
            }
            durable = replayed
            live = replayed
        } catch {
            fail(.replay, "the journal cannot be replayed: \(error)")
        }
        checkAcknowledged()
    }

    mutating func checkAcknowledged() {
        for (report, worker) in acknowledged where !durable.holds(report) {
            fail(
                .nothingLost,
                "report \(report.number) of \(worker), \(report.lease.traceText), was "
                    + "acknowledged and is gone: \(report.content.traceText)")
        }
    }

    /// A message leaves.
    ///
    /// - Parameter cause: the report that it answers, if any.
    mutating func performing(_ message: Message, to worker: WorkerID, cause: Report?, time: Int64) {
        self.time = time
        switch message {
        case .acknowledge(let number):
            guard let cause, cause.number == number else {
                return fail(.commitFirst, "\(worker) never sent the report \(number)")
            }
            guard durable.holds(cause) else {
                return fail(
                    unstored(cause),
                    "report \(number) of \(worker), \(cause.lease.traceText), is "
                        + "acknowledged and not on disk: \(cause.content.traceText)")
            }
            acknowledged.append((cause, worker))
        case .assign(let assignment):
            let lease = assignment.lease
            guard let trial = durable[lease.trial],
                trial.attempts.indices.contains(lease.attempt - 1),
                trial.attempts[lease.attempt - 1].started.worker == worker
            else {
                return fail(.commitFirst, "\(lease.traceText) is assigned and not on disk")
            }
        default: break
        }
    }

    /// What a missing result breaks: if another is there, it should have been kept beside it.
    private func unstored(_ report: Report) -> Promise {
        guard case .cycle(let result) = report.content, let trial = durable[report.lease.trial],
            trial.cycles.indices.contains(result.cycle - 1), trial.cycles[result.cycle - 1] != nil
        else { return .commitFirst }
        return .disputes
    }
}

extension RunHistory {
    /// Whether it holds what a report says.
    func holds(_ report: Report) -> Bool {
        guard let trial = self[report.lease.trial],
            trial.attempts.indices.contains(report.lease.attempt - 1)
        else { return false }
        switch report.content {
        case .cycle(let result):
            guard trial.cycles.indices.contains(result.cycle - 1) else { return false }
            return trial.cycles[result.cycle - 1]?.result.agrees(with: result) ?? false
                || trial.disputes.contains { $0.result.agrees(with: result) }
        case .finished(let digest): return trial.state == .done && trial.modelDigest == digest
        case .failed, .released: return trial.attempts[report.lease.attempt - 1].end != nil
        }
    }
}
