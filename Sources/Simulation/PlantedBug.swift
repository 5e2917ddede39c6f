import Coordinator
import OrderedCollections
import SweepModel
import Wire

/// Mistakes that can be made on purpose, to see whether the checks find them.
public enum PlantedBug: String, CaseIterable, Sendable {
    /// Messages leave before the records they follow from are on disk.
    case acknowledgeBeforeCommit = "acknowledge-before-commit"
    /// A heartbeat renews the trial's lease whichever attempt it names.
    case renewOthersLease = "renew-others-lease"
    /// A result counts whichever attempt found it.
    case countStaleAttempt = "count-stale-attempt"
    /// A restarted coordinator takes all running attempts for expired.
    case forgetAmnesty = "forget-amnesty"
    /// A trial that a worker gave back is not started again.
    case dropReleasedTrial = "drop-released-trial"
    /// A worker that has finished a trial is not given another.
    case ignoreOffers = "ignore-offers"
}

/// The coordinator as the simulated shell uses it: the real one, or one whose events and actions are
/// distorted so that it behaves as if it had a bug.
struct TestedCoordinator {
    private(set) var inner: Coordinator
    private let bug: PlantedBug?
    private var releasedTrials: OrderedSet<TrialID> = []
    private var ignoredWorkers: OrderedSet<WorkerID> = []

    init(_ inner: Coordinator, bug: PlantedBug?) {
        self.inner = inner
        self.bug = bug
    }

    mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        switch (bug, event) {
        case (.renewOthersLease, .received(.heartbeat(let heartbeat), let worker)):
            return renewingAll(heartbeat, of: worker, at: now)
        case (.countStaleAttempt, .received(.report(let report), let worker)):
            return counting(report, from: worker, at: now)
        case (.forgetAmnesty, .started):
            var past = now
            past.milliseconds -= inner.options.leaseMs + inner.options.graceMs
            var actions = inner.handle(event, at: past)
            actions += inner.handle(.timerFired, at: past.later(inner.options.leaseMs))
            return actions + inner.handle(.timerFired, at: now)
        case (.ignoreOffers, .received(.ready, let worker)) where ignoredWorkers.contains(worker):
            return inner.handle(.timerFired, at: now)
        case (.ignoreOffers, .received(.report(let report), let worker))
        where report.content.isFinish:
            ignoredWorkers.append(worker)
            return inner.handle(event, at: now)
        case (.dropReleasedTrial, _): return droppingReleased(inner.handle(event, at: now))
        default: return inner.handle(event, at: now)
        }
    }

    private mutating func renewingAll(
        _ heartbeat: Heartbeat, of worker: WorkerID, at now: Instant
    ) -> [Action] {
        var actions = inner.handle(.received(.heartbeat(heartbeat), from: worker), at: now)
        for progress in heartbeat.attempts {
            guard let current = current(progress.lease.trial),
                current.attempt != progress.lease.attempt
            else { continue }
            var renewal = heartbeat
            renewal.assignmentsReceived = -1
            renewal.attempts = [
                AttemptProgress(
                    lease: Lease(trial: current.trial, attempt: current.attempt),
                    cycle: progress.cycle, epoch: progress.epoch)
            ]
            let more = inner.handle(.received(.heartbeat(renewal), from: current.worker), at: now)
            actions += more.filter { if case .send = $0 { false } else { true } }
        }
        return actions
    }

    private mutating func counting(
        _ report: Report, from worker: WorkerID, at now: Instant
    ) -> [Action] {
        guard case .cycle = report.content, let current = current(report.lease.trial),
            current.attempt != report.lease.attempt
        else { return inner.handle(.received(.report(report), from: worker), at: now) }
        var counted = report
        counted.lease.attempt = current.attempt
        return inner.handle(.received(.report(counted), from: current.worker), at: now).map {
            if case .send(let message, current.worker) = $0 {
                .send(message, to: worker)
            } else {
                $0
            }
        }
    }

    private mutating func droppingReleased(_ actions: [Action]) -> [Action] {
        for case .append(.attemptEnded(let content)) in actions where content.end == .released {
            releasedTrials.append(content.trial)
        }
        return actions.filter { action in
            switch action {
            case .append(.attemptStarted(let content)): !releasedTrials.contains(content.trial)
            case .send(.assign(let assignment), _): !releasedTrials.contains(assignment.lease.trial)
            default: true
            }
        }
    }

    private func current(_ trial: TrialID) -> AttemptStarted? {
        inner.history[trial]?.runningAttempt
    }
}

extension ReportContent {
    fileprivate var isFinish: Bool { if case .finished = self { true } else { false } }
}

extension Instant {
    func later(_ milliseconds: Int64) -> Instant {
        Instant(milliseconds: self.milliseconds + milliseconds)
    }
}
