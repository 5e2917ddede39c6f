import Agent
import SweepModel
import Testing
import Wire

@testable import WorkerService

private let trial = TrialID("fashionmnist-random-seed0")
private let lease = Lease(trial: trial, attempt: 1)
private let other = Lease(trial: TrialID("fashionmnist-random-seed1"), attempt: 1)
private let silence = FileTraffic.silenceMs

/// The cycles whose reports were let go, 0 for the process's end.
private func cycles(_ events: [AgentEvent]) -> [Int] {
    events.compactMap { event in
        switch event {
        case .childSaid(.cycle(let result), _): result.cycle
        case .childEnded: 0
        default: nil
        }
    }
}

private func cycle(_ number: Int, of lease: Lease = lease) -> AgentEvent {
    .childSaid(
        .cycle(
            CycleResult(
                cycle: number, labelled: 1, correct: 1, total: 1, testLoss: 1, trainLoss: 1,
                labelledDigest: "", weightsDigest: "", query: nil, trainSeconds: 0,
                evaluateSeconds: 0, querySeconds: 0)), lease)
}

/// A traffic whose calls can stand in expectations.
private final class Traffic {
    private var traffic = FileTraffic()

    func hold(_ event: AgentEvent, of lease: Lease, behind ticket: Int?, at now: Int64) -> Bool {
        traffic.hold(event, of: lease, behind: ticket, at: now)
    }

    func release(waits: Bool, lastHeard: Int64, at now: Int64) -> [Int] {
        cycles(traffic.release(waits: waits, lastHeard: lastHeard, at: now))
    }

    func takePrepared(lastHeard: Int64, at now: Int64) -> [Bool] {
        traffic.takePrepared(lastHeard: lastHeard, at: now).map(\.isComplete)
    }

    func settle(_ ticket: Int) { traffic.settle(ticket) }
    func prepare(_ preparation: FileTraffic.Preparation) { traffic.prepare(preparation) }
    func withdraw(_ lease: Lease) -> [Int]? { traffic.withdraw(lease) }
    func lacks(cycle: Int) -> Bool { traffic.lacks(cycle: cycle, of: trial) }
    func note(cycles: Int) { traffic.note(cycles: cycles, of: trial) }
}

@Suite struct FileTrafficTests {
    @Test("reports leave in their order, each behind its file; another trial's need not wait")
    func order() {
        let traffic = Traffic()
        #expect(traffic.hold(cycle(1), of: lease, behind: 1, at: 0))
        #expect(traffic.hold(cycle(2), of: lease, behind: 2, at: 0))
        #expect(traffic.hold(.childEnded(lease, fault: nil), of: lease, behind: nil, at: 0))
        #expect(!traffic.hold(cycle(1, of: other), of: other, behind: nil, at: 0))
        traffic.settle(2)
        #expect(traffic.release(waits: true, lastHeard: 0, at: 1).isEmpty)
        traffic.settle(1)
        #expect(traffic.release(waits: true, lastHeard: 0, at: 1) == [1, 2, 0])
        #expect(!traffic.hold(.childEnded(lease, fault: nil), of: lease, behind: nil, at: 2))
    }

    @Test("nobody waits for a coordinator that is silent, nor when the worker stops")
    func patience() {
        let traffic = Traffic()
        _ = traffic.hold(cycle(1), of: lease, behind: 1, at: 0)
        #expect(traffic.release(waits: true, lastHeard: 100, at: silence + 100).isEmpty)
        #expect(traffic.release(waits: true, lastHeard: 100, at: silence + 101) == [1])
        _ = traffic.hold(cycle(2), of: lease, behind: 2, at: 0)
        #expect(traffic.release(waits: false, lastHeard: 0, at: 1) == [2])
    }

    @Test("a process starts when all it needs has come, or nothing is heard any more")
    func preparation() {
        let traffic = Traffic()
        let assignment = Assignment(
            lease: lease,
            configuration: TrialConfiguration(
                dataset: .fashionmnist, strategy: .random, seed: 0, studyProtocol: StudyProtocol()),
            runFolder: "/r")
        func prepare() {
            traffic.prepare(
                FileTraffic.Preparation(
                    assignment: assignment, folder: RunFolder("/s"), tickets: [1, 2], begin: 0))
        }
        prepare()
        traffic.settle(1)
        #expect(traffic.takePrepared(lastHeard: 0, at: 1).isEmpty)
        traffic.settle(2)
        #expect(traffic.takePrepared(lastHeard: 0, at: 1) == [true])
        #expect(traffic.takePrepared(lastHeard: 0, at: 1).isEmpty)

        prepare()
        #expect(traffic.takePrepared(lastHeard: 10, at: silence + 10).isEmpty)
        #expect(traffic.takePrepared(lastHeard: 10, at: silence + 11) == [false])

        prepare()
        #expect(traffic.withdraw(lease) == [1, 2])
        #expect(traffic.withdraw(lease) == nil)
        #expect(traffic.takePrepared(lastHeard: 0, at: silence + 11).isEmpty)
    }

    @Test("only what the coordinator lacks is given")
    func known() {
        let traffic = Traffic()
        #expect(traffic.lacks(cycle: 1))
        traffic.note(cycles: 2)
        #expect(!traffic.lacks(cycle: 2) && traffic.lacks(cycle: 3))
    }
}
