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
    private let frameByteLimit: Int

    /// A socket that is connected to nothing yet.
    public init(
        context: borrowing Context, security: DealerSecurity, options: SocketOptions = .dealer
    ) throws(TransportError) {
        let handle = try SocketHandle(ZMQ_DEALER, in: context.handle)
        try options.applyDealer(to: handle)
        if case .curve(let certificate) = security {
            try handle.set(ZMQ_CURVE_SERVERKEY, to: certificate.serverKey.text)
            try handle.set(ZMQ_CURVE_PUBLICKEY, to: certificate.keys.publicKey.text)
            try handle.set(ZMQ_CURVE_SECRETKEY, to: certificate.keys.secretKey.text)
        }
        self.handle = handle
        frameByteLimit = options.frameByteLimit
    }

    /// Connects in the background, now and after every loss; call it once.
    ///
    /// Succeeds although nobody listens yet: the coordinator may start later. The monitor tells.
    public func connect(to endpoint: Endpoint) throws(TransportError) {
        try endpoint.requireConnectable()
        guard zmq_connect(handle.open, endpoint.connectText) == 0 else {
            throw endpoint.connectFailure(code: zmq_errno())
        }
    }

    /// Drops the connection, with what is queued on it, and makes it anew.
    ///
    /// libzmq does this by itself when a connection breaks, but never again after a handshake that
    /// failed other than by `.hungUp`, nor after bytes that are not ZeroMQ: a worker that has heard
    /// nothing for long calls this.
    public func reconnect(to endpoint: Endpoint) throws(TransportError) {
        try endpoint.requireConnectable()
        // Where libzmq has given up there is nothing to disconnect, and it says so.
        _ = zmq_disconnect(handle.open, endpoint.connectText)
        try connect(to: endpoint)
    }

    /// Takes the next message, if one is there. Call it until nil, or up to a budget, whenever the
    /// poll loop says so.
    public func receive() -> DealerArrival? {
        guard let arrival = handle.receive(hasRoute: false, trustsUserID: false) else {
            return nil
        }
        do {
            return .message(try arrival.decoded(frameByteLimit: frameByteLimit))
        } catch {
            return .malformed(error)
        }
    }

    /// Queues `message` for the coordinator, whole or not at all.
    public func send(_ message: FrameMessage) -> DealerSendResult {
        guard message.largestFrameByteCount <= frameByteLimit else {
            return .oversized(byteCount: message.largestFrameByteCount, limit: frameByteLimit)
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
