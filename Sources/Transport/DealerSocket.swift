import CZeroMQ
import Glibc
import Wire

/// How a DEALER proves who it is and to whom it speaks.
public enum DealerSecurity {
    /// Not at all: loopback and `ipc://` only.
    case plain
    /// Encrypted, with this client's keys, to the holder of the server key only.
    case curve(ClientCertificate)
}

/// A worker's connection to the coordinator, made again whenever it breaks. It never waits: not when
/// receiving, not when sending.
public struct DealerSocket: ~Copyable {
    let handle: SocketHandle
    private let security: DealerSecurity
    private let options: SocketOptions

    /// A socket that is connected to nothing yet.
    public init(
        context: borrowing Context, security: DealerSecurity, options: SocketOptions = .dealer
    ) throws(TransportError) {
        handle = try Self.opened(in: context.handle, security, options)
        self.security = security
        self.options = options
    }

    private static func opened(
        in context: ContextHandle, _ security: DealerSecurity, _ options: SocketOptions
    ) throws(TransportError) -> SocketHandle {
        let handle = try SocketHandle(ZMQ_DEALER, in: context)
        try options.applyDealer(to: handle)
        if case .curve(let certificate) = security {
            try handle.set(ZMQ_CURVE_SERVERKEY, to: certificate.serverKey.text)
            try handle.set(ZMQ_CURVE_PUBLICKEY, to: certificate.keys.publicKey.text)
            try handle.set(ZMQ_CURVE_SECRETKEY, to: certificate.keys.secretKey.text)
        }
        return handle
    }

    /// Connects in the background, now and after every loss; call it once.
    ///
    /// Succeeds although nobody listens yet: the coordinator may start later. The monitor tells.
    public func connect(to endpoint: Endpoint) throws(TransportError) {
        try Self.connect(handle, to: endpoint)
    }

    /// Drops the connection, with all that is queued on it either way, and makes it anew. Watches and
    /// the monitor stay.
    ///
    /// libzmq connects again by itself when a connection breaks, but never after a handshake that
    /// failed other than by `.hungUp`, nor after bytes that are not ZeroMQ: a worker that has heard
    /// nothing for long calls this.
    public func reconnect(to endpoint: Endpoint) throws(TransportError) {
        // A new socket: libzmq's own disconnecting goes on while the owner keeps reading the old
        // connection, and messages sent meanwhile are lost on it.
        let fresh = try Self.opened(in: handle.context, security, options)
        let freshReader =
            if handle.monitorReader != nil {
                try SocketMonitor.attach(to: fresh, events: SocketMonitor.dealerEvents)
            } else { nil as SocketHandle? }
        try Self.connect(fresh, to: endpoint)
        handle.take(over: fresh)
        if let freshReader { handle.monitorReader?.take(over: freshReader) }
    }

    private static func connect(
        _ handle: SocketHandle, to endpoint: Endpoint
    ) throws(TransportError) {
        try endpoint.requireConnectable()
        guard zmq_connect(handle.open, endpoint.connectText) == 0 else {
            throw endpoint.connectFailure(code: zmq_errno())
        }
    }

    /// Takes the next message, if one is there. Call it until nil, or up to a budget, whenever the
    /// poll loop says so.
    public func receive() -> DealerArrival? {
        guard let arrival = handle.receive(hasRoute: false, trustsUserID: false) else {
            return nil
        }
        do {
            return .message(try arrival.decoded(frameByteLimit: options.frameByteLimit))
        } catch {
            return .malformed(error)
        }
    }

    /// Queues `message` for the coordinator, whole or not at all.
    public func send(_ message: FrameMessage) -> DealerSendResult {
        let limit = options.frameByteLimit
        guard message.largestFrameByteCount <= limit else {
            return .oversized(byteCount: message.largestFrameByteCount, limit: limit)
        }
        var result = DealerSendResult.sent
        let frames = message.encode()
        for (index, frame) in frames.enumerated() {
            guard case .failed(let code) = handle.send(frame, isLast: index == frames.count - 1)
            else { continue }
            precondition(code == EAGAIN, "sending frame \(index): \(TransportError.text(of: code))")
            result = .full
            if index == 0 { break }
            // The connection broke inside the message, and libzmq now drops frames until it has seen
            // the last one: stopping here would drop the beginning of the next message instead.
        }
        return result
    }

    /// Watches the connection; call it before `connect`, at most once.
    public func monitor() throws(TransportError) -> SocketMonitor {
        try SocketMonitor(of: handle, events: SocketMonitor.dealerEvents)
    }

    /// Closes after messages still queued have left, or after `lingerMs` without that; a worker that
    /// leaves cleanly allows 5000.
    public consuming func close(lingerMs: Int) throws(TransportError) {
        try handle.set(ZMQ_LINGER, to: lingerMs)
    }

    deinit {
        handle.close()
    }
}
