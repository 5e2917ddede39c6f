import SweepModel
import Wire

extension Agent {
    /// Time in which the agent itself was frozen, or in which its clock jumped, is not its processes'
    /// silence: between two events no more counts than between two heartbeats.
    mutating func passTime(until now: Int64) {
        let step = min(max(0, now - lastEvent), heartbeatMs)
        lastEvent = now
        for index in attempts.indices where attempts[index].isAlive {
            attempts[index].silentMs += step
            attempts[index].stoppingMs? += step
        }
    }

    /// It is told once: a second signal would have it leave what it is saving.
    mutating func stopProcess(of index: Int) {
        guard attempts[index].isAlive, attempts[index].stoppingMs == nil else { return }
        attempts[index].stoppingMs = 0
        actions.append(.stop(attempts[index].assignment.lease))
    }

    /// Kills processes that do not stop, and those that have done nothing for so long that they never
    /// will: these have failed.
    mutating func endStuckProcesses(at now: Int64) {
        for index in attempts.indices where attempts[index].isAlive && !attempts[index].isKilled {
            let attempt = attempts[index]
            if let stoppingMs = attempt.stoppingMs {
                if stoppingMs >= Self.killDelayMs { kill(index) }
            } else if !attempt.hasReportedEnd, attempt.silentMs >= patienceMs(with: attempt) {
                attempts[index].isHung = true
                attempts[index].hasReportedEnd = true
                kill(index)
                report(
                    .failed(
                        kind: .hung,
                        message:
                            "its process did nothing for \(attempt.silentMs / 1_000) s, in cycle "
                            + "\(attempt.cycle) after epoch \(attempt.epoch), and was killed"),
                    of: attempt.assignment.lease, at: now)
            }
        }
    }

    /// The next cycle would not be finished before the worker ends: the trial goes on elsewhere now,
    /// and not after a cycle's time was spent in vain.
    mutating func giveBack(_ index: Int, ifTooLongAfter result: CycleResult, at now: Int64) {
        let configuration = attempts[index].assignment.configuration
        guard let end, attempts[index].stoppingMs == nil, result.isShared != true,
            result.cycle < configuration.studyProtocol.cycles
        else { return }
        let steps = configuration.expectedImageSteps(inCycle: result.cycle)
        let next = configuration.expectedImageSteps(inCycle: result.cycle + 1)
        guard steps > 0, result.seconds * next / steps * 1_000 > Double(end - now) else { return }
        let lease = attempts[index].assignment.lease
        report(.released, of: lease, at: now)
        abandonKeepingReports(lease)
    }

    private func patienceMs(with attempt: AgentAttempt) -> Int64 {
        max(hangMs, Self.stepsOfSilence * attempt.longestStepMs)
    }

    private mutating func kill(_ index: Int) {
        attempts[index].isKilled = true
        actions.append(.kill(attempts[index].assignment.lease))
    }
}
