import Coordinator
import SweepModel
import Wire

extension Lease {
    var traceText: String { "\(trial)#\(attempt)" }
}

extension Message {
    /// What matters of it, in a line.
    var traceText: String {
        func list(_ leases: [Lease]) -> String {
            leases.map(\.traceText).joined(separator: " ")
        }
        switch self {
        case .hello(let hello): return "hello holding [\(list(hello.attempts))]"
        case .ready(let ready):
            return "ready: \(ready.freeSlots) free, \(ready.assignmentsReceived) received"
        case .heartbeat(let heartbeat):
            return "heartbeat \(heartbeat.number): \(heartbeat.assignmentsReceived) received, "
                + "[\(list(heartbeat.attempts.map(\.lease)))]"
        case .report(let report):
            return
                "report \(report.number) of \(report.lease.traceText): \(report.content.traceText)"
        case .goodbye: return "goodbye"
        case .welcome(let welcome):
            let verdicts = welcome.verdicts.map { "\($0.verdict) \($0.lease.traceText)" }
            return "welcome [\(verdicts.joined(separator: ", "))]"
        case .helloWanted: return "hello wanted"
        case .assign(let assignment): return "assign \(assignment.lease.traceText)"
        case .acknowledge(let number): return "acknowledge \(number)"
        case .fenced(let lease): return "fenced \(lease.traceText)"
        case .renewed(let number): return "renewed \(number)"
        case .stop(let reason): return "stop: \(reason.rawValue)"
        case .refused(let reason): return "refused: \(reason)"
        case .command(let command): return "command: \(command)"
        case .commandAnswered(let answer): return "command answered: \(answer.text)"
        case .workersAsked: return "workers asked"
        case .workersTold(let told): return "\(told.count) workers told"
        }
    }
}

extension ReportContent {
    var traceText: String {
        switch self {
        case .cycle(let result):
            "cycle \(result.cycle), \(result.correct)/\(result.total), \(result.weightsDigest)"
        case .finished(let digest): "finished, model \(digest)"
        case .failed(let kind, let message): "failed (\(kind.rawValue)): \(message)"
        case .released: "released"
        }
    }
}

extension Record {
    var traceText: String {
        switch self {
        case .sweepSubmitted: return "sweep submitted"
        case .sweepExtended: return "sweep extended"
        case .seedsAdded(let content): return "seeds added: \(content.seeds)"
        case .coordinatorStarted(let epoch): return "coordinator started, epoch \(epoch)"
        case .stepsChosen(let content):
            return "\(content.gradientSteps) steps chosen for \(content.stage)"
        case .trialAdded(let content): return "trial added: \(content.configuration.id)"
        case .attemptStarted(let content):
            return "attempt started: \(content.trial)#\(content.attempt) by \(content.worker)"
        case .cycleAccepted(let content):
            return "cycle \(content.result.cycle) accepted of \(content.trial)#\(content.attempt)"
        case .cycleDisputed(let content):
            return "cycle \(content.result.cycle) disputed by \(content.trial)#\(content.attempt)"
        case .attemptEnded(let content):
            let end =
                switch content.end {
                case .failed(let kind, _): "failed (\(kind.rawValue))"
                case .expired: "expired"
                case .released: "released"
                case .withdrawn: "withdrawn"
                }
            return "attempt ended: \(content.trial)#\(content.attempt) \(end)"
        case .trialFinished(let content):
            return "trial finished: \(content.trial)#\(content.attempt)"
        case .trialFailed(let content): return "trial failed: \(content.trial)"
        case .pauseSet(let isPaused): return isPaused ? "paused" : "resumed"
        case .trialCancelled(let trial): return "trial cancelled: \(trial)"
        case .trialRetried(let trial): return "trial retried: \(trial)"
        case .prioritySet(let content):
            return "\(content.trial) has priority \(content.priority)"
        case .drainSet(let content):
            return "\(content.name) is \(content.isDrained ? "" : "not ")drained"
        }
    }
}

extension Event {
    var traceText: String {
        switch self {
        case .started: "started"
        case .received(let message, let worker): "from \(worker): \(message.traceText)"
        case .undelivered(let message, let worker):
            "could not deliver to \(worker): \(message.traceText)"
        case .workerDied(let worker, _): "\(worker) is known to have died"
        case .timerFired: "timer"
        case .stopRequested: "the user stops the sweep"
        case .commanded(let command, _): "the user commands: \(command)"
        }
    }
}
