import Wire

/// The address of one connection at a ROUTER: opaque, unlike any other's while the connection lives,
/// and worthless after it. A worker that reconnects has a new one.
public struct PeerRoute: Hashable, Sendable, CustomStringConvertible {
    /// As libzmq chose them.
    public let bytes: [UInt8]

    /// A route as it was received; tests and the simulator make their own.
    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// In hexadecimal, for logs.
    public var description: String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}

/// Who sent a message.
public struct Peer: Hashable, Sendable {
    /// Where to send the answer.
    public let route: PeerRoute
    /// The key that CURVE authenticated; none on a plain socket.
    public let key: PublicKey?
    /// Its IP address, for logs only: behind a tunnel or NAT many peers share one.
    public let address: String?

    /// A peer as it was received; tests and the simulator make their own.
    public init(route: PeerRoute, key: PublicKey? = nil, address: String? = nil) {
        self.route = route
        self.key = key
        self.address = address
    }
}

/// What a ROUTER took from its queue.
public enum RouterArrival: Hashable, Sendable {
    /// A message whose frames and checksum are right.
    case message(Peer, FrameMessage)
    /// Something else, now thrown away; of these only a version mismatch deserves an answer.
    case malformed(Peer, FrameError)
    /// Anything from a peer whose key was revoked after it connected, now thrown away.
    case refused(Peer)
}

/// What a DEALER took from its queue.
public enum DealerArrival: Hashable, Sendable {
    /// A message whose frames and checksum are right.
    case message(FrameMessage)
    /// Something else, now thrown away. Never answer it: two versions would answer each other for ever.
    case malformed(FrameError)
}

/// What became of a message for a peer of a ROUTER.
public enum RouterSendResult: Hashable, Sendable {
    /// Queued; it is lost if the connection breaks before it has left.
    case sent
    /// No such connection, or no longer.
    case unroutable
    /// The peer does not read fast enough; nothing was queued.
    case full
    /// A frame exceeds the socket's limit, and the peer would drop the connection; nothing was queued.
    case oversized(byteCount: Int, limit: Int)
}

/// What became of a message for the coordinator.
public enum DealerSendResult: Hashable, Sendable {
    /// Queued; it is lost if the connection breaks before it has left, or has just broken unnoticed:
    /// what must arrive is sent again until the coordinator acknowledges it.
    case sent
    /// Not connected, or the coordinator does not read fast enough; nothing was queued.
    case full
    /// A frame exceeds the socket's limit, and the peer would drop the connection; nothing was queued.
    case oversized(byteCount: Int, limit: Int)
}
