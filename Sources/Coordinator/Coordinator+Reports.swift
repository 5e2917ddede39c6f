import OrderedCollections
import SweepModel
import Wire

extension Coordinator {
    /// Accepts a report once, acknowledges it as often as it comes, and fences what is stale.
    mutating func accept(_ report: Report, from worker: WorkerID, at now: Instant) {
        let lease = report.lease
        guard isCurrent(lease, of: worker) else {
            let answer: Message =
                isKnown(report) ? .acknowledge(report: report.number) : .fenced(lease)
            send(answer, to: worker)
            return
        }
        renewLease(of: lease.trial, at: now)
        switch report.content {
        case .cycle(let result):
            guard accept(result, of: lease, from: worker) else { return }
        case .finished(let modelDigest):
            // Its cycles are still on the way: the worker repeats all in order.
            guard history[lease.trial]!.hasAllCycles else { return }
            commit(
                .trialFinished(
                    TrialFinished(
                        trial: lease.trial, attempt: lease.attempt, modelDigest: modelDigest)))
            leases.end(lease.trial)
        case .failed(let kind, let message): fail(lease, kind, message, at: now)
        case .released: endAttempt(lease, .released)
        }
        send(.acknowledge(report: report.number), to: worker)
    }

    /// Whether the journal already holds what a stale attempt reports.
    private func isKnown(_ report: Report) -> Bool {
        guard let trial = history[report.lease.trial] else { return false }
        let attempt = report.lease.attempt
        guard attempt >= 1, attempt <= trial.attempts.count else { return false }
        switch report.content {
        case .cycle(let result):
            guard result.cycle >= 1, result.cycle <= trial.cycles.count else { return false }
            return trial.cycles[result.cycle - 1]?.result.agrees(with: result) ?? false
        case .finished(let digest): return trial.state == .done && trial.modelDigest == digest
        case .failed, .released: return trial.attempts[attempt - 1].end != nil
        }
    }

    /// - Returns: whether the attempt still stands.
    private mutating func accept(
        _ result: CycleResult, of lease: Lease, from worker: WorkerID
    ) -> Bool {
        let trial = history[lease.trial]!
        if let fault = trial.configuration.fault(of: result) {
            endAttempt(
                lease, .failed(kind: .crash, message: "its worker reported an impossible \(fault)"))
            send(.fenced(lease), to: worker)
            giveUpIfHopeless(lease.trial)
            return false
        }
        let accepted = CycleAccepted(
            trial: lease.trial, attempt: lease.attempt, host: workers[worker]!.host, result: result)
        if let first = trial.cycles[result.cycle - 1] {
            if !first.result.agrees(with: result), !trial.disputes.contains(accepted) {
                commit(.cycleDisputed(accepted))
            }
        } else {
            commit(.cycleAccepted(accepted))
            learnPace(from: accepted)
            failuresInRow[worker] = nil
        }
        return true
    }

    /// A fault that does not go away is met at longer and longer intervals, up to a minute.
    private static let longestRetryFactor = 30

    private mutating func fail(
        _ lease: Lease, _ kind: FailureKind, _ message: String, at now: Instant
    ) {
        if kind == .data, let attempt = leases[lease.trial]?.attempt {
            let dataset = history[lease.trial]!.configuration.dataset
            workersWithoutData[dataset, default: []].append(attempt.worker)
        }
        let end = AttemptEnd.failed(kind: kind, message: message)
        if end.countsAgainstTrial, kind != .user, let worker = leases[lease.trial]?.attempt.worker {
            noteFailure(of: lease.trial, on: worker, at: now)
        }
        endAttempt(lease, end)
        let attempts = Int64(min(lease.attempt, Self.longestRetryFactor))
        retryInstants[lease.trial] = now.after(options.retryDelayMs * attempts)
        giveUpIfHopeless(lease.trial)
    }

    /// The worker's process ended by what its trials did.
    mutating func blame(_ fault: WorkerFault, on worker: WorkerID, at now: Instant) {
        for state in leases.held(by: worker) {
            let lease = Lease(trial: state.attempt.trial, attempt: state.attempt.attempt)
            fail(lease, fault.kind, fault.message, at: now)
        }
    }

    /// A trial fails for good by a fault of its configuration, or after several failed attempts.
    private mutating func giveUpIfHopeless(_ id: TrialID) {
        let failures = history[id]!.blamedFailures
        guard let last = failures.last, case .failed(let kind, let message) = last.end else {
            return
        }
        guard kind == .user || failures.count >= options.maximumFailures else { return }
        commit(.trialFailed(TrialFailed(trial: id, kind: kind, message: message)))
        dequeue(history.index(of: id)!)
        retryInstants[id] = nil
    }
}

extension TrialConfiguration {
    /// What in a cycle's result cannot be, or nil.
    func fault(of result: CycleResult) -> String? {
        guard (1...studyProtocol.cycles).contains(result.cycle) else {
            return "cycle \(result.cycle)"
        }
        guard result.labelled == labelledCount(inCycle: result.cycle) else {
            return "number of labels, \(result.labelled), in cycle \(result.cycle)"
        }
        guard result.total == testCount, (0...result.total).contains(result.correct) else {
            return "count, \(result.correct) of \(result.total), in cycle \(result.cycle)"
        }
        let durations = [result.trainSeconds, result.evaluateSeconds, result.querySeconds]
        guard result.testLoss.isFinite, result.trainLoss.isFinite,
            durations.allSatisfy({ $0.isFinite && $0 >= 0 })
        else { return "loss or duration in cycle \(result.cycle)" }
        return nil
    }
}
