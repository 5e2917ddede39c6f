import SweepModel
import Wire

/// A worker that says what is not so, and what makes no sense: a bug in it, or malice. It may spoil
/// what it was assigned itself; it must not spoil anything else.
enum Liar {
    /// What it sends instead of a message.
    static func distort(
        _ message: Message, _ history: RunHistory, _ draws: inout Draws
    ) -> [Message] {
        guard draws.happens(perMille: 200) else { return [message] }
        switch message {
        case .report(let report): return [.report(distorted(report, history, &draws))]
        case .heartbeat(var heartbeat):
            heartbeat.assignmentsReceived = number(&draws)
            for lease in leases(history, &draws) {
                heartbeat.attempts.append(
                    AttemptProgress(lease: lease, cycle: number(&draws), epoch: number(&draws)))
            }
            return [.heartbeat(heartbeat)]
        case .hello(var hello):
            hello.slots = number(&draws)
            hello.attempts += leases(history, &draws)
            return [.hello(hello)]
        case .ready:
            let ready = Ready(freeSlots: number(&draws), assignmentsReceived: number(&draws))
            return [.ready(ready)]
        default: return [message, draws.flip() ? .helloWanted : .acknowledge(report: 1)]
        }
    }

    private static func distorted(
        _ report: Report, _ history: RunHistory, _ draws: inout Draws
    ) -> Report {
        var report = report
        switch draws.below(5) {
        case 0: report.lease.attempt += draws.pick([-1, 1, 1_000, Int.max - report.lease.attempt])
        case 1: report.lease = leases(history, &draws).first ?? report.lease
        case 2: report.number = draws.next() >> UInt64(draws.below(64))
        case 3: report.content = content(&draws)
        default:
            guard case .cycle(let result) = report.content else { break }
            report.content = .cycle(distorted(result, &draws))
        }
        return report
    }

    private static func content(_ draws: inout Draws) -> ReportContent {
        draws.pick([
            .finished(modelDigest: "none"), .failed(kind: .crash, message: "so it says"),
            .failed(kind: .user, message: "so it says"), .released,
            .failed(kind: .data, message: "so it says"),
        ])
    }

    private static func distorted(_ result: CycleResult, _ draws: inout Draws) -> CycleResult {
        var result = result
        switch draws.below(7) {
        case 0: result.cycle = number(&draws)
        case 1: result.labelled = number(&draws)
        case 2: result.total = number(&draws)
        case 3: result.testLoss = draws.pick([Double.nan, -Double.infinity])
        case 4: result.trainSeconds = draws.pick([-1, Double.nan])
        case 5: result.correct = draws.below(result.total + 1)
        default: result.weightsDigest = "none"
        }
        return result
    }

    private static func number(_ draws: inout Draws) -> Int {
        draws.pick([Int.min, -1, 0, 1, 2, 3, 1_000_000, Int.max])
    }

    /// Attempts of anybody's trials, now and then of none.
    private static func leases(_ history: RunHistory, _ draws: inout Draws) -> [Lease] {
        guard !history.trials.isEmpty else { return [Lease(trial: TrialID("none"), attempt: 1)] }
        return (0..<draws.number(in: 1...3)).map { _ in
            let trial = draws.pick(history.trials)
            return Lease(trial: trial.id, attempt: trial.attempts.count - draws.below(2))
        }
    }
}
