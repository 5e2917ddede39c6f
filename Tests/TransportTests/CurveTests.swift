import Testing
import Wire

@testable import Transport

@Suite("CURVE")
struct CurveTests {
    /// A coordinator with keys and one client that it allows.
    struct Fixture {
        let serverKeys: KeyPair
        let clientKeys: KeyPair

        init() throws {
            serverKeys = try .generate()
            clientKeys = try .generate()
        }

        var client: ClientCertificate {
            ClientCertificate(keys: clientKeys, serverKey: serverKeys.publicKey)
        }

        func server(
            _ context: borrowing Context, domain: SecurityDomain = .worker
        ) throws -> Server {
            let authenticator = try Authenticator(context: context)
            authenticator.allow(clientKeys.publicKey, in: .worker)
            return try Server(
                context, security: .curve(serverKeys.secretKey, authenticator, domain))
        }

        func authenticator(of server: borrowing Server) throws -> Authenticator {
            guard let authenticator = server.authenticator else {
                throw DeadlineMissed(description: "a server with keys has no authenticator")
            }
            return authenticator
        }
    }

    @Test("an allowed key gets in, and its messages carry it")
    func allowedKey() throws {
        let fixture = try Fixture()
        let context = try Context()
        var server = try fixture.server(context)
        var client = try Client(
            context, security: .curve(fixture.client), connectedTo: try server.bind())
        try exchange(&client, &server)
        let (peer, message) = try server.message()
        #expect(message == .text("hello"))
        #expect(peer.key == fixture.clientKeys.publicKey)
        #expect(peer.address == "127.0.0.1")
        #expect(server.socket.send(.text("welcome"), to: peer.route) == .sent)
        #expect(try client.receive() == .message(.text("welcome")))
    }

    /// How a client that must not get in differs from one that may, and what it is told.
    enum Intruder: CaseIterable, Sendable {
        case withoutKeys
        case unknownKey
        case wrongServerKey
        case otherDomain

        func isTold(_ failure: HandshakeFailure) -> Bool {
            switch (self, failure) {
            case (.withoutKeys, .mechanismMismatch), (.unknownKey, .refusedKey(status: 400)),
                (.otherDomain, .refusedKey(status: 400)):
                failure.isFinal
            // The coordinator cannot tell it anything: they share no key.
            case (.wrongServerKey, .hungUp): !failure.isFinal
            default: false
            }
        }
    }

    @Test("everyone else stays outside, and finds out", arguments: Intruder.allCases)
    func refused(intruder: Intruder) throws {
        let fixture = try Fixture()
        let context = try Context()
        let server = try fixture.server(
            context, domain: intruder == .otherDomain ? .control : .worker)
        let other = try KeyPair.generate()
        let security: DealerSecurity =
            switch intruder {
            case .withoutKeys: .plain
            case .unknownKey:
                .curve(ClientCertificate(keys: other, serverKey: fixture.serverKeys.publicKey))
            case .wrongServerKey:
                .curve(ClientCertificate(keys: fixture.clientKeys, serverKey: other.publicKey))
            case .otherDomain: .curve(fixture.client)
            }
        let endpoint = try server.bind()
        var client = try Client(context, security: security, connectedTo: endpoint)
        var refused: [RefusedHandshake] = []
        for attempt in 1...3 {
            if attempt > 1, intruder != .wrongServerKey {
                try client.socket.reconnect(to: endpoint)
            }
            let failure = try failure(&client, server, &refused)
            #expect(intruder.isTold(failure), "attempt \(attempt): \(failure)")
            #expect(client.socket.send(.text("let me in")) == .full)
        }
        #expect(server.socket.receive() == nil)
        switch intruder {
        case .withoutKeys, .wrongServerKey: #expect(refused.isEmpty)
        case .unknownKey: #expect(refused.first?.key == other.publicKey)
        case .otherDomain: #expect(refused.first?.key == fixture.clientKeys.publicKey)
        }
        #expect(refused.allSatisfy { $0.address == "127.0.0.1" })
    }

    /// The next handshake that fails at `client`, while `server` answers.
    private func failure(
        _ client: inout Client, _ server: borrowing Server, _ refused: inout [RefusedHandshake]
    ) throws -> HandshakeFailure {
        try waiting(for: "a failed handshake", on: &client.loop) {
            refused += server.authenticator?.answerRequests() ?? []
            while let event = client.monitor.next() {
                if case .handshakeFailed(_, let failure) = event { return failure }
            }
            return nil
        }
    }

