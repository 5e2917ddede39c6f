import Foundation
import Testing
import Wire

@testable import Transport

@Suite("Router and dealer")
struct RouterDealerTests {
    @Test("a message goes to the coordinator and its answer comes back")
    func roundTrip() throws {
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        try client.send(.text("hello"))
        let (peer, message) = try server.message()
        #expect(message == .text("hello"))
        #expect(peer.key == nil)
        #expect(peer.address == "127.0.0.1")
        #expect(server.socket.send(.text("welcome"), to: peer.route) == .sent)
        #expect(try client.receive() == .message(.text("welcome")))
    }

    @Test("two workers have two routes, and each gets its own answers")
    func routes() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        var first = try Client(context, connectedTo: endpoint)
        var second = try Client(context, connectedTo: endpoint)
        try first.send(.text("first"))
        let firstPeer = try server.message().peer
        try second.send(.text("second"))
        let secondPeer = try server.message().peer
        #expect(firstPeer.route != secondPeer.route)
        #expect(server.socket.send(.text("to second"), to: secondPeer.route) == .sent)
        #expect(server.socket.send(.text("to first"), to: firstPeer.route) == .sent)
        #expect(try first.receive() == .message(.text("to first")))
        #expect(try second.receive() == .message(.text("to second")))
    }

    @Test("a coordinator listens on several addresses at once")
    func severalAddresses() throws {
        let folder = try TemporaryFolder()
        let context = try Context()
        var server = try Server(context)
        let network = try server.bind()
        let local = try server.socket.bind(to: .ipc(path: folder.path("worker.sock")))
        for endpoint in [network, local] {
            var client = try Client(context, connectedTo: endpoint)
            try client.send(.text(endpoint.description))
            let (peer, message) = try server.message()
            #expect(message == .text(endpoint.description))
            #expect(server.socket.send(.text("welcome"), to: peer.route) == .sent)
            #expect(try client.receive() == .message(.text("welcome")))
        }
    }

    @Test("a route that never was, or no longer is, is unroutable")
    func unroutable() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        let stranger = PeerRoute(bytes: [0, 1, 2, 3, 4])
        #expect(server.socket.send(.text("?"), to: stranger) == .unroutable)
        let route = try departedRoute(context, &server, endpoint)
        try waiting(for: "the router to notice", on: &server.loop) {
            server.socket.send(.text("?"), to: route) == .unroutable ? () : nil
        }
    }

    private func departedRoute(
        _ context: borrowing Context, _ server: inout Server, _ endpoint: Endpoint
    ) throws -> PeerRoute {
        var client = try Client(context, connectedTo: endpoint)
        try client.send(.text("hello"))
        return try server.message().peer.route
    }

    /// With ZeroMQ's heartbeats, even at long intervals, libzmq 4.3.4 aborts the process here.
    @Test("a flooding worker that leaves while nobody reads does no harm")
    func floodAndLeave() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        try flood(endpoint, from: Context())
        Thread.sleep(forTimeInterval: 6)
        var other = try Client(context, connectedTo: endpoint)
        try other.send(.text("still there?"))
        try waiting(for: "the next worker's message", on: &server.loop) {
            while case .message(_, let message)? = server.socket.receive() {
                if message == .text("still there?") { return () }
            }
            return nil
        }
    }

    /// Sends until the queues are full, then closes.
    private func flood(_ endpoint: Endpoint, from context: consuming Context) throws {
        var client = try Client(context, connectedTo: endpoint)
        try client.send(.text("first"))
        let body = [UInt8](repeating: 0x55, count: 10_000)
        _ = Self.sentUntilFull { number in
            client.socket.send(FrameMessage(type: number, body: body)) == .full
        }
    }

    /// Bodies of 10 kB fill the kernel's buffers after some hundreds of messages.
    @Test("a worker that does not read fills its queue, and no message is torn")
    func fullRouter() throws {
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        try client.send(.text("hello"))
        let route = try server.message().peer.route
        let body = [UInt8](repeating: 0x55, count: 10_000)
        let sentCount = Self.sentUntilFull { number in
            server.socket.send(FrameMessage(type: number, body: body), to: route) == .full
        }
        #expect(sentCount >= 64, "the queue alone holds 64")
        for number in 0..<sentCount {
            let expected = FrameMessage(type: UInt8(truncatingIfNeeded: number), body: body)
            #expect(try client.receive() == .message(expected), "message \(number)")
        }
        #expect(client.socket.receive() == nil)
        try waiting(for: "room in the queue", on: &server.loop) {
            server.socket.send(.text("again"), to: route) == .sent ? () : nil
        }
        #expect(try client.receive() == .message(.text("again")))
    }

    @Test("a coordinator that does not read fills a worker's queue, and no message is torn")
    func fullDealer() throws {
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        try client.untilConnected()
        let body = [UInt8](repeating: 0x55, count: 10_000)
        let sentCount = Self.sentUntilFull { number in
            client.socket.send(FrameMessage(type: number, body: body)) == .full
        }
        #expect(sentCount >= 64, "the queue alone holds 64")
        for number in 0..<sentCount {
            let expected = FrameMessage(type: UInt8(truncatingIfNeeded: number), body: body)
            #expect(try server.message().message == expected, "message \(number)")
        }
        try client.send(.text("again"))
        #expect(try server.message().message == .text("again"))
    }

    /// How many messages go out before one does not; each attempt must return at once.
    private static func sentUntilFull(_ isFull: (UInt8) -> Bool) -> Int {
        for number in 0..<5_000 where isFull(UInt8(truncatingIfNeeded: number)) { return number }
        Issue.record("5000 messages went out and nobody read them")
        return 0
    }

    @Test("a worker without a connection is told so, and queues nothing")
    func unconnected() throws {
        let context = try Context()
        let endpoint = try Self.freeEndpoint()
        var client = try Client(context, connectedTo: endpoint)
        #expect(client.socket.send(.text("lost")) == .full)
        var server = try Server(context)
        #expect(try server.socket.bind(to: endpoint) == endpoint)
        try client.send(.text("found"))
        #expect(try server.message().message == .text("found"))
    }

    @Test("a worker that starts before its coordinator finds it, and says that it is looking")
    func lateCoordinator() throws {
        let endpoint = try Self.freeEndpoint()
        let context = try Context()
        var client = try Client(context, connectedTo: endpoint)
        let retry = try client.event("an attempt to connect") {
            if case .retried = $0 { true } else { false }
        }
        guard case .retried(let address, _) = retry else { return }
        #expect(address == endpoint.description)
        var server = try Server(context)
        _ = try server.socket.bind(to: endpoint)
        try client.send(.text("late"))
        #expect(try server.message().message == .text("late"))
    }

    @Test("a coordinator that restarts on its port is found again, by a new route")
    func restart() throws {
        let context = try Context()
        let endpoint: Endpoint
        var client = try Client(context)
        let oldRoute: PeerRoute
        do {
            let firstLife = try Context()
            var server = try Server(firstLife)
            endpoint = try server.bind()
            try client.socket.connect(to: endpoint)
            try client.send(.text("before"))
            oldRoute = try server.message().peer.route
        }
        _ = try client.event("the loss") { if case .disconnected = $0 { true } else { false } }
        let secondLife = try Context()
        var server = try Server(secondLife)
        #expect(try server.socket.bind(to: endpoint) == endpoint)
        #expect(server.socket.send(.text("stale"), to: oldRoute) == .unroutable)
        // Until libzmq has taken the old connection down, it queues messages there, to be lost.
        try client.untilConnected()
        try client.send(.text("after"))
        let (peer, message) = try server.message()
        #expect(message == .text("after"))
        #expect(server.socket.send(.text("welcome back"), to: peer.route) == .sent)
        #expect(try client.receive() == .message(.text("welcome back")))
    }

    @Test("a worker that connects anew has one new route, and is heard")
    func reconnect() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        var client = try Client(context, connectedTo: endpoint)
        try client.send(.text("before"))
        let oldRoute = try server.message().peer.route
        try client.socket.reconnect(to: endpoint)
        try client.send(.text("after"))
        let (peer, message) = try server.message()
        #expect(message == .text("after"))
        #expect(peer.route != oldRoute)
        try waiting(for: "the old route to go", on: &server.loop) {
            server.socket.send(.text("stale"), to: oldRoute) == .unroutable ? () : nil
        }
        #expect(server.socket.send(.text("welcome back"), to: peer.route) == .sent)
        #expect(try client.receive() == .message(.text("welcome back")))
        try client.untilConnected()
    }

    @Test("a worker survives another program on the coordinator's port, if it connects anew")
    func otherProgram() throws {
        let context = try Context()
        let endpoint = try Self.freeEndpoint()
        var client = try Client(context)
        do {
            let listener = try RawListener(endpoint)
            try client.socket.connect(to: endpoint)
            try listener.answerOnce(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
            let event = try client.event("a failed handshake") {
                if case .handshakeFailed = $0 { true } else { false }
            }
            guard case .handshakeFailed(_, let failure) = event else { return }
            #expect(!failure.isFinal)
        }
        var server = try Server(context)
        _ = try server.socket.bind(to: endpoint)
        try client.socket.reconnect(to: endpoint)
        try client.send(.text("found"))
        #expect(try server.message().message == .text("found"))
    }

    /// 10 MB, of which the kernel and a coordinator that does not read yet take a part.
    @Test("a worker that leaves cleanly delivers what it had still to say")
    func cleanExit() throws {
        let context = try Context()
        var options = SocketOptions.router
        options.receiveQueueLimit = 1
        var server = try Server(context, options: options)
        let endpoint = try server.bind()
        let messageCount: UInt8 = 50
        let body = [UInt8](repeating: 0x55, count: 200_000)
        let hasClosed = try Wakeup()
        Thread.detachNewThread {
            do {
                let context = try Context()
                let socket = try DealerSocket(context: context, security: .plain)
                var loop = PollLoop()
                try socket.connect(to: endpoint)
                for number in 0..<messageCount {
                    try waiting(for: "room in the queue", on: &loop) {
                        socket.send(FrameMessage(type: number, body: body)) == .sent ? () : nil
                    }
                }
                try socket.close(lingerMs: 5_000)
                hasClosed.signal()
            } catch {
                Issue.record(error)
            }
        }
        var loop = PollLoop()
        let watch = loop.watch(hasClosed)
        try waitingUntilReadable(watch, on: &loop)
        for number in 0..<messageCount {
            #expect(try server.message().message == FrameMessage(type: number, body: body))
        }
    }

    @Test("a message above the limit is not sent, and the connection stays")
    func oversizedSend() throws {
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        let limit = FrameMessage.standardFrameByteLimit
        let large = FrameMessage(type: 1, body: Array(repeating: 0, count: limit + 1))
        #expect(client.socket.send(large) == .oversized(byteCount: limit + 1, limit: limit))
        let fitting = FrameMessage(type: 1, body: Array(repeating: 0, count: limit))
        try client.send(fitting)
        let (peer, message) = try server.message()
        #expect(message == fitting)
        #expect(
            server.socket.send(large, to: peer.route)
                == .oversized(byteCount: limit + 1, limit: limit))
    }

    /// An endpoint where nobody listens: the system chose the port and gave it up again.
    private static func freeEndpoint() throws -> Endpoint {
        let context = try Context()
        let server = try Server(context)
        return try server.bind()
    }
}
