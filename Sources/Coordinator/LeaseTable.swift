import SweepModel

/// The running attempts' leases. To begin, find, renew and end one takes as long among ten thousand as
/// among ten.
struct LeaseTable: Sendable {
    /// Looked up, and never iterated over in an order that shows.
    private var states: [TrialID: LeaseState] = [:]
    /// Each worker's trials in the order of their assignment.
    private var trials: [WorkerID: [TrialID]] = [:]
    private var nextNumber: UInt64 = 0

    subscript(trial: TrialID) -> LeaseState? { states[trial] }

    /// All, in the order of their assignment.
    var all: [LeaseState] { states.values.sorted { $0.number < $1.number } }

    func count(of worker: WorkerID) -> Int { trials[worker]?.count ?? 0 }

    /// A worker's, in the order of their assignment.
    func held(by worker: WorkerID) -> [LeaseState] {
        (trials[worker] ?? []).map { states[$0]! }
    }

    /// Whether a worker of this kind holds any.
    func isAnyHeld(by isMeant: (WorkerID) -> Bool) -> Bool { trials.keys.contains(where: isMeant) }

    /// In the order of their assignment.
    func due(at now: Instant) -> [LeaseState] {
        states.values.filter { now >= $0.deadline }.sorted { $0.number < $1.number }
    }

    var earliestDeadline: Instant? { states.values.lazy.map(\.deadline).min() }

    mutating func begin(_ attempt: AttemptStarted, until deadline: Instant) {
        end(attempt.trial)
        states[attempt.trial] = LeaseState(
            attempt: attempt, expires: deadline, number: nextNumber)
        trials[attempt.worker, default: []].append(attempt.trial)
        nextNumber += 1
    }

    /// - Precondition: the trial has a lease.
    mutating func change(_ trial: TrialID, _ body: (inout LeaseState) -> Void) {
        body(&states[trial]!)
    }

    mutating func end(_ trial: TrialID) {
        guard let worker = states.removeValue(forKey: trial)?.attempt.worker else { return }
        // The one that ends is often among the oldest.
        if let place = trials[worker]!.firstIndex(of: trial) { trials[worker]!.remove(at: place) }
        if trials[worker]!.isEmpty { trials[worker] = nil }
    }
}
