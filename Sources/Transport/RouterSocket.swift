import CZeroMQ
import Glibc
import Wire

/// Whom a ROUTER listens to.
public enum RouterSecurity {
    /// Everyone who can reach it: loopback and `ipc://` only.
    case plain
    /// The holders of the keys that the authenticator allows in the domain, encrypted.
    case curve(SecretKey, Authenticator, SecurityDomain)
}

/// The coordinator's end of many connections. It never waits: not when receiving, not when sending.
public struct RouterSocket: ~Copyable {
    let handle: SocketHandle
    private let security: RouterSecurity
    private let frameByteLimit: Int

    /// A socket that listens nowhere yet.
    public init(
        context: borrowing Context, security: RouterSecurity, options: SocketOptions = .router
    ) throws(TransportError) {
        let handle = try SocketHandle(ZMQ_ROUTER, in: context.handle)
        try options.applyRouter(to: handle)
        if case .curve(let secretKey, let authenticator, let domain) = security {
            precondition(
                authenticator.serves(context.handle),
                "the authenticator belongs to another context, and every key would be accepted")
            try handle.set(ZMQ_CURVE_SERVER, to: 1)
            try handle.set(ZMQ_CURVE_SECRETKEY, to: secretKey.text)
            try handle.set(ZMQ_ZAP_DOMAIN, to: domain.rawValue)
            // Without this a vanished handler would mean that every key is accepted. Where libzmq
            // does not know the option, `security` keeps the handler alive as long as the socket.
            try? handle.set(ALSWEEP_ZMQ_ZAP_ENFORCE_DOMAIN, to: 1)
        }
        self.handle = handle
        self.security = security
        frameByteLimit = options.frameByteLimit
    }

    /// Listens on `endpoint` as well, and returns it with the port that the system chose for `*`.
    ///
    /// Refuses an address that other machines reach unless the socket has keys.
    public func bind(to endpoint: Endpoint) throws(TransportError) -> Endpoint {
        if case .plain = security, !endpoint.isLoopback {
            throw .publicAddressWithoutKeys(endpoint)
        }
        try endpoint.requireFreePath()
        guard zmq_bind(handle.open, endpoint.bindText) == 0 else {
            throw endpoint.bindFailure(code: zmq_errno())
        }
        let bound = handle.lastEndpoint
        do {
            return try Endpoint(bound)
        } catch {
            preconditionFailure("libzmq bound \(endpoint) to an address of its own: \(bound)")
        }
    }

    /// Opens a connection of its own to another ROUTER, whose route is known at once: many clients in
    /// one socket, for a bench. Their traffic is not encrypted.
    ///
    /// - Parameter route: a name unlike those of other connections.
    public func connect(to endpoint: Endpoint, as route: String) throws(TransportError) {
        precondition(endpoint.isLoopback, "a connection without keys to another machine")
        try handle.set(ZMQ_CONNECT_ROUTING_ID, to: route)
        guard zmq_connect(handle.open, endpoint.connectText) == 0 else {
            throw .lastFailure(of: "connecting to \(endpoint)")
        }
    }

    /// Takes the next message, if one is there. Call it until nil, or up to a budget, whenever the
    /// poll loop says so.
    public func receive() -> RouterArrival? {
        var trustsUserID = false
        if case .curve = security { trustsUserID = true }
        guard let arrival = handle.receive(hasRoute: true, trustsUserID: trustsUserID) else {
            return nil
        }
        let peer = Peer(
            route: PeerRoute(bytes: arrival.route),
            key: arrival.userID.flatMap { try? PublicKey($0) },
            address: arrival.address.map(Endpoint.unmappedAddress))
        if case .curve(_, let authenticator, let domain) = security {
            guard let key = peer.key, authenticator.isAllowed(key, in: domain) else {
                return .refused(peer)
            }
        }
        do {
            return .message(peer, try arrival.decoded(frameByteLimit: frameByteLimit))
        } catch {
            return .malformed(peer, error)
        }
    }

    /// Queues `message` for the connection `route`, whole or not at all.
    public func send(_ message: FrameMessage, to route: PeerRoute) -> RouterSendResult {
        guard message.largestFrameByteCount <= frameByteLimit else {
            return .oversized(byteCount: message.largestFrameByteCount, limit: frameByteLimit)
        }
        if case .failed(let code) = handle.send(route.bytes, isLast: false) {
            switch code {
            case EHOSTUNREACH: return .unroutable
            case EAGAIN: return .full
            default: preconditionFailure("sending: \(TransportError.text(of: code))")
            }
        }
        // The route was accepted; from here on a ROUTER queues every frame, or drops all of them if
        // the connection breaks.
        let frames = message.encode()
        for (index, frame) in frames.enumerated() {
            if case .failed(let code) = handle.send(frame, isLast: index == frames.count - 1) {
                preconditionFailure("sending frame \(index): \(TransportError.text(of: code))")
            }
        }
        return .sent
    }

    /// Watches handshakes; call it before `bind`, at most once.
    ///
    /// Its events name this side's endpoint, not the peer: they are for counting and for logs.
    public func monitor() throws(TransportError) -> SocketMonitor {
        try SocketMonitor(of: handle, events: SocketMonitor.routerEvents)
    }

    /// Closes after messages still queued have left, or after `lingerMs` without that.
    public consuming func close(lingerMs: Int) throws(TransportError) {
        try handle.set(ZMQ_LINGER, to: lingerMs)
    }

    deinit {
        handle.close()
    }
}

extension SocketHandle.Arrival {
    func decoded(frameByteLimit: Int) throws(FrameError) -> FrameMessage {
        guard frameCount == FrameMessage.frameCount else {
            throw FrameMessage.refusal(ofFirstFrame: frames.first, frameCount: frameCount)
        }
        return try FrameMessage(frames: frames, frameByteLimit: frameByteLimit)
    }
}
