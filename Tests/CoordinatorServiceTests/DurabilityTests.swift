import Coordinator
import Foundation
import GRDB
import Logging
import SweepModel
import Synchronization
import Testing
import Transport
import Wire

@testable import CoordinatorService

private let trialSweep: Sweep = {
    var studyProtocol = StudyProtocol()
    studyProtocol.cycles = 1
    studyProtocol.testLimit = 100
    return Sweep(
        name: "one", studyProtocol: studyProtocol,
        stages: [
            Stage(
                name: "all", datasets: [.fashionmnist], seeds: .fixed([0]),
                strategies: [.plain(.random)])
        ])
}()

/// A coordinator on a thread of its own, and what it tells its user.
private final class Running: Sendable {
    private let failures = Mutex(0)
    private let end = Mutex<String?>(nil)

    init(_ folder: RunFolder) {
        Thread { self.run(folder) }.start()
    }

    /// How often the journal could not be written.
    var failureCount: Int { failures.withLock { $0 } }
    /// How it ended; nil while it runs.
    var outcome: String? { end.withLock { $0 } }

    private func run(_ folder: RunFolder) {
        let outcome: String
        do {
            let service = try CoordinatorService(
                settings: CoordinatorSettings(
                    sweep: trialSweep, sweepText: "", folder: folder, endpoint: nil,
                    certificate: nil, options: Coordinator.Options(), localWorker: nil),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) { notice, _ in
                if case .storageFailed = notice { self.failures.withLock { $0 += 1 } }
            }
            outcome = "\(try service.run())"
        } catch {
            outcome = "\(error)"
        }
        end.withLock { $0 = outcome }
    }
}

/// A worker that says what a test wants.
private struct Worker: ~Copyable {
    private let socket: DealerSocket
    private var loop: PollLoop

    init(_ folder: RunFolder) throws {
        let deadline = Date(timeIntervalSinceNow: 20)
        var text: String?
        while text == nil, Date() < deadline {
            text = try? String(contentsOfFile: folder.endpoint, encoding: .utf8)
        }
        let endpoint = try Endpoint(
            try #require(text).trimmingCharacters(in: .whitespacesAndNewlines))
        var loop = PollLoop()
        let dealer = try DealerSocket(context: try Context(), security: .plain)
        try dealer.connect(to: endpoint)
        _ = loop.watch(dealer)
        socket = dealer
        self.loop = loop
    }

    mutating func say(_ message: Message) throws {
        let header = Header(run: "", epoch: 0, worker: WorkerID("w"), messageNumber: 1)
        let frames = FrameMessage(
            type: message.type.rawValue, header: header.bytes(), body: message.body())
        let deadline = Date(timeIntervalSinceNow: 20)
        while socket.send(frames) != .sent {
            try #require(Date() < deadline, "the coordinator does not listen")
            _ = try loop.wait(timeoutMs: 20)
        }
    }

    /// All that it hears until one of the messages, or something else, is what was waited for.
    mutating func hear(until isOver: ([Message]) -> Bool) throws -> [Message] {
        var heard: [Message] = []
        let deadline = Date(timeIntervalSinceNow: 60)
        while !isOver(heard) {
            try #require(Date() < deadline, "waited in vain; heard \(heard.map(\.type))")
            _ = try loop.wait(timeoutMs: 20)
            while case .message(let frames) = socket.receive() {
                heard.append(try Message(type: frames.type, body: frames.body))
            }
        }
        return heard
    }
}

@Test("nothing is acknowledged while the journal cannot be written, and all of it afterwards")
func journalBeforeMessages() throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary.path)
    let running = Running(folder)
    var worker = try Worker(folder)
    try worker.say(
        .hello(
            Hello(host: "h", slots: 1, softwareVersion: "", offers: nil, attempts: [])))
    _ = try worker.hear { $0.contains { $0.type == .welcome } }
    try worker.say(.ready(Ready(freeSlots: 1, assignmentsReceived: 0)))
    let assigned = try worker.hear { $0.contains { $0.type == .assign } }
    guard case .assign(let assignment) = assigned.last else {
        Issue.record("\(assigned)")
        return
    }
    func report(_ number: UInt64, _ content: ReportContent) -> Message {
        .report(Report(number: number, lease: assignment.lease, content: content))
    }
    let count = assignment.configuration.labelledCount(inCycle: 1)
    let result = CycleResult(
        cycle: 1, labelled: count, correct: 5, total: 100, testLoss: 1, trainLoss: 1,
        labelledDigest: "l", weightsDigest: "w", query: nil, trainSeconds: 1, evaluateSeconds: 1,
        querySeconds: 1)

    let lock = try DatabaseQueue(path: folder.journal)
    try lock.writeWithoutTransaction { database in
        try database.inTransaction(.immediate) {
            try worker.say(report(1, .cycle(result)))
            let heard = try worker.hear { _ in running.failureCount > 0 }
            #expect(heard.isEmpty, "nothing is on disk")
            return .rollback
        }
    }
    let heard = try worker.hear { !$0.isEmpty }
    #expect(heard == [.acknowledge(report: 1)])
    try worker.say(report(2, .finished(modelDigest: "m")))
    _ = try worker.hear { _ in running.outcome != nil }
    #expect(running.outcome == "sweepFinished")
}
