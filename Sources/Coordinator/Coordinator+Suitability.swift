import OrderedCollections
import SweepModel
import Wire

/// Which workers are no place for a trial: those on which everything fails, and those that end before
/// a cycle of it could.
extension Coordinator {
    /// A cycle may take so much longer than the last one did, by image-steps.
    private static let paceMargin = 1.25

    /// Where workers get no trial because those they had failed, each host once.
    public var quarantinedHosts: [String] {
        let hosts = quarantines.keys.filter(isQuarantined).compactMap { workers[$0]?.host }
        return Array(OrderedSet(hosts))
    }

    /// Where trials fail on every worker, it is the trials' fault, and no worker is kept from them.
    func isQuarantined(_ worker: WorkerID) -> Bool {
        quarantines[worker] != nil
            && workers.keys.contains { quarantines[$0] == nil && !isDrained($0) }
    }

    func isDrained(_ worker: WorkerID) -> Bool {
        guard let session = workers[worker] else { return false }
        return history.isDrained(worker, host: session.host)
    }

    /// Those that the user wants to have no trials, and that have none, leave.
    mutating func dismissDrained() {
        for load in loads where load.trials == 0 && isDrained(load.worker) {
            send(.stop(.drained), to: load.worker)
        }
    }

    mutating func endQuarantines(at now: Instant) {
        guard !quarantines.isEmpty else { return }
        quarantines.removeAll { now >= $0.value }
    }

    /// Different trials that fail one after the other are the machine's fault.
    mutating func noteFailure(of trial: TrialID, on worker: WorkerID, at now: Instant) {
        var failed = failuresInRow[worker] ?? []
        if !failed.contains(trial) { failed.append(trial) }
        failuresInRow[worker] = failed
        guard failed.count >= options.quarantineFailures else { return }
        quarantines[worker] = now.after(options.quarantineMs)
        failuresInRow[worker] = nil
    }

    mutating func learnPace(from cycle: CycleAccepted) {
        guard let trial = history[cycle.trial], cycle.result.isShared != true else { return }
        let steps = trial.configuration.expectedImageSteps(inCycle: cycle.result.cycle)
        guard steps > 0 else { return }
        paces[cycle.host] = cycle.result.seconds / steps
    }

    /// Whether the trial's next cycle would end before the worker does. Where nothing was measured yet
    /// it may.
    func canFinishCycle(of trial: TrialHistory, _ worker: WorkerID, at now: Instant) -> Bool {
        guard let session = workers[worker], let end = session.end,
            let place = trial.cycles.firstIndex(where: { $0 == nil }),
            let pace = paces[session.host]
        else { return true }
        let seconds = pace * trial.configuration.expectedImageSteps(inCycle: place + 1)
        return seconds * Self.paceMargin * 1_000 <= Double(end.milliseconds - now.milliseconds)
    }
}
