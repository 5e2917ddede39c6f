import Agent
import Coordinator
import SweepModel
import Wire

extension World {
    private static let longestJumpMs: Int64 = 3_600_000

    mutating func happen(_ fault: Fault) {
        guard !isMended else { return }
        if let mean = rates.meanMs.first(where: { $0.fault == fault })?.ms {
            plan(.fault(fault), afterMean: mean)
        }
        let node = draws.below(workers.count)
        switch fault {
        case .coordinatorCrash: crashCoordinator("of a sudden")
        case .coordinatorFreeze:
            coordinator.frozenUntil = max(coordinator.frozenUntil, outageEnd())
            trace.note(now, "coordinator", "is frozen until \(clockText(coordinator.frozenUntil))")
        case .coordinatorClockJump:
            let jump = jump()
            trace.note(now, "coordinator", "its clock jumps by \(jump) ms")
            coordinator.clock.jump(by: jump, at: now)
            // The shell looks at the clock at least once a second.
            planTimer(delayMs: draws.milliseconds(in: 0...1_000))
        case .userStop:
            if coordinator.unstored != nil {
                crashCoordinator("because the user gives up waiting for space")
            } else {
                receive(.stopRequested)
            }
        case .diskFailure:
            disk.isFull = true
            trace.note(now, "disk", "is full")
            agenda.plan(.diskMended, at: outageEnd())
        case .workerCrash:
            let takesMemory = draws.happens(perMille: 200)
            endWorker(
                node, takesMemory ? "is killed for the memory that it takes" : "crashes",
                fault: takesMemory
                    ? WorkerFault(kind: .outOfMemory, message: "its job took more memory") : nil)
            if draws.flip() {
                workers[node].clock = NodeClock(
                    at: now, reading: draws.milliseconds(in: 0...7_200_000),
                    driftPerMillion: workers[node].machine.driftPerMillion)
            }
        case .workerFreeze:
            workers[node].frozenUntil = max(workers[node].frozenUntil, outageEnd())
            trace.note(
                now, workers[node].id.rawValue,
                "is frozen until \(clockText(workers[node].frozenUntil))")
        case .workerClockJump:
            let jump = jump()
            trace.note(now, workers[node].id.rawValue, "its clock jumps by \(jump) ms")
            workers[node].clock.jump(by: jump, at: now)
        case .workerStop:
            trace.note(now, workers[node].id.rawValue, "is asked to stop")
            handle(.stopRequested, at: node)
        case .trialCrash: failTrial(on: node)
        case .trialHang: hangTrial(on: node)
        case .partition: cut()
        case .gpuMemory: takeMemory(on: node)
        case .userCommand: command()
        }
    }

    /// What users do, sensible or not. While no coordinator is up, or its disk is full, it changes
    /// the journal itself, or has no effect.
    private mutating func command() {
        let trials = checker.durable.trials.map(\.id)
        let named = TrialSelection.named(trials.isEmpty ? [] : [draws.pick(trials)])
        let command: RunCommand =
            switch draws.below(12) {
            case 0: .pause(withdraws: draws.flip())
            case 1, 2, 3: .resume
            case 4: .cancel(draws.happens(perMille: 50) ? .all : named)
            case 5: .prioritize(named, priority: draws.number(in: -2...2))
            case 6: .drain(drainable(), withdraws: draws.flip())
            case 7: .undrain(checker.durable.drained.first ?? "nobody")
            default: .retry(draws.flip() ? .all : named, withCancelled: draws.flip())
            }
        obey(command)
    }

    /// A host, or the worker on it.
    private mutating func drainable() -> String {
        let node = draws.below(workers.count)
        return draws.flip() ? "host\(node)" : workers[node].id.rawValue
    }

    private mutating func obey(_ command: RunCommand) {
        if coordinator.isUp { return receive(.commanded(command, number: UInt64(now))) }
        guard !disk.isFull, let history = try? RunHistory(disk.records),
            let records = try? command.records(in: history)
        else { return }
        trace.note(now, "disk", "the user commands without a coordinator: \(command)")
        disk.change(records)
    }

    mutating func resumeRun() {
        if checker.durable.isPaused || !coordinator.isUp { obey(.resume) }
        for name in checker.durable.drained { obey(.undrain(name)) }
        plan(.resumption, after: scenario.options.leaseMs)
    }

    /// After shorter and longer than a lease, and before everything is mended.
    private mutating func outageEnd() -> Int64 {
        let leaseMs = scenario.options.leaseMs
        return min(
            now + draws.wait(meanMs: draws.flip() ? leaseMs / 4 : leaseMs * 2), scenario.faultMs)
    }

    private mutating func jump() -> Int64 {
        let jump = draws.milliseconds(in: -Self.longestJumpMs...Self.longestJumpMs)
        if jump < 0 { setBackMs -= jump }
        return jump
    }

    private mutating func hangTrial(on node: Int) {
        guard !workers[node].children.isEmpty else { return }
        let place = draws.below(workers[node].children.count)
        workers[node].children[place].isHung = true
        let lease = workers[node].children[place].assignment.lease
        trace.note(now, workers[node].id.rawValue, "the process of \(lease.traceText) hangs")
    }

    private mutating func failTrial(on node: Int) {
        guard !workers[node].children.isEmpty else { return }
        let child = draws.pick(workers[node].children)
        let kind = draws.pick([FailureKind.crash, .outOfMemory, .disk])
        trace.note(
            now, workers[node].id.rawValue,
            "the process of \(child.assignment.lease.traceText) fails: \(kind.rawValue)")
        advance(node, child.serial, .fail(kind))
    }

    /// Some workers and the coordinator do not hear each other, or only one the other.
    private mutating func cut() {
        let end = outageEnd()
        let direction = draws.below(3)
        let isEverybody = draws.happens(perMille: 300)
        let chosen = draws.below(workers.count)
        for node in workers.indices
        where isEverybody || node == chosen || draws.happens(perMille: 300) {
            if direction != 0 { workers[node].cutToCoordinator = end }
            if direction != 1 { workers[node].cutFromCoordinator = end }
            trace.note(now, workers[node].id.rawValue, "is cut off until \(clockText(end))")
        }
    }

    /// From here on nothing fails, and the sweep has to finish within a bound.
    mutating func mend() {
        trace.note(now, "everything", "is mended")
        isMended = true
        network = .none
        rates = .none
        for node in workers.indices {
            let isBad = workers[node].machine.isBad
            workers[node].machine = workers[node].machine.mended
            workers[node].takenMemory = workers[node].takenMemory.map { _ in 0 }
            if isBad { endWorker(node, "is taken away and mended") }
            plan(.workerStart(node: node), afterUpTo: 10_000)
        }
        plan(.resumption, after: 1)
        plan(.coordinatorStart, after: 1)
        plan(.deadline, after: bound())
    }

    /// Every trial once more, one after the other, each after its lease and grace have run out.
    private func bound() -> Int64 {
        let options = scenario.options
        let trials = Int64(sweep.extended(bySeeds: extensionCount).trialCount)
        let cycles = Int64(sweep.studyProtocol.cycles)
        let perTrial =
            cycles * (scenario.cycleMs * 3 / 2 + Self.fileSilenceMs) + 2
            * (options.leaseMs + options.graceMs)
            + 30 * options.retryDelayMs
        return 4 * 3_600_000 + setBackMs + 2 * options.hangDelayMs + trials * perTrial
    }
}
