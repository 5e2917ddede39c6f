import Coordinator
import OrderedCollections
import SweepModel
import Wire

/// The shell around the coordinator, as `CoordinatorService` is: what came together shares a commit,
/// nothing is sent before it, and without space nothing is read.
extension World {
    private static let commitBatch = 256
    private static let storageRetryMs: Int64 = 2_000
    private static let extensionLimit = 3
    /// A sweep of many trials is long enough as it is.
    private static let extendedTrialLimit = 100
    private static let firstTimeSeed: UInt64 = 1_700_000_000

    mutating func startCoordinator() {
        guard !coordinator.isUp else { return }
        coordinator.life += 1
        checker.restarted(disk.records, time: now)
        guard checker.violation == nil else { return }
        trace.note(now, "coordinator", "starts with \(disk.records.count) records")
        coordinator.machine = TestedCoordinator(
            Coordinator(sweep: sweep, options: scenario.options, history: checker.durable),
            bug: bug)
        // Others at every start: only the first submission may count.
        let first = Self.firstTimeSeed + UInt64(now / 1_000)
        tell(
            .started(
                SweepSubmitted(
                    name: sweep.name, text: sweepText,
                    timeSeeds: (0..<UInt64(sweep.timeSeedCount)).map { first + $0 })))
        perform()
        guard let node = workers.firstIndex(where: \.machine.isCoordinators) else { return }
        if workers[node].agent == nil { plan(.workerStart(node: node), after: 100) }
    }

    /// Hands the event to the coordinator, and what came of it to the checks.
    mutating func tell(_ event: Event) {
        guard coordinator.isUp else { return }
        trace.note(now, "coordinator", event.traceText)
        let local = Instant(milliseconds: coordinator.clock.milliseconds(at: now))
        let isKnown =
            event.worker.map { coordinator.machine!.inner.session(of: $0) != nil } ?? false
        let actions = coordinator.machine!.handle(event, at: local)
        for case .append(let record) in actions {
            trace.note(now, "coordinator", "  decides: \(record.traceText)")
        }
        checker.check(
            event, isKnown: isKnown, actions, coordinator.machine!.inner, at: local, time: now)
        var cause: Report?
        if case .received(.report(let report), _) = event { cause = report }
        coordinator.pending += actions.map { PendingAction(action: $0, cause: cause) }
    }

    /// The event waits to be read; nobody reads while the coordinator is down.
    mutating func receive(_ event: Event) {
        guard coordinator.isUp else { return }
        coordinator.inbox.append(event)
        guard !coordinator.isWakePlanned else { return }
        coordinator.isWakePlanned = true
        plan(.coordinatorWake(life: coordinator.life), afterUpTo: 5)
    }

    mutating func readInbox() {
        coordinator.isWakePlanned = false
        guard coordinator.isUp, coordinator.unstored == nil else { return }
        let batch = coordinator.inbox.prefix(Self.commitBatch)
        coordinator.inbox.removeFirst(batch.count)
        for event in batch {
            read(event)
            guard checker.violation == nil else { return }
        }
        perform()
        if coordinator.isUp, !coordinator.inbox.isEmpty { receiveMore() }
    }

    private mutating func receiveMore() {
        guard !coordinator.isWakePlanned else { return }
        coordinator.isWakePlanned = true
        plan(.coordinatorWake(life: coordinator.life), after: 1)
    }

    private mutating func read(_ event: Event) {
        guard case .received(let message, let worker) = event else { return tell(event) }
        coordinator.peers.append(worker)
        // The worker it started has got the lock, so the one before is dead.
        if case .hello = message, let dead = coordinator.deadWorker, let node = nodes[worker],
            workers[node].machine.isCoordinators, worker != dead
        {
            coordinator.deadWorker = nil
            tell(.workerDied(dead))
        }
        tell(event)
        if case .goodbye = message { coordinator.peers.remove(worker) }
    }

    mutating func fireTimer(_ generation: Int) {
        guard generation == coordinator.timerGeneration, let timer = coordinator.timer else {
            return
        }
        guard coordinator.unstored == nil else { return planTimer(delayMs: Self.storageRetryMs) }
        guard coordinator.clock.milliseconds(at: now) >= timer.milliseconds else {
            return planTimer()
        }
        coordinator.timer = nil
        tell(.timerFired)
        perform()
    }

