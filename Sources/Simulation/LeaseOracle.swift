import Coordinator
import OrderedCollections
import SweepModel
import Wire

/// What leases should be, from what the coordinator hears and journals: a second, independent account
/// of the rules in `docs/ARCHITECTURE.md`.
struct LeaseOracle {
    struct Entry {
        let attempt: AttemptStarted
        var deadline: Int64
        var isSuspect = false

        var lease: Lease { Lease(trial: attempt.trial, attempt: attempt.attempt) }
    }

    private let leaseMs: Int64
    private let graceMs: Int64
    /// When a worker was heard of last. Looked up only.
    private var lastHeard: [WorkerID: Int64] = [:]
    private(set) var entries: OrderedDictionary<TrialID, Entry> = [:]

    init(_ options: Coordinator.Options) {
        leaseMs = options.leaseMs
        graceMs = options.graceMs
    }

    /// A restarted coordinator grants every running attempt one full lease.
    mutating func restart(_ history: RunHistory, at now: Int64) {
        entries = [:]
        lastHeard = [:]
        for trial in history.trials {
            guard let attempt = trial.runningAttempt else { continue }
            entries[trial.id] = Entry(attempt: attempt, deadline: now + leaseMs)
        }
    }

    /// - Parameter isKnown: whether the worker had said hello, and was welcome.
    mutating func hear(_ message: Message, from worker: WorkerID, isKnown: Bool, at now: Int64) {
        lastHeard[worker] = now
        switch message {
        case .hello(let hello): renew(hello.attempts, worker, now)
        case .heartbeat(let heartbeat) where isKnown:
            renew(heartbeat.attempts.map(\.lease), worker, now)
        case .report(let report) where isKnown: renew([report.lease], worker, now)
        default: break
        }
    }

    private mutating func renew(_ leases: [Lease], _ worker: WorkerID, _ now: Int64) {
        for lease in leases where holds(lease, worker) {
            entries[lease.trial]!.deadline = now + leaseMs
            entries[lease.trial]!.isSuspect = false
        }
    }

    func isSilent(_ worker: WorkerID, at now: Int64) -> Bool {
        guard let heard = lastHeard[worker] else { return true }
        return now - heard >= leaseMs
    }

    func holds(_ lease: Lease, _ worker: WorkerID) -> Bool {
        guard let entry = entries[lease.trial] else { return false }
        return entry.attempt.attempt == lease.attempt && entry.attempt.worker == worker
    }

    mutating func start(_ attempt: AttemptStarted, at now: Int64) {
        entries[attempt.trial] = Entry(attempt: attempt, deadline: now + leaseMs)
    }

    /// - Returns: whether it was time for it to expire.
    mutating func end(_ trial: TrialID, at now: Int64) -> Bool {
        guard let entry = entries.removeValue(forKey: trial) else { return false }
        return entry.isSuspect && now >= entry.deadline
    }

    /// - Returns: the first lease that should have ended and did not.
    mutating func expire(at now: Int64) -> Lease? {
        for place in entries.elements.indices where now >= entries.elements[place].value.deadline {
            if entries.elements[place].value.isSuspect {
                return entries.elements[place].value.lease
            }
            entries.values[place].isSuspect = true
            entries.values[place].deadline = now + graceMs
        }
        return nil
    }
}
