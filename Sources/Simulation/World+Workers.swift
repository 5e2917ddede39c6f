import Agent
import Coordinator
import OrderedCollections
import SweepModel
import Wire

/// The shell around the agent, as `WorkerService` is, and the processes that it starts.
extension World {
    /// A socket without a peer tries again at intervals up to this one.
    private static let longestReconnectionMs: Int64 = 30_000
    /// A report waits so long for its checkpoint.
    static let fileSilenceMs: Int64 = 30_000

    mutating func startWorker(_ node: Int) {
        guard workers[node].agent == nil else { return }
        // Nobody else starts the coordinator's worker.
        if workers[node].machine.isCoordinators, !coordinator.isUp { return }
        let machine = workers[node].machine
        workers[node].life += 1
        workers[node].id = WorkerID("w\(node).\(workers[node].life)")
        nodes[workers[node].id] = node
        if machine.isLiar { checker.liars.append(workers[node].id) }
        workers[node].epoch = 0
        workers[node].agent = Agent(
            options: Agent.Options(
                host: "host\(node)", slots: machine.slots,
                softwareVersion: machine.isOutdated ? "0" : scenario.options.softwareVersion,
                offers: [ComputingOffer(engine: .onednn, precision: .float32)],
                leavesWithCoordinator: machine.isCoordinators,
                connectDelayMs: scenario.connectDelayMs, idleExitMs: scenario.idleExitMs,
                walltimeMs: machine.walltimeMs, gpus: gpuOptions(node)),
            at: workers[node].clock.milliseconds(at: now))
        trace.note(now, workers[node].id.rawValue, "starts")
        tick(node)
    }

    mutating func tick(_ node: Int) {
        lookAtGPUs(of: node)
        handle(.ticked, at: node)
        guard let agent = workers[node].agent else { return }
        // Often enough for what it may have to do next; the real shell asks four times a second.
        let interval =
            !agent.isWelcome
            ? draws.milliseconds(in: Agent.helloIntervalMs...Self.longestReconnectionMs)
            : agent.reports.isEmpty
                ? scenario.options.heartbeatMs / 2
                : min(scenario.options.heartbeatMs / 2, Agent.repeatIntervalMs)
        plan(.workerTick(node: node, life: workers[node].life), after: interval)
    }

    mutating func arrive(_ message: Message, epoch: Int, at node: Int, for worker: WorkerID) {
        guard workers[node].id == worker, workers[node].agent != nil,
            epoch >= workers[node].epoch
        else { return }
        if case .welcome = message { workers[node].epoch = epoch }
        trace.note(now, worker.rawValue, "hears: \(message.traceText)")
        handle(.received(message), at: node)
    }

    mutating func handle(_ event: AgentEvent, at node: Int) {
        guard workers[node].agent != nil else { return }
        let actions = workers[node].agent!.handle(
            event, at: workers[node].clock.milliseconds(at: now))
        for action in actions {
            switch action {
            case .send(let message): send(message, from: node)
            case .start(let assignment, let gpu): start(assignment, on: gpu, at: node)
            case .stop(let lease): stop(lease, at: node)
            case .kill(let lease): kill(lease, at: node)
            case .exit(let reason): return endWorker(node, "ends: \(reason)")
            }
        }
    }

    private mutating func send(_ message: Message, from node: Int) {
        guard workers[node].machine.isLiar else { return sendToCoordinator(message, from: node) }
        for message in Liar.distort(message, checker.durable, &draws) {
            sendToCoordinator(message, from: node)
        }
    }

    /// The process and all that it started are gone; whoever started it does so again.
    ///
    /// - Parameter fault: what a launcher knows of its end; one that does not know, or is not up, says
    ///   nothing.
    mutating func endWorker(
        _ node: Int, _ how: @autoclosure () -> String, fault: WorkerFault? = nil
    ) {
        guard workers[node].agent != nil else { return }
        trace.note(now, workers[node].id.rawValue, how())
        workers[node].agent = nil
        workers[node].children = []
        workers[node].life += 1
        if fault != nil, coordinator.isUp {
            receive(.workerDied(workers[node].id, fault: fault))
        } else if workers[node].machine.isCoordinators {
            if coordinator.isUp {
                receive(.workerDied(workers[node].id))
            } else {
                coordinator.deadWorker = workers[node].id
            }
        }
        plan(.workerStart(node: node), afterMean: isMended ? 10_000 : 180_000)
    }

    // MARK: Trials

    private mutating func start(_ assignment: Assignment, on gpu: GPU?, at node: Int) {
        let lease = assignment.lease
        if workers[node].children.contains(where: { $0.assignment.lease == lease }) {
            return checker.fail(
                .fencing, "\(workers[node].id) runs \(lease.traceText) twice at once", at: now)
        }
        if workers[node].children.count >= workers[node].machine.slots {
            return checker.fail(
                .fencing, "\(workers[node].id) runs more trials than it has slots", at: now)
        }
        let machine = workers[node].machine
        let there = workers[node].children.count { $0.gpu == gpu?.index }
        if (gpu == nil) != (machine.gpuCount == 0) || (gpu != nil && there >= machine.slotsPerGPU) {
            return checker.fail(
                .fencing, "\(workers[node].id) runs more trials on a GPU than it has slots", at: now
            )
        }
        if draws.happens(perMille: rates.startFailurePerMille) {
            return handle(.childEnded(lease, fault: (.disk, "no process")), at: node)
        }
        nextChild += 1
        workers[node].children.append(
            Child(serial: nextChild, assignment: assignment, gpu: gpu?.index))
        plan(step: .begin, node, nextChild, afterUpTo: 3_000)
    }