    mutating func planTimer(delayMs: Int64 = 0) {
        guard let timer = coordinator.timer else { return }
        coordinator.timerGeneration += 1
        agenda.plan(
            .coordinatorTimer(life: coordinator.life, generation: coordinator.timerGeneration),
            at: coordinator.clock.time(of: timer.milliseconds, notBefore: now) + delayMs)
    }

    // MARK: Writing and sending

    mutating func perform() {
        while coordinator.isUp, coordinator.unstored == nil, !coordinator.pending.isEmpty,
            checker.violation == nil
        {
            let batch = coordinator.pending
            coordinator.pending = []
            if bug == .acknowledgeBeforeCommit { release(batch) }
            guard coordinator.isUp else { return }
            store(batch)
        }
    }

    private mutating func store(_ batch: [PendingAction]) {
        let records = batch.compactMap {
            if case .append(let record) = $0.action { record } else { nil }
        }
        if !records.isEmpty {
            if draws.happens(perMille: rates.crashPointPerMille) {
                if draws.flip() { disk.tear(records) }
                return crashCoordinator("while it writes \(records.count) records")
            }
            guard disk.commit(records, fails: draws.happens(perMille: rates.commitFailurePerMille))
            else {
                trace.note(now, "disk", "\(records.count) records cannot be written")
                coordinator.unstored = batch
                return plan(.storageRetry(life: coordinator.life), after: Self.storageRetryMs)
            }
            checker.committed(records)
        }
        if bug == .acknowledgeBeforeCommit { return }
        release(batch)
    }

    mutating func retryStorage() {
        guard let batch = coordinator.unstored else { return }
        coordinator.unstored = nil
        store(batch)
        perform()
        if coordinator.isUp, coordinator.unstored == nil, !coordinator.inbox.isEmpty {
            receiveMore()
        }
    }

    private mutating func release(_ batch: [PendingAction]) {
        for pending in batch {
            guard checker.violation == nil else { return }
            switch pending.action {
            case .append, .answer: break
            case .setTimer(let instant):
                coordinator.timer = instant
                planTimer()
            case .send(let message, let worker):
                if draws.happens(perMille: rates.crashPointPerMille) {
                    return crashCoordinator("before it sends '\(message.traceText)' to \(worker)")
                }
                checker.performing(message, to: worker, cause: pending.cause, time: now)
                deliver(message, to: worker)
            case .finished(let outcome): return end(outcome)
            }
        }
    }

    private mutating func end(_ outcome: Outcome) {
        trace.note(now, "coordinator", "ends: \(outcome)")
        stopCoordinator()
        // The user adds to what is finished or stopped.
        let isExtended =
            !isMended && extensionCount < Self.extensionLimit
            && sweep.trialCount < Self.extendedTrialLimit && draws.flip()
        if isExtended { extend() }
        if outcome == .sweepFinished, !isExtended {
            isDone = true
        } else {
            plan(.coordinatorStart, afterMean: isMended ? 1_000 : 300_000)
        }
    }

    /// Adds a seed by `alsweep extend`, or a strategy to the sweep file.
    private mutating func extend() {
        extensionCount += 1
        if sweep.timeSeedCount > 0, draws.flip() {
            return disk.change([.seedsAdded(SeedsAdded(seeds: [UInt64(now)]))])
        }
        let strategies: [Strategy] = [.margin, .entropy, .badge]
        let stage = draws.number(in: 0...sweep.stages.count - 1)
        sweep.stages[stage].strategies.append(.plain(strategies[extensionCount - 1]))
    }

    /// It tells files apart, and need not be parsed.
    private var sweepText: String {
        sweep.stages.map { "\($0.name): \($0.strategies.count) strategies" }.joined(separator: "\n")
    }

    mutating func crashCoordinator(_ when: @autoclosure () -> String) {
        guard coordinator.isUp else { return }
        trace.note(now, "coordinator", "crashes \(when())")
        stopCoordinator()
        disk.crash(&draws)
        if draws.flip() {
            coordinator.clock = NodeClock(
                at: now, reading: draws.milliseconds(in: 0...7_200_000), driftPerMillion: 0)
        }
        plan(.coordinatorStart, afterMean: isMended ? 1_000 : 120_000)
    }

    private mutating func stopCoordinator() {
        coordinator.machine = nil
        coordinator.life += 1
        coordinator.inbox = []
        coordinator.isWakePlanned = false
        coordinator.pending = []
        coordinator.unstored = nil
        coordinator.timer = nil
        coordinator.peers = []
    }
}
