import CZeroMQ
import Glibc
import Synchronization

/// What happened to a connection.
public enum MonitorEvent: Hashable, Sendable {
    /// The TCP connection stands; the handshake begins.
    case connected(endpoint: String)
    /// The next attempt follows after the pause.
    case retried(endpoint: String, pauseMs: Int)
    /// The peers understand and accept each other; messages flow.
    case handshakeSucceeded(endpoint: String)
    /// They do not. libzmq tries again by itself after `.hungUp` only; see `reconnect`.
    case handshakeFailed(endpoint: String, HandshakeFailure)
    /// The connection broke; libzmq makes it again unless the other side sent nonsense.
    case disconnected(endpoint: String)
}

/// Why peers that reached each other do not talk.
public enum HandshakeFailure: Hashable, Sendable, CustomStringConvertible {
    /// The coordinator does not allow this client's key: 400, or 500 if it could not decide.
    case refusedKey(status: Int)
    /// One side encrypts and the other does not.
    case mechanismMismatch
    /// The keys do not belong together.
    case wrongKey
    /// Something else than ZeroMQ, or a damaged handshake; the number is libzmq's.
    case protocolViolation(code: UInt32)
    /// The other side hung up in the middle: it does so without a word when the server key is wrong, and
    /// may do so when one side has no keys.
    case hungUp(code: Int32)

    /// Whether trying again cannot help until somebody changes the keys.
    public var isFinal: Bool {
        switch self {
        case .refusedKey(let status): status == 400
        case .mechanismMismatch, .wrongKey: true
        case .protocolViolation, .hungUp: false
        }
    }

    /// What went wrong, for people.
    public var description: String {
        switch self {
        case .refusedKey(let status): "the coordinator refuses this key (\(status))"
        case .mechanismMismatch: "one side uses keys and the other does not"
        case .wrongKey: "the keys do not belong together"
        case .protocolViolation(let code):
            "the other side does not speak ZeroMQ properly (0x\(String(code, radix: 16)))"
        case .hungUp(let code):
            "the other side hung up during the handshake (\(TransportError.text(of: code))); "
                + "if it always does, it wants keys, or the server key is wrong"
        }
    }
}

/// The events of one socket. Drain it whenever the poll loop says so: libzmq queues without limit.
///
/// A limit would be worse: libzmq's I/O thread waits, holding a lock, when the queue is full, and
/// with it every connection of the process, and closing the socket would wait for that lock.
public struct SocketMonitor: ~Copyable {
    let handle: SocketHandle
    private let watched: SocketHandle

    /// Per incoming connection at most two, and none that an exhausted descriptor table would repeat
    /// without end, as ACCEPT_FAILED would.
    static let routerEvents =
        handshakeFailures | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED
    static let dealerEvents = routerEvents | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED
    private static let handshakeFailures =
        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
        | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL

    private static let nextNumber = Atomic<Int>(1)

    init(of socket: SocketHandle, events: Int32) throws(TransportError) {
        handle = try Self.attach(to: socket, events: events)
        watched = socket
        socket.monitorReader = handle
    }

    /// A socket that reads the events of `socket`.
    static func attach(
        to socket: SocketHandle, events: Int32
    ) throws(TransportError) -> SocketHandle {
        let number = nextNumber.add(1, ordering: .relaxed).oldValue
        let address = "inproc://alsweep-monitor-\(number)"
        let reader = try SocketHandle(ZMQ_PAIR, in: socket.context)
        try reader.set(ZMQ_LINGER, to: 0)
        try reader.set(ZMQ_RCVHWM, to: 0)
        guard zmq_socket_monitor(socket.open, address, events) == 0 else {
            throw .lastFailure(of: "monitoring a socket")
        }
        guard zmq_connect(reader.open, address) == 0 else {
            socket.stopMonitor()
            throw .lastFailure(of: "monitoring a socket")
        }
        return reader
    }

    /// The next event, if there is one.
    public func next() -> MonitorEvent? {
        while let frames = handle.receiveLocalFrames() {
            if let event = Self.event(frames: frames) { return event }
        }
        return nil
    }

    deinit {
        // In this order: the I/O thread would wait for ever to tell a reader that has gone.
        watched.stopMonitor()
        handle.close()
    }

    /// Two frames: the event's number in 16 bits and its value in 32, then the endpoint.
    private static func event(frames: [[UInt8]]) -> MonitorEvent? {
        precondition(frames.count == 2 && frames[0].count == 6, "libzmq changed its monitor events")
        let number = frames[0].withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) }
        let value = frames[0].withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: 2, as: UInt32.self)
        }
        let endpoint = endpointText(frames[1])
        switch Int32(number) {
        case ZMQ_EVENT_CONNECTED: return .connected(endpoint: endpoint)
        case ZMQ_EVENT_CONNECT_RETRIED: return .retried(endpoint: endpoint, pauseMs: Int(value))
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .handshakeSucceeded(endpoint: endpoint)
        case ZMQ_EVENT_DISCONNECTED: return .disconnected(endpoint: endpoint)
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            return .handshakeFailed(endpoint: endpoint, .refusedKey(status: Int(value)))
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
            return .handshakeFailed(endpoint: endpoint, protocolFailure(code: value))
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            let code = Int32(truncatingIfNeeded: value)
            return .handshakeFailed(endpoint: endpoint, .hungUp(code: code))
        default: return nil
        }
    }

    /// As people wrote it: an IPv6 socket shows IPv4 addresses in its own way.
    private static func endpointText(_ frame: [UInt8]) -> String {
        let text = String(decoding: frame, as: UTF8.self)
        return (try? Endpoint(text))?.description ?? text
    }

    private static func protocolFailure(code: UInt32) -> HandshakeFailure {
        switch Int32(bitPattern: code) {
        case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: .mechanismMismatch
        case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: .wrongKey
        default: .protocolViolation(code: code)
        }
    }
}
