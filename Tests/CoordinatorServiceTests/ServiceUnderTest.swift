import Coordinator
import Foundation
import Logging
import SweepModel
import Synchronization
import Testing
import Transport
import Wire

@testable import CoordinatorService

let trialSweep = sweep(seeds: [0])

/// Trials of one cycle.
func sweep(seeds: [UInt64]) -> Sweep {
    var studyProtocol = StudyProtocol()
    studyProtocol.cycles = 1
    studyProtocol.testLimit = 100
    return Sweep(
        name: "one", studyProtocol: studyProtocol,
        stages: [
            Stage(
                name: "all", datasets: [.fashionmnist], seeds: .fixed(seeds),
                strategies: [.plain(.random)])
        ])
}

/// A coordinator on a thread of its own, and what it tells its user.
final class Running: Sendable {
    private let failures = Mutex(0)
    private let end = Mutex<String?>(nil)

    init(_ folder: RunFolder, _ sweep: Sweep = trialSweep) {
        Thread { self.run(folder, sweep) }.start()
    }

    /// How often the journal could not be written.
    var failureCount: Int { failures.withLock { $0 } }
    /// How it ended; nil while it runs.
    var outcome: String? { end.withLock { $0 } }

    private func run(_ folder: RunFolder, _ sweep: Sweep) {
        let outcome: String
        do {
            let service = try CoordinatorService(
                settings: CoordinatorSettings(
                    sweep: sweep, sweepText: "", folder: folder, endpoint: nil,
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
struct Worker: ~Copyable {
    private let socket: DealerSocket
    private var loop: PollLoop
    /// What it says that it speaks.
    private let version: WireVersion
    /// The types of the packets that it got.
    private(set) var packetTypes: [UInt8] = []

    init(_ folder: RunFolder, speaking version: WireVersion = .current) throws {
        self.version = version
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
            version: version, type: message.type.rawValue, header: header.bytes(),
            body: message.body())
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
                packetTypes.append(frames.type)
                heard += try Outbox.messages(type: frames.type, body: frames.body)
            }
        }
        return heard
    }
}
