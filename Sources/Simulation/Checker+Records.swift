import Coordinator
import OrderedCollections
import SweepModel
import Wire

extension Checker {
    /// Whether a record may follow the ones before it, and whether its event justifies it.
    mutating func judge(_ record: Record, after event: Event, at now: Int64) {
        if let id = record.trial, let trial = live[id], trial.isSettled,
            record.kind != .trialRetried
        {
            fail(.settled, "after \(id) was settled: \(record.traceText)")
        }
        switch record {
        case .sweepSubmitted, .sweepExtended, .seedsAdded, .coordinatorStarted, .stepsChosen,
            .trialAdded:
            break
        case .attemptStarted(let content):
            guard let trial = live[content.trial], trial.state == .pending,
                content.attempt == trial.attempts.count + 1
            else { return fail(.fencing, "out of order: \(record.traceText)") }
            if oracle.isSilent(content.worker, at: now) {
                fail(.silence, "\(content.worker) is silent: \(record.traceText)")
            }
            if live.isPaused { fail(.commands, "while the run is paused: \(record.traceText)") }
            if live.isDrained(content.worker, host: content.host) {
                fail(.commands, "\(content.host) is drained: \(record.traceText)")
            }
            judgeOrder(trial, record)
            oracle.start(content, at: now)
        case .cycleAccepted(let content):
            judge(content, after: event)
            if accepted(content) != nil {
                fail(.oneResult, "twice: \(record.traceText)")
            }
        case .cycleDisputed(let content):
            judge(content, after: event)
            if accepted(content)?.result.agrees(with: content.result) ?? true {
                fail(.disputes, "without a difference: \(record.traceText)")
            }
        case .attemptEnded(let content): judge(content, after: event, at: now)
        case .trialFinished(let content):
            let lease = Lease(trial: content.trial, attempt: content.attempt)
            requireReport(.finished(modelDigest: content.modelDigest), of: lease, in: event)
            _ = oracle.end(content.trial, at: now)
            if !(live[content.trial]?.hasAllCycles ?? false) {
                fail(.fencing, "with cycles missing: \(record.traceText)")
            }
            requireTruth(of: event, record) {
                content.modelDigest == ReferenceRun.modelDigest(of: $0)
            }
        case .trialFailed(let content):
            let failures = live[content.trial]?.blamedFailures ?? []
            if content.kind != .user, failures.count < options.maximumFailures {
                fail(.fencing, "after \(failures.count) failures: \(record.traceText)")
            }
        case .pauseSet, .trialRetried, .prioritySet, .drainSet: requireCommand(event, record)
        case .trialCancelled(let trial):
            requireCommand(event, record)
            if oracle.entries[trial] != nil {
                fail(.commands, "an attempt holds its lease: \(record.traceText)")
            }
        }
    }

    /// Of the trials that wait, that no worker failed on and that need the same dataset, none may have a
    /// higher priority. Where workers end by themselves, a shorter cycle may come first.
    private mutating func judgeOrder(_ trial: TrialHistory, _ record: Record) {
        guard !hasWalltimes else { return }
        let priority = sweep.priority(of: trial)
        for other in live.trials
        where other.state == .pending && other.attempts.isEmpty
            && other.configuration.dataset == trial.configuration.dataset
            && sweep.priority(of: other) > priority
        {
            fail(.order, "\(other.id) waits, and has a higher priority: \(record.traceText)")
        }
    }

    private mutating func requireCommand(_ event: Event, _ record: Record) {
        if case .commanded = event { return }
        fail(.commands, "after \(event.traceText): \(record.traceText)")
    }

    /// The accepted result of the same cycle, if there is one.
    private func accepted(_ content: CycleAccepted) -> CycleAccepted? {
        guard let cycles = live[content.trial]?.cycles,
            cycles.indices.contains(content.result.cycle - 1)
        else { return nil }
        return cycles[content.result.cycle - 1]
    }

    private mutating func judge(_ content: CycleAccepted, after event: Event) {
        let lease = Lease(trial: content.trial, attempt: content.attempt)
        requireReport(.cycle(content.result), of: lease, in: event)
        let isPossible =
            content.result.correct <= content.result.total && content.result.correct >= 0
        if !isPossible {
            fail(.numbers, "impossible: cycle \(content.result.cycle) of \(lease.traceText)")
        }
        requireTruth(of: event, .cycleAccepted(content)) {
            content.result.agrees(with: ReferenceRun.result(of: $0, cycle: content.result.cycle))
        }
    }

    /// Only a report of the attempt that holds the lease, from its worker, decides anything.
    private mutating func requireReport(
        _ content: ReportContent, of lease: Lease, in event: Event
    ) {
        guard case .received(.report(let report), let worker) = event, report.lease == lease,
            report.content == content, oracle.holds(lease, worker)
        else {
            return fail(
                .fencing,
                "counted for \(lease.traceText) and not reported by it: "
                    + "\(content.traceText), after \(event.traceText)")
        }
    }

    private mutating func requireTruth(
        of event: Event, _ record: Record, _ isTrue: (TrialConfiguration) -> Bool
    ) {
        guard case .received(_, let worker) = event, !liars.contains(worker),
            let trial = record.trial.flatMap({ live[$0] }), !isTrue(trial.configuration)
        else { return }
        fail(.numbers, "\(worker) does not lie, and yet: \(record.traceText)")
    }

    private mutating func judge(_ content: AttemptEnded, after event: Event, at now: Int64) {
        let lease = Lease(trial: content.trial, attempt: content.attempt)
        guard let trial = live[content.trial], let attempt = trial.runningAttempt,
            attempt.attempt == content.attempt
        else { return fail(.fencing, "not running: \(lease.traceText) ended") }
        let isDue = oracle.end(content.trial, at: now)
        switch content.end {
        case .expired:
            if !isDue { fail(.leases, "\(lease.traceText) expired before its time") }
        case .withdrawn: requireCommand(event, .attemptEnded(content))
        case .failed, .released:
            guard event.worker == attempt.worker else {
                return fail(
                    .fencing,
                    "\(lease.traceText) of \(attempt.worker) ended after \(event.traceText)")
            }
        }
    }

    /// Whether the coordinator may say this after the event.
    mutating func judge(_ message: Message, to worker: WorkerID) {
        switch message {
        case .fenced(let lease):
            if oracle.holds(lease, worker) {
                fail(.fencing, "\(worker) holds \(lease.traceText), and is told that it is fenced")
            }
        case .assign(let assignment):
            if !oracle.holds(assignment.lease, worker) {
                fail(
                    .fencing, "\(worker) is assigned \(assignment.lease.traceText) without a lease")
            }
            if live[assignment.lease.trial]?.configuration != assignment.configuration {
                fail(
                    .numbers, "\(assignment.lease.traceText) is assigned with another configuration"
                )
            }
        case .welcome(let welcome):
            for verdict in welcome.verdicts
            where (verdict.verdict == .fence) == oracle.holds(verdict.lease, worker) {
                fail(
                    .fencing, "\(worker) is told \(verdict.verdict) for \(verdict.lease.traceText)")
            }
        default: break
        }
    }
}

extension Event {
    /// Whom it is from or about.
    var worker: WorkerID? {
        switch self {
        case .received(_, let worker), .undelivered(_, let worker), .workerDied(let worker, _):
            worker
        case .started, .timerFired, .stopRequested, .commanded: nil
        }
    }
}
