import Agent
import Foundation
import SweepModel
import Transport
import Wire

/// Many workers in one thread, each with its own connection, whose trials end as soon as they start:
/// what a coordinator is measured with.
struct IdleFleet: ~Copyable {
    /// How long slots waited for their next trial, in milliseconds.
    struct Waits: Codable {
        var count: Int
        var median: Double
        var percentile99: Double

        enum CodingKeys: String, CodingKey {
            case count, median
            case percentile99 = "percentile_99"
        }
    }

    private static let connectDelayMs: Int64 = 60_000
    private static let pollIntervalMs = 200

    private final class Member {
        let worker: WorkerID
        let socket: DealerSocket
        var agent: Agent
        var run = ""
        var epoch = 0
        var messageNumber: UInt64 = 0
        /// When the slots that are free became so, the longest first.
        var freeSince: [ContinuousClock.Instant] = []
        var exit: AgentExit?

        init(
            _ worker: WorkerID, slots: Int, endpoint: Endpoint, in context: borrowing Context
        ) throws {
            self.worker = worker
            var options = SocketOptions.dealer
            options.sendQueueLimit = 4 * slots + 64
            options.receiveQueueLimit = 4 * slots + 64
            options.lingerMs = 1_000
            socket = try DealerSocket(context: context, security: .plain, options: options)
            try socket.connect(to: endpoint)
            agent = Agent(
                options: Agent.Options(
                    host: "bench", slots: slots, softwareVersion: softwareVersion,
                    offers: [ComputingOffer(engine: .onednn, precision: .float32)],
                    leavesWithCoordinator: true, connectDelayMs: IdleFleet.connectDelayMs,
                    idleExitMs: IdleFleet.connectDelayMs),
                at: monotonicMilliseconds())
        }
    }

    private let context: Context
    private let members: [Member]
    private let clock = ContinuousClock()
    private var waits: [Double] = []

    init(workers: Int, slots: Int, endpoint: Endpoint) throws {
        let context = try Context(socketLimit: max(workers + 16, 1_024))
        members = try (0..<workers).map {
            try Member(WorkerID("bench-\($0)"), slots: slots, endpoint: endpoint, in: context)
        }
        self.context = context
    }

    /// Until every worker was told that the sweep is finished, or found no coordinator.
    mutating func run() throws -> Waits {
        var loop = PollLoop()
        for member in members { _ = loop.watch(member.socket) }
        while members.contains(where: { $0.exit == nil }) {
            _ = try loop.wait(timeoutMs: Self.pollIntervalMs)
            for member in members where member.exit == nil {
                while let arrival = member.socket.receive() {
                    guard case .message(let frames) = arrival else { continue }
                    try read(frames, by: member)
                }
                handle(.ticked, by: member)
            }
        }
        waits.sort()
        func quantile(_ share: Double) -> Double {
            waits.isEmpty ? 0 : waits[min(waits.count - 1, Int(share * Double(waits.count)))]
        }
        return Waits(count: waits.count, median: quantile(0.5), percentile99: quantile(0.99))
    }

    private mutating func read(_ frames: FrameMessage, by member: Member) throws {
        let header = try Header(bytes: frames.header)
        let message = try Message(type: frames.type, body: frames.body)
        if case .welcome = message {
            member.run = header.run
            member.epoch = header.epoch
        }
        handle(.received(message), by: member)
    }

    private mutating func handle(_ event: AgentEvent, by member: Member) {
        for action in member.agent.handle(event, at: monotonicMilliseconds()) {
            switch action {
            case .send(let message): send(message, by: member)
            case .start(let assignment, on: _): finish(assignment, by: member)
            case .stop, .kill: break
            case .exit(let reason): member.exit = reason
            }
        }
    }

    private mutating func finish(_ assignment: Assignment, by member: Member) {
        let now = clock.now
        if !member.freeSince.isEmpty {
            waits.append((now - member.freeSince.removeFirst()) / .milliseconds(1))
        }
        let configuration = assignment.configuration
        for cycle in 1...configuration.studyProtocol.cycles {
            let result = result(of: configuration, cycle)
            handle(.childSaid(.cycle(result), assignment.lease), by: member)
        }
        handle(.childSaid(.finished(modelDigest: "0"), assignment.lease), by: member)
        member.freeSince.append(clock.now)
        handle(.childEnded(assignment.lease, fault: nil), by: member)
    }

    private func result(of configuration: TrialConfiguration, _ cycle: Int) -> CycleResult {
        let digest = String(repeating: "0", count: 64)
        return CycleResult(
            cycle: cycle, labelled: configuration.labelledCount(inCycle: cycle), correct: 8_000,
            total: configuration.testCount, testLoss: 0.5, trainLoss: 0.25, labelledDigest: digest,
            weightsDigest: digest, query: nil, trainSeconds: 0, evaluateSeconds: 0,
            querySeconds: 0)
    }

    private func send(_ message: Message, by member: Member) {
        member.messageNumber += 1
        let header = Header(
            run: member.run, epoch: member.epoch, worker: member.worker,
            messageNumber: member.messageNumber)
        _ = member.socket.send(
            FrameMessage(
                type: message.type.rawValue, header: header.bytes(), body: message.body()))
    }
}
