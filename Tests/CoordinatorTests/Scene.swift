import SweepModel
import Wire

@testable import Coordinator

/// A coordinator, a clock that tests move, and all it did so far.
struct Scene {
    var coordinator: Coordinator
    var now: Int64 = 0
    var records: [Record] = []
    /// Of the last event.
    var actions: [Action] = []
    private var reportNumber: UInt64 = 0

    static let quick: Sweep = {
        var studyProtocol = StudyProtocol()
        studyProtocol.cycles = 3
        studyProtocol.initial = 10
        studyProtocol.addendum = 10
        studyProtocol.testLimit = 100
        return Sweep(
            name: "quick", studyProtocol: studyProtocol,
            stages: [
                Stage(
                    name: "steps", datasets: [.fashionmnist], seeds: .fixed([0]),
                    strategies: [.plain(.random), .learned(.dqn, .fixed([100, 200]))]),
                Stage(
                    name: "times", datasets: [.fashionmnist], seeds: .time(count: 2),
                    strategies: [.learned(.dqn, .bestOf(stage: "steps"))]),
            ])
    }()

    init(
        _ sweep: Sweep = Scene.quick, text: String = "", history: RunHistory = RunHistory(),
        at now: Int64 = 0
    ) {
        var options = Coordinator.Options()
        options.softwareVersion = "1"
        coordinator = Coordinator(sweep: sweep, options: options, history: history)
        self.now = now
        handle(.started(SweepSubmitted(name: sweep.name, text: text, timeSeeds: [7, 8])))
    }

    mutating func handle(_ event: Event) {
        actions = coordinator.handle(event, at: Instant(milliseconds: now))
        for case .append(let record) in actions { records.append(record) }
    }

    mutating func hear(_ message: Message, from worker: String = "a") {
        handle(.received(message, from: WorkerID(worker)))
    }

    static let float32 = ComputingOffer(engine: .onednn, precision: .float32)

    mutating func join(_ worker: String = "a", slots: Int = 1, holding: [Lease] = []) {
        hear(
            .hello(
                Hello(
                    host: "host-\(worker)", slots: slots, softwareVersion: "1",
                    offers: [Self.float32], attempts: holding)),
            from: worker)
    }

    mutating func ready(_ worker: String = "a", free: Int = 1, received: Int) {
        hear(.ready(Ready(freeSlots: free, assignmentsReceived: received)), from: worker)
    }

    mutating func report(_ content: ReportContent, _ lease: Lease, from worker: String = "a") {
        reportNumber += 1
        hear(.report(Report(number: reportNumber, lease: lease, content: content)), from: worker)
    }

    /// Moves the clock and lets a timer fire.
    mutating func wait(_ milliseconds: Int64) {
        now += milliseconds
        handle(.timerFired)
    }

    /// Reports all cycles and the end of an attempt.
    mutating func finish(_ lease: Lease, from worker: String = "a", correct: [Int] = [50, 60, 70]) {
        for cycle in 1...3 {
            report(.cycle(Self.result(cycle, correct: correct[cycle - 1])), lease, from: worker)
        }
        report(.finished(modelDigest: "m"), lease, from: worker)
    }

    /// Of the last event.
    var sent: [Message] {
        actions.compactMap { action in
            if case .send(let message, _) = action { message } else { nil }
        }
    }

    /// The leases that the last event assigned.
    var assigned: [Lease] {
        sent.compactMap { message in
            if case .assign(let assignment) = message { assignment.lease } else { nil }
        }
    }

    var outcomes: [Outcome] {
        actions.compactMap { action in
            if case .finished(let outcome) = action { outcome } else { nil }
        }
    }

    func state(of trial: TrialID) -> TrialState { coordinator.history[trial]!.state }

    static func result(_ cycle: Int, correct: Int, digest: String = "d") -> CycleResult {
        CycleResult(
            cycle: cycle, labelled: 10 &* cycle, correct: correct, total: 100, testLoss: 1,
            trainLoss: 1, labelledDigest: digest, weightsDigest: digest, query: nil,
            trainSeconds: 1, evaluateSeconds: 1, querySeconds: 1)
    }
}

extension Scene {
    /// One worker with one slot runs everything there is, in the order of assignment.
    ///
    /// - Parameter correct: the accuracies of a trial, by its gradient steps.
    mutating func runAll(correct: (Int?) -> [Int] = { _ in [50, 60, 70] }) {
        join()
        ready(received: 0)
        var count = 0
        while let lease = assigned.first {
            count += 1
            let steps = coordinator.history[lease.trial]!.configuration.strategy.gradientSteps
            finish(lease, correct: correct(steps))
            if !outcomes.isEmpty { return }
            ready(received: count)
        }
    }
}
