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

    init(attempt: AttemptStarted, expires: Instant) {
        self.attempt = attempt
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

    /// First suspected, then replaced: a worker that returns in between goes on.
    mutating func expireLeases(at now: Instant) {
        for (trial, lease) in Array(leases) where now >= lease.deadline {
            if lease.isSuspect {
                endAttempt(Lease(trial: trial, attempt: lease.attempt.attempt), .expired)
                workers[lease.attempt.worker] = nil
            } else {
                leases[trial]!.isSuspect = true
                leases[trial]!.deadline = now.after(options.graceMs)
            }
        }
    }

    /// Journals an attempt's end and puts its trial back into the queue.
    mutating func endAttempt(_ lease: Lease, _ end: AttemptEnd) {
        commit(.attemptEnded(AttemptEnded(trial: lease.trial, attempt: lease.attempt, end: end)))
        leases[lease.trial] = nil
        enqueue(history.index(of: lease.trial)!)
    }

    /// One trial a free slot, the longest expected first, ties in the order of the sweep.
    mutating func assignTrials(at now: Instant) {
        guard !queue.isEmpty, !history.isPaused else { return }
        withdrawSilentOffers(at: now)
        for worker in workers.keys {
            while workers[worker]!.freeSlots > 0 {
                guard let place = queue.firstIndex(where: { isEligible($0, for: worker, at: now) })
                else { break }
                assign(queue.remove(at: place), to: worker, at: now)
            }
        }
    }

    /// What a worker offered that is not heard of for a lease does not count, so that no trial goes to
    /// it or waits for it. After the grace it is forgotten: it says hello again if it returns.
    private mutating func withdrawSilentOffers(at now: Instant) {
        func isSilent(_ session: WorkerSession, for duration: Int64) -> Bool {
            now >= session.lastHeard.after(duration)
        }
        let silent = workers.filter { isSilent($0.value, for: options.leaseMs) }
        for (worker, session) in silent {
            let isLost = isSilent(session, for: options.leaseMs + options.graceMs)
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
        leases[trial.id] = LeaseState(attempt: attempt, expires: now.after(options.leaseMs))
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
        if isQuarantined(worker) || !canFinishCycle(of: trial, worker, at: now) {
            return false
        }
        if let retry = retryInstants[trial.id], now < retry { return false }
        if workersWithoutData[trial.configuration.dataset]?.contains(worker) ?? false {
            return false
        }
        let failedWorkers = trial.blamedFailures.map(\.started.worker)
        guard failedWorkers.contains(worker) else { return true }
        return !workers.contains {
            $0.value.freeSlots > 0 && !failedWorkers.contains($0.key)
                && !isQuarantined($0.key)
        }
    }

    /// Inserts a trial behind those that take at least as long.
    mutating func enqueue(_ index: Int) {
        func key(_ index: Int) -> (Double, Int) {
            (-history.trials[index].configuration.expectedImageSteps, index)
        }
        var lower = 0
        var upper = queue.count
        while lower < upper {
            let middle = (lower + upper) / 2
            if key(queue[middle]) < key(index) { lower = middle + 1 } else { upper = middle }
        }
        queue.insert(index, at: lower)
    }

    mutating func dequeue(_ index: Int) {
        queue.removeAll { $0 == index }
    }
}
