import DequeModule
import OrderedCollections
import SweepModel
import Wire

/// A running attempt's lease and how far the attempt is.
public struct LeaseState: Hashable, Sendable {
    public let attempt: AttemptStarted
    public internal(set) var isSuspect = false
    public internal(set) var cycle = 0
    public internal(set) var epoch = 0
    /// The lease's end, or the end of the grace after it.
    var deadline: Instant
    /// Counts the leases of this epoch.
    let number: UInt64

    init(attempt: AttemptStarted, expires: Instant, number: UInt64) {
        self.attempt = attempt
        self.number = number
        deadline = expires
    }

    mutating func renew(until expires: Instant) {
        deadline = expires
        isSuspect = false
    }
}

/// Trials wait for a dataset although workers are connected: each of these reported that it lacks it.
public struct DatasetShortage: Hashable, Sendable {
    public let dataset: DatasetName
    /// The workers' machines, each once, in the order of their first hello.
    public let hosts: [String]
}

extension Coordinator {
    /// The datasets that no connected worker has and that waiting trials need.
    public var datasetShortages: [DatasetShortage] {
        guard !workers.isEmpty else { return [] }
        return DatasetName.allCases.compactMap { dataset in
            guard let lacking = workersWithoutData[dataset],
                workers.keys.allSatisfy(lacking.contains),
                queue.contains(where: { history.trials[$0].configuration.dataset == dataset })
            else { return nil }
            let hosts = OrderedSet(workers.values.map(\.host))
            return DatasetShortage(dataset: dataset, hosts: Array(hosts))
        }
    }

    mutating func beginLease(_ attempt: AttemptStarted, at now: Instant) {
        let expires = now.after(options.leaseMs)
        leases.begin(attempt, until: expires)
        earliestLeaseEnd = min(earliestLeaseEnd ?? expires, expires)
    }

    mutating func renewLease(of trial: TrialID, at now: Instant) {
        let expires = now.after(options.leaseMs)
        leases.change(trial) { $0.renew(until: expires) }
        earliestLeaseEnd = min(earliestLeaseEnd ?? expires, expires)
    }

    /// First suspected, then replaced: a worker that returns in between goes on.
    mutating func expireLeases(at now: Instant) {
        // Renewals make it too early, so that all leases are looked at in vain now and then.
        guard let earliestLeaseEnd, now >= earliestLeaseEnd else { return }
        for lease in leases.due(at: now) {
            let trial = lease.attempt.trial
            if lease.isSuspect {
                endAttempt(Lease(trial: trial, attempt: lease.attempt.attempt), .expired)
                workers[lease.attempt.worker] = nil
            } else {
                let end = now.after(options.graceMs)
                leases.change(trial) {
                    $0.isSuspect = true
                    $0.deadline = end
                }
            }
        }
        self.earliestLeaseEnd = leases.earliestDeadline
    }

    /// Journals an attempt's end and puts its trial back into the queue.
    mutating func endAttempt(_ lease: Lease, _ end: AttemptEnd) {
        commit(.attemptEnded(AttemptEnded(trial: lease.trial, attempt: lease.attempt, end: end)))
        leases.end(lease.trial)
        enqueue(history.index(of: lease.trial)!)
    }

    /// One trial a free slot: those of the highest priority first, then the longest expected, ties in
    /// the order of the sweep.
    mutating func assignTrials(at now: Instant) {
        guard !queue.isEmpty, !history.isPaused else { return }
        forgetSilentWorkers(at: now)
        for worker in Array(offers) {
            while let session = workers[worker], session.freeSlots > 0, !isSilent(session, at: now)
            {
                guard let place = queue.firstIndex(where: { isEligible($0, for: worker, at: now) })
                else { break }
                assign(queue.remove(at: place), to: worker, at: now)
            }
            if workers[worker]?.freeSlots ?? 0 == 0 { offers.remove(worker) }
        }
    }

    /// What a worker offered that is not heard of for a lease does not count.
    private func isSilent(_ session: WorkerSession, at now: Instant) -> Bool {
        now >= session.lastHeard.after(options.leaseMs)
    }

    private static let silenceCheckMs: Int64 = 1_000

    /// So that no trial waits for the offer of a worker that is silent. After the grace it is
    /// forgotten: it says hello again if it returns.
    private mutating func forgetSilentWorkers(at now: Instant) {
        guard now >= silenceCheck else { return }
        silenceCheck = now.after(Self.silenceCheckMs)
        for (worker, session) in workers.filter({ isSilent($0.value, at: now) }) {
            let isLost = now >= session.lastHeard.after(options.leaseMs + options.graceMs)
            if isLost { workers[worker] = nil } else { workers[worker]!.freeSlots = 0 }
        }
    }

    private mutating func assign(_ index: Int, to worker: WorkerID, at now: Instant) {
        let trial = history.trials[index]
        let attempt = AttemptStarted(
            trial: trial.id, attempt: trial.attempts.count + 1, worker: worker,
            host: workers[worker]!.host)
        commit(.attemptStarted(attempt))
        retryInstants[trial.id] = nil
        beginLease(attempt, at: now)
        workers[worker]!.freeSlots -= 1
        workers[worker]!.assignmentsSent += 1
        send(
            .assign(
                Assignment(
                    lease: Lease(trial: trial.id, attempt: attempt.attempt),
                    configuration: trial.configuration, runFolder: options.runFolder)),
            to: worker)
    }

    /// A failed trial waits a little, and for another worker if there is one that it has not
    /// failed on.
    private func isEligible(_ index: Int, for worker: WorkerID, at now: Instant) -> Bool {
        let trial = history.trials[index]
        if isDrained(worker) || isQuarantined(worker)
            || !canFinishCycle(of: trial, worker, at: now)
        {
            return false
        }
        if let retry = retryInstants[trial.id], now < retry { return false }
        if workersWithoutData[trial.configuration.dataset]?.contains(worker) ?? false {
            return false
        }
        let failedWorkers = trial.failedWorkers
        guard failedWorkers.contains(worker) else { return true }
        return !workers.contains {
            $0.value.freeSlots > 0 && !failedWorkers.contains($0.key)
                && !isQuarantined($0.key) && !isDrained($0.key)
        }
    }

    /// Inserts a trial behind those of a higher priority, and those of its own that take at least as
    /// long.
    mutating func enqueue(_ index: Int) {
        let place = place(of: index)
        var lower = 0
        var upper = queue.count
        while lower < upper {
            let middle = (lower + upper) / 2
            if self.place(of: queue[middle]) < place { lower = middle + 1 } else { upper = middle }
        }
        queue.insert(index, at: lower)
    }

    /// What the queue is in the ascending order of.
    private func place(of index: Int) -> (Int, Double, Int) {
        let trial = history.trials[index]
        return (-sweep.priority(of: trial), -trial.configuration.expectedImageSteps, index)
    }

    /// Priorities have changed.
    mutating func sortQueue() {
        queue = Deque(queue.sorted { place(of: $0) < place(of: $1) })
    }

    mutating func dequeue(_ index: Int) {
        queue.removeAll { $0 == index }
    }
}
