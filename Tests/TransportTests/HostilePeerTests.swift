import Testing
import Wire

@testable import Transport

@Suite("Hostile peers")
struct HostilePeerTests {
    @Test(
        "any other count of frames is refused, and the next message arrives",
        arguments: [
            1, 4, 6, 1_000,
        ])
    func wrongFrameCount(frameCount: Int) throws {
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        try client.untilConnected()
        client.socket.sendRaw(Self.frames(count: frameCount))
        try client.send(.text("good"))
        guard case .malformed(let peer, let error) = try server.receive() else {
            Issue.record("a message of \(frameCount) frames was accepted")
            return
        }
        #expect(error == .wrongFrameCount(frameCount))
        let (goodPeer, message) = try server.message()
        #expect(message == .text("good"))
        #expect(goodPeer.route == peer.route)
    }

    @Test("a worker survives the same from its coordinator", arguments: [1, 4, 6, 1_000])
    func wrongFrameCountAtWorker(frameCount: Int) throws {
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        try client.send(.text("hello"))
        let route = try server.message().peer.route
        server.socket.handle.sendRaw([route.bytes] + Self.frames(count: frameCount))
        #expect(server.socket.send(.text("good"), to: route) == .sent)
        #expect(try client.receive() == .malformed(.wrongFrameCount(frameCount)))
        #expect(try client.receive() == .message(.text("good")))
    }

    private static func frames(count: Int) -> [[UInt8]] {
        Array((FrameMessage.text("x").encode() + Array(repeating: [0], count: count)).prefix(count))
    }

    @Test("another major version is named, whatever its frames look like", arguments: [3, 5, 9])
    func otherVersion(frameCount: Int) throws {
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        try client.untilConnected()
        let theirs = WireVersion(major: 9, minor: 1)
        let preamble = FrameMessage(version: theirs, type: 1).encode()[0]
        client.socket.sendRaw([preamble] + Array(repeating: [7, 7], count: frameCount - 1))
        guard case .malformed(let peer, let error) = try server.receive() else {
            Issue.record("another version was accepted")
            return
        }
        #expect(error == .versionMismatch(theirs: theirs, ours: .current))
        let answer = FrameMessage(version: theirs, type: 2, body: Array("upgrade".utf8))
        #expect(server.socket.send(answer, to: peer.route) == .sent)
        #expect(try client.receive() == .malformed(error))
    }

    @Test("a damaged message is refused, and the next arrives")
    func damaged() throws {
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        try client.untilConnected()
        var frames = FrameMessage.text("hello").encode()
        frames[3][0] ^= 1
        client.socket.sendRaw(frames)
        try client.send(.text("good"))
        guard case .malformed(_, .wrongChecksum) = try server.receive() else {
            Issue.record("a damaged message was accepted")
            return
        }
        #expect(try server.message().message == .text("good"))
    }

    @Test("an oversized frame costs its sender the connection, and nobody else")
    func oversizedFrame() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        var good = try Client(context, connectedTo: endpoint)
        try good.send(.text("before"))
        let route = try server.message().peer.route
        var bad = try Client(context, options: .quickDealer.forBlobs, connectedTo: endpoint)
        try bad.untilConnected()
        let byteCount = FrameMessage.standardFrameByteLimit + 1
        try bad.send(FrameMessage(type: 1, body: Array(repeating: 0, count: byteCount)))
        _ = try bad.event("the end of the connection") {
            if case .disconnected = $0 { true } else { false }
        }
        #expect(server.socket.receive() == nil)
        #expect(server.socket.send(.text("still here?"), to: route) == .sent)
        #expect(try good.receive() == .message(.text("still here?")))
        try good.send(.text("yes"))
        #expect(try server.message().message == .text("yes"))
    }

    @Test("bytes that are not ZeroMQ harm nobody", arguments: UInt64(0)..<8)
    func garbage(seed: UInt64) throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        var good = try Client(context, connectedTo: endpoint)
        try good.send(.text("before"))
        let route = try server.message().peer.route
        var generator = SeededGenerator(state: seed)
        let openings: [[UInt8]] = [
            Array("GET / HTTP/1.1\r\nHost: head\r\n\r\n".utf8), [],
            Array(RawPeer.greeting.prefix(12)),
            RawPeer.greeting, RawPeer.greeting + RawPeer.ready(),
        ]
        for opening in openings {
            let raw = try RawPeer(endpoint)
            let noise = (0..<2_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
            raw.write(opening + noise)
        }
        #expect(server.socket.send(.text("still here?"), to: route) == .sent)
        #expect(try good.receive() == .message(.text("still here?")))
        try good.send(.text("yes"))
        // Noise after a complete handshake may be read as frames; none of it is a message.
        var arrival = try server.receive()
        while case .malformed = arrival { arrival = try server.receive() }
        guard case .message(let peer, let message) = arrival else { return }
        #expect(peer.route == route && message == .text("yes"))
    }

    @Test("on a plain socket nobody can pose as the holder of a key")
    func claimedKey() throws {
        let context = try Context()
        var server = try Server(context)
        let raw = try RawPeer(try server.bind())
        let key = try KeyPair.generate().publicKey
        try raw.shakeHands(["User-Id": Array(key.description.utf8)])
        raw.write(RawPeer.frames(FrameMessage.text("I am the operator").encode()))
        let (peer, message) = try server.message()
        #expect(message == .text("I am the operator"))
        #expect(peer.key == nil)
    }

    @Test("a newcomer cannot take the route of a live peer")
    func takenRoute() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        let route = Array("worker-1".utf8)
        let first = try RawPeer(endpoint)
        try first.shakeHands(["Identity": route])
        first.write(RawPeer.frames(FrameMessage.text("first").encode()))
        #expect(try server.message().peer.route.bytes == route)
        let second = try RawPeer(endpoint)
        try second.shakeHands(["Identity": route])
        second.write(RawPeer.frames(FrameMessage.text("second").encode()))
        var good = try Client(context, connectedTo: endpoint)
        try good.send(.text("good"))
        #expect(try server.message().message == .text("good"))
        first.write(RawPeer.frames(FrameMessage.text("first again").encode()))
        let (peer, message) = try server.message()
        #expect(peer.route.bytes == route && message == .text("first again"))
    }
}

extension DealerSocket {
    /// Sends frames that are no message, on a connection that stands.
    func sendRaw(_ frames: [[UInt8]]) {
        handle.sendRaw(frames)
    }
}

extension SocketHandle {
    func sendRaw(_ frames: [[UInt8]]) {
        for (index, frame) in frames.enumerated() {
            guard case .sent = send(frame, isLast: index == frames.count - 1) else {
                Issue.record("frame \(index) of \(frames.count) was not sent")
                return
            }
        }
    }
}