    @Test("a client with keys does not talk to a coordinator without")
    func plainServer() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        var client = try Client(
            context, security: .curve(try Fixture().client), connectedTo: endpoint)
        var refused: [RefusedHandshake] = []
        #expect(try failure(&client, server, &refused) == .mechanismMismatch)
        var plain = try Client(context, connectedTo: endpoint)
        try plain.send(.text("plain"))
        #expect(try server.message().message == .text("plain"))
    }

    @Test("the coordinator's monitor sees that a worker has the wrong server key")
    func monitorAtServer() throws {
        let fixture = try Fixture()
        let context = try Context()
        let server = try fixture.server(context)
        let monitor = try server.socket.monitor()
        var loop = PollLoop()
        _ = loop.watch(monitor)
        let endpoint = try server.bind()
        let client = try Client(
            context,
            security: .curve(
                ClientCertificate(
                    keys: fixture.clientKeys, serverKey: try KeyPair.generate().publicKey)),
            connectedTo: endpoint)
        let event = try waiting(for: "an event", on: &loop) { monitor.next() }
        #expect(event == .handshakeFailed(endpoint: endpoint.description, .wrongKey))
        #expect(client.socket.send(.text("let me in")) == .full)
    }

    @Test("after a revocation the old connection is ignored and a new one refused")
    func revoked() throws {
        let fixture = try Fixture()
        let context = try Context()
        var server = try fixture.server(context)
        let endpoint = try server.bind()
        var old = try Client(context, security: .curve(fixture.client), connectedTo: endpoint)
        try exchange(&old, &server)
        let route = try server.message().peer.route
        server.authenticator?.revoke(fixture.clientKeys.publicKey, in: .worker)
        try old.send(.text("result"))
        guard case .refused(let peer) = try server.receive() else {
            Issue.record("a revoked key was heard")
            return
        }
        #expect(peer.route == route && peer.key == fixture.clientKeys.publicKey)
        var new = try Client(context, security: .curve(fixture.client), connectedTo: endpoint)
        var refused: [RefusedHandshake] = []
        #expect(try failure(&new, server, &refused) == .refusedKey(status: 400))
        #expect(refused.map(\.key) == [fixture.clientKeys.publicKey])
    }

    @Test("nobody gets in before the authenticator answers")
    func unanswered() throws {
        let fixture = try Fixture()
        let context = try Context()
        var server = try fixture.server(context)
        var client = try Client(
            context, security: .curve(fixture.client), connectedTo: try server.bind())
        // The request waits, and with it the client.
        var loop = PollLoop()
        let watch = loop.watch(try fixture.authenticator(of: server))
        try waitingUntilReadable(watch, on: &loop)
        #expect(client.socket.send(.text("early")) == .full)
        #expect(server.socket.receive() == nil)
        try exchange(&client, &server)
        #expect(try server.message().message == .text("hello"))
    }

    @Test("a socket keeps its authenticator, and without one refuses everybody")
    func lostAuthenticator() throws {
        let fixture = try Fixture()
        let context = try Context()
        let server = try fixture.server(context)
        // Worse than losing the last reference to it, which the socket prevents.
        server.authenticator?.handle.close()
        var client = try Client(
            context, security: .curve(fixture.client), connectedTo: try server.bind())
        let failure = try client.event("a failed handshake") {
            if case .handshakeFailed = $0 { true } else { false }
        }
        guard case .handshakeFailed = failure else { return }
        #expect(client.socket.send(.text("let me in")) == .full)
        #expect(server.socket.receive() == nil)
    }

    @Test("an authenticator of another context is a mistake that stops the program")
    func foreignAuthenticator() async {
        await #expect(processExitsWith: .failure) {
            let other = try Context()
            let authenticator = try Authenticator(context: other)
            let context = try Context()
            _ = try RouterSocket(
                context: context,
                security: .curve(try KeyPair.generate().secretKey, authenticator, .worker))
        }
    }

    @Test("a cluster that starts at once gets in, whatever the order")
    func manyClients() throws {
        let fixture = try Fixture()
        let context = try Context()
        var server = try fixture.server(context)
        let endpoint = try server.bind()
        let clients = ClientGroup()
        let clientCount = Authenticator.requestLimit + 16
        for _ in 0..<clientCount {
            clients.add(
                try Client(context, security: .curve(fixture.client), connectedTo: endpoint))
        }
        var routes: Set<PeerRoute> = []
        var waitingClients = Set(0..<clientCount)
        try waiting(for: "a message from each", on: &server.loop) {
            _ = server.authenticator?.answerRequests()
            waitingClients = waitingClients.filter { !clients.send(.text("hello"), by: $0) }
            while case .message(let peer, _) = server.socket.receive() { routes.insert(peer.route) }
            return routes.count == clientCount ? () : nil
        }
    }

    /// Keeps clients, which are not copyable and so fit no array.
    private final class ClientGroup {
        private final class Member {
            let client: Client
            init(_ client: consuming Client) { self.client = client }
        }

        private var members: [Member] = []

        func add(_ client: consuming Client) {
            members.append(Member(client))
        }

        func send(_ message: FrameMessage, by index: Int) -> Bool {
            members[index].client.socket.send(message) == .sent
        }
    }

    /// Lets the handshake through and sends a greeting.
    private func exchange(_ client: inout Client, _ server: inout Server) throws {
        try waiting(for: "a connection to send on", on: &server.loop) {
            _ = server.authenticator?.answerRequests()
            return client.socket.send(.text("hello")) == .sent ? () : nil
        }
    }
}
