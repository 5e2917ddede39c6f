import Testing
import Wire

@testable import Transport

@Suite("Floods")
struct FloodTests {
    /// The router takes turns among its peers: a single queue would deliver the quiet worker's
    /// message after everything that the other had sent before.
    @Test("a worker that floods does not keep the coordinator from hearing another")
    func fairness() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        var quiet = try Client(context, connectedTo: endpoint)
        try quiet.send(.text("hello"))
        let route = try server.message().peer.route
        var flooding = try Client(context, connectedTo: endpoint)
        try flooding.untilConnected()
        let floodCount = try Self.flood(&flooding)
        #expect(floodCount > 1_000)
        try quiet.send(.text("heartbeat"))
        var floodedBefore = 0
        while true {
            let (peer, message) = try server.message()
            if peer.route == route {
                #expect(message == .text("heartbeat"))
                break
            }
            floodedBefore += 1
        }
        #expect(floodedBefore < floodCount / 2, "of \(floodCount)")
        #expect(server.socket.send(.text("alive"), to: route) == .sent)
        #expect(try quiet.receive() == .message(.text("alive")))
    }

    /// Sends until nothing has gone out for a while: every queue and buffer on the way is full.
    private static func flood(_ client: inout Client) throws -> Int {
        let message = FrameMessage(type: 1, body: Array(repeating: 0, count: 1_000))
        var count = 0
        var idleTurns = 0
        while idleTurns < 20, count < 1_000_000 {
            if client.socket.send(message) == .sent {
                count += 1
                idleTurns = 0
            } else {
                idleTurns += 1
                _ = try client.loop.wait(timeoutMs: 5)
            }
        }
        return count
    }

    @Test("connections that say nothing, or too little, keep nobody out", arguments: [0, 12, 64])
    func silentConnections(byteCount: Int) throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        let crowd = try (0..<200).map { _ in
            let peer = try RawPeer.Shared(endpoint)
            peer.write(Array(RawPeer.greeting.prefix(byteCount)))
            return peer
        }
        var client = try Client(context, connectedTo: endpoint)
        try client.send(.text("hello"))
        #expect(try server.message().message == .text("hello"))
        #expect(crowd.count == 200)
    }
}
