import Transport
import Wire

/// A condition that did not come true in time.
struct DeadlineMissed: Error, CustomStringConvertible {
    let description: String
}

/// Repeats `attempt` until it has a value, and waits on `loop` in between.
///
/// The deadline is generous, for machines that are busy with other work; a passing test never
/// reaches it.
func waiting<Value>(
    for what: String, on loop: inout PollLoop, within limit: Duration = .seconds(20),
    _ attempt: () throws -> Value?
) throws -> Value {
    let deadline = ContinuousClock.now + limit
    while true {
        if let value = try attempt() { return value }
        guard ContinuousClock.now < deadline else {
            throw DeadlineMissed(description: "waited in vain for \(what)")
        }
        _ = try loop.wait(timeoutMs: 20)
    }
}

/// Waits until `watch` can be read.
func waitingUntilReadable(_ watch: Watch, on loop: inout PollLoop) throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while try !loop.wait(timeoutMs: 1_000).contains(watch) {
        guard ContinuousClock.now < deadline else {
            throw DeadlineMissed(description: "waited in vain for something to read")
        }
    }
}

/// A DEALER under test, with a loop that watches it and, where it has one, its monitor.
struct Client: ~Copyable {
    let socket: DealerSocket
    var loop: PollLoop
    let monitor: SocketMonitor

    init(
        _ context: borrowing Context, security: DealerSecurity = .plain,
        options: SocketOptions = .quickDealer, connectedTo endpoint: Endpoint? = nil
    ) throws {
        let socket = try DealerSocket(context: context, security: security, options: options)
        let monitor = try socket.monitor()
        if let endpoint { try socket.connect(to: endpoint) }
        loop = PollLoop()
        _ = loop.watch(socket)
        _ = loop.watch(monitor)
        self.socket = socket
        self.monitor = monitor
    }

    /// Sends once the connection stands.
    mutating func send(_ message: FrameMessage) throws {
        try waiting(for: "a connection to send on", on: &loop) {
            socket.send(message) == .sent ? () : nil
        }
    }

    mutating func receive() throws -> DealerArrival {
        try waiting(for: "a message from the coordinator", on: &loop) { socket.receive() }
    }

    /// The first event that `matches`; those before it are lost.
    mutating func event(
        _ what: String, where matches: (MonitorEvent) -> Bool
    ) throws -> MonitorEvent {
        try waiting(for: what, on: &loop) {
            while let event = monitor.next() {
                if matches(event) { return event }
            }
            return nil
        }
    }

    mutating func untilConnected() throws {
        _ = try event("a handshake") {
            if case .handshakeSucceeded = $0 { true } else { false }
        }
    }
}

/// A ROUTER under test, with its loop and, where it has one, its authenticator.
struct Server: ~Copyable {
    let socket: RouterSocket
    let authenticator: Authenticator?
    var loop: PollLoop

    init(
        _ context: borrowing Context, security: RouterSecurity = .plain,
        options: SocketOptions = .router
    ) throws {
        let socket = try RouterSocket(context: context, security: security, options: options)
        loop = PollLoop()
        _ = loop.watch(socket)
        self.socket = socket
        if case .curve(_, let authenticator, _) = security {
            _ = loop.watch(authenticator)
            self.authenticator = authenticator
        } else {
            authenticator = nil
        }
    }

    /// Binds a port of the system's choice on this machine only.
    func bind() throws -> Endpoint {
        try socket.bind(to: Endpoint("tcp://127.0.0.1:*"))
    }

    mutating func receive() throws -> RouterArrival {
        try waiting(for: "a message from a worker", on: &loop) {
            _ = authenticator?.answerRequests()
            return socket.receive()
        }
    }

    /// The next message, which must be well-formed.
    mutating func message() throws -> (peer: Peer, message: FrameMessage) {
        let arrival = try receive()
        guard case .message(let peer, let message) = arrival else {
            throw DeadlineMissed(description: "got \(arrival) instead of a message")
        }
        return (peer, message)
    }
}

extension SocketOptions {
    /// Connects again at once, so that tests of lost connections are quick.
    static let quickDealer: SocketOptions = {
        var options = SocketOptions.dealer
        options.reconnectIntervalMs = 20
        options.reconnectIntervalLimitMs = 100
        return options
    }()
}

extension FrameMessage {
    /// A message that carries `text`.
    static func text(_ text: String) -> FrameMessage {
        FrameMessage(type: 1, header: [1, 2, 3], body: Array(text.utf8))
    }
}
