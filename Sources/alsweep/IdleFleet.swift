import Agent
import DequeModule
import Foundation
import SweepModel
import Transport
import Wire

/// Many workers in one thread, each with a connection of its own, whose trials end as soon as they start:
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
    private static let tickMs: Int64 = 200
    private static let messageBatch = 1_000

    private final class Member {
        let worker: WorkerID
        let route: PeerRoute
        var agent: Agent
        var run = ""
        var epoch = 0
        var messageNumber: UInt64 = 0
        var outbox = Outbox()
        /// When the slots that are free became so, the longest first.
        var freeSince: Deque<ContinuousClock.Instant> = []
        /// The same of slots that the coordinator was not told of yet.
        var freed: [ContinuousClock.Instant] = []
        var exit: AgentExit?

        init(_ name: String, slots: Int) {
            worker = WorkerID(name)
            route = PeerRoute(bytes: Array(name.utf8))
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
    /// Holds every member's connection: to wait for thousands of sockets takes longer than to read one.
    private let socket: RouterSocket
    private let members: [Member]
    private let membersByRoute: [PeerRoute: Member]
    private var membersAtWork: Int
    private let clock = ContinuousClock()
    private var waits: [Double] = []

    init(workers: Int, slots: Int, endpoint: Endpoint) throws {
        let context = try Context()
        var options = SocketOptions.router
        options.sendQueueLimit = 4 * slots + 64
        options.receiveQueueLimit = 4 * slots + 64
        options.lingerMs = 1_000
        let socket = try RouterSocket(context: context, security: .plain, options: options)
        let members = (0..<workers).map { Member("bench-\($0)", slots: slots) }
        for member in members { try socket.connect(to: endpoint, as: member.worker.rawValue) }
        self.context = context
        self.socket = socket
        self.members = members
        membersByRoute = Dictionary(uniqueKeysWithValues: members.map { ($0.route, $0) })
        membersAtWork = workers
    }

    /// Until every worker was told that the sweep is finished, or found no coordinator.
    mutating func run() throws -> Waits {
        var loop = PollLoop()
        _ = loop.watch(socket)
        var nextTick: Int64 = 0
        while membersAtWork > 0 {
            let now = monotonicMilliseconds()
            if now >= nextTick {
                nextTick = now + Self.tickMs
                for member in members {
                    handle(.ticked, by: member)
                    sendAll(by: member)
                }
            }
            _ = try loop.wait(timeoutMs: Int(Self.tickMs))
            var heard: [Member] = []
            for _ in 0..<Self.messageBatch {
                guard let arrival = socket.receive() else { break }
                guard case .message(let peer, let frames) = arrival,
                    let member = membersByRoute[peer.route]
                else { continue }
                if member.outbox.isEmpty { heard.append(member) }
                try read(frames, by: member)
            }
            for member in heard { sendAll(by: member) }
        }
        waits.sort()
        func quantile(_ share: Double) -> Double {
            waits.isEmpty ? 0 : waits[min(waits.count - 1, Int(share * Double(waits.count)))]
        }
        return Waits(count: waits.count, median: quantile(0.5), percentile99: quantile(0.99))
    }

    private mutating func read(_ frames: FrameMessage, by member: Member) throws {
        let header = try Header(bytes: frames.header)
        for message in try Outbox.messages(type: frames.type, body: frames.body) {
            if case .welcome = message {
                member.run = header.run
                member.epoch = header.epoch
            }
            handle(.received(message), by: member)
        }
    }

    private mutating func handle(_ event: AgentEvent, by member: Member) {
        guard member.exit == nil else { return }
        for action in member.agent.handle(event, at: monotonicMilliseconds()) {
            switch action {
            case .send(let message): member.outbox.append(message)
            case .start(let assignment, on: _): finish(assignment, by: member)
            case .stop, .kill: break
            case .exit(let reason):
                member.exit = reason
                membersAtWork -= 1
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
        member.freed.append(clock.now)
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

    private func sendAll(by member: Member) {
        member.freeSince.append(contentsOf: member.freed)
        member.freed.removeAll(keepingCapacity: true)
        for packet in member.outbox.take(for: .current) {
            member.messageNumber += 1
            let header = Header(
                run: member.run, epoch: member.epoch, worker: member.worker,
                messageNumber: member.messageNumber)
            _ = socket.send(
                FrameMessage(type: packet.type, header: header.bytes(), body: packet.body),
                to: member.route)
        }
    }
}