    private mutating func stop(_ lease: Lease, at node: Int) {
        guard
            let place = workers[node].children.firstIndex(where: { $0.assignment.lease == lease }),
            !workers[node].children[place].isStopping, !workers[node].children[place].isHung
        else { return }
        workers[node].children[place].isStopping = true
        // At its next batch.
        plan(
            step: .end, node, workers[node].children[place].serial,
            afterUpTo: draws.happens(perMille: 100) ? 60_000 : 2_000)
    }

    private mutating func kill(_ lease: Lease, at node: Int) {
        guard let child = workers[node].children.first(where: { $0.assignment.lease == lease })
        else { return }
        if !child.isHung, !child.isStopping {
            return checker.fail(
                .processes, "\(workers[node].id) kills \(lease.traceText), which computes", at: now)
        }
        plan(step: .end, node, child.serial, afterUpTo: 100)
    }

    private mutating func plan(
        step: ChildStep, _ node: Int, _ serial: Int, afterUpTo milliseconds: Int64
    ) {
        plan(
            .child(step, node: node, life: workers[node].life, serial: serial),
            afterUpTo: milliseconds)
    }

    mutating func advance(_ node: Int, _ serial: Int, _ step: ChildStep) {
        guard let place = workers[node].children.firstIndex(where: { $0.serial == serial }) else {
            return
        }
        let child = workers[node].children[place]
        let lease = child.assignment.lease
        switch step {
        case .end: end(serial, lease, at: node, fault: nil)
        case .fail(let kind):
            if kind == .disk || kind == .outOfGPUMemory {
                handle(.childSaid(.failed(kind: kind, message: "no space"), lease), at: node)
                end(serial, lease, at: node, fault: nil)
            } else {
                end(serial, lease, at: node, fault: (kind, "its process ended"))
            }
        case _ where child.isStopping || child.isHung: break
        case .begin: begin(child, at: node)
        case .cycleFinished: finishCycle(child, at: node)
        case .checkpointGiven:
            if mayMoveFiles(of: lease, node) {
                checkpoints[lease.trial] = max(checkpoints[lease.trial] ?? 0, child.cycle + 1)
            }
            tell(child.cycle + 1, child, at: node)
        }
    }

    /// It tells again of the cycles in its checkpoint, and goes on after them.
    private mutating func begin(_ child: Child, at node: Int) {
        let lease = child.assignment.lease
        if workers[node].machine.lackedDataset == child.configuration.dataset {
            handle(.childSaid(.failed(kind: .data, message: "no dataset"), lease), at: node)
            return end(child.serial, lease, at: node, fault: nil)
        }
        if lacksMemory(on: child.gpu, of: node) {
            return advance(node, child.serial, .fail(.outOfGPUMemory))
        }
        let given =
            workers[node].machine.sharesFolder || mayMoveFiles(of: lease, node)
            ? checkpoints[lease.trial] : nil
        let own = workers[node].machine.sharesFolder ? nil : workers[node].checkpoints[lease.trial]
        let saved = [given, own].compactMap(\.self).max()
        for cycle in 0..<(saved ?? 0) { say(cycle + 1, child, at: node) }
        compute(from: saved ?? 0, child, at: node)
    }

    private mutating func compute(from cycle: Int, _ child: Child, at node: Int) {
        // What it said may have ended it.
        guard let place = workers[node].children.firstIndex(where: { $0.serial == child.serial })
        else { return }
        workers[node].children[place].cycle = cycle
        let lease = child.assignment.lease
        guard cycle < child.configuration.studyProtocol.cycles else {
            let digest = ReferenceRun.modelDigest(of: child.configuration)
            handle(.childSaid(.finished(modelDigest: digest), lease), at: node)
            return end(child.serial, lease, at: node, fault: nil)
        }
        handle(.childSaid(.progress(cycle: cycle + 1, epoch: 0), lease), at: node)
        let usual = scenario.cycleMs * workers[node].machine.slowness
        plan(
            .child(.cycleFinished, node: node, life: workers[node].life, serial: child.serial),
            after: usual * 4 / 5 + draws.milliseconds(in: 0...(usual * 2 / 5)))
    }

    /// The state is saved before it is told of, also where another worker finds it: a report waits for
    /// its checkpoint, but for no longer than some silence.
    private mutating func finishCycle(_ child: Child, at node: Int) {
        let (trial, cycle) = (child.assignment.lease.trial, child.cycle + 1)
        if workers[node].machine.sharesFolder {
            checkpoints[trial] = cycle
            return tell(cycle, child, at: node)
        }
        workers[node].checkpoints[trial] = cycle
        let isReached = mayMoveFiles(of: child.assignment.lease, node)
        plan(
            step: .checkpointGiven, node, child.serial,
            afterUpTo: isReached ? 2_000 : Self.fileSilenceMs)
    }

    private mutating func tell(_ cycle: Int, _ child: Child, at node: Int) {
        say(cycle, child, at: node)
        compute(from: cycle, child, at: node)
    }

    /// Files go to and from the last attempt of a trial, while there is a way and space.
    private func mayMoveFiles(of lease: Lease, _ node: Int) -> Bool {
        coordinator.isUp && !disk.isFull && workers[node].cutToCoordinator <= now
            && workers[node].cutFromCoordinator <= now
            && checker.durable[lease.trial]?.attempts.count == lease.attempt
    }

    private mutating func say(_ cycle: Int, _ child: Child, at node: Int) {
        let result = ReferenceRun.result(of: child.configuration, cycle: cycle)
        handle(.childSaid(.cycle(result), child.assignment.lease), at: node)
    }

    private mutating func end(
        _ serial: Int, _ lease: Lease, at node: Int,
        fault: (kind: FailureKind, message: String)?
    ) {
        workers[node].children.removeAll { $0.serial == serial }
        handle(.childEnded(lease, fault: fault), at: node)
    }
}
