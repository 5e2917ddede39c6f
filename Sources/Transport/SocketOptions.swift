import CZeroMQ
import Wire

/// The limits and intervals of one socket. The defaults are the ones that the promises about lost
/// connections are made for; tests shorten some.
public struct SocketOptions: Hashable, Sendable {
    /// How long unsent messages hold up closing, in milliseconds.
    public var lingerMs = 0
    /// How long a connection may take to prove that it speaks ZeroMQ and has a key.
    public var handshakeIntervalMs = 10_000
    /// After so long without traffic the kernel probes a connection, in seconds.
    public var probeDelaySeconds = 15
    /// Between two probes, in seconds.
    public var probeIntervalSeconds = 5
    /// A connection whose other end answers neither data nor probes for so long is given up by the
    /// kernel. ZeroMQ's own heartbeats are off: see docs/decisions/0015.
    public var silenceLimitMs = 30_000
    /// The largest frame a peer may send; one larger ends its connection. Nothing bounds the number
    /// of frames: a message that never ends grows inside libzmq, out of the receiver's sight. So only
    /// holders of allowed keys may connect, and a service manager should bound the process's memory.
    public var frameByteLimit = FrameMessage.standardFrameByteLimit
    /// Messages queued towards each peer before sending answers `.full`.
    public var sendQueueLimit = 1_024
    /// Messages queued from each peer before libzmq stops reading from it.
    public var receiveQueueLimit: Int
    /// ROUTER: connections that wait to be accepted; a whole cluster may start at once.
    public var backlog = 1_024
    /// DEALER: the first pause before connecting again; it doubles with each failure.
    public var reconnectIntervalMs = 500
    /// DEALER: the longest pause.
    public var reconnectIntervalLimitMs = 30_000
    /// DEALER: how long one attempt to connect may take.
    public var connectTimeoutMs = 10_000

    /// For the coordinator's `worker` and `control` sockets.
    public static let router = SocketOptions(receiveQueueLimit: 256)
    /// For the other end of them.
    public static let dealer = SocketOptions(receiveQueueLimit: 64)

    /// The same for the `blob` socket, whose frames carry a chunk.
    public var forBlobs: SocketOptions {
        var options = self
        options.frameByteLimit = FrameMessage.blobFrameByteLimit
        options.sendQueueLimit = 64
        return options
    }

    /// What both kinds of socket need.
    func apply(to socket: SocketHandle) throws(TransportError) {
        for (option, value) in [
            (ZMQ_LINGER, lingerMs), (ZMQ_IPV6, 1), (ZMQ_HANDSHAKE_IVL, handshakeIntervalMs),
            (ZMQ_TCP_KEEPALIVE, 1), (ZMQ_TCP_KEEPALIVE_IDLE, probeDelaySeconds),
            (ZMQ_TCP_KEEPALIVE_INTVL, probeIntervalSeconds), (ZMQ_TCP_MAXRT, silenceLimitMs),
            (ZMQ_SNDHWM, sendQueueLimit), (ZMQ_RCVHWM, receiveQueueLimit),
        ] {
            try socket.set(option, to: value)
        }
        try socket.setWide(ZMQ_MAXMSGSIZE, to: Int64(frameByteLimit))
    }

    /// MANDATORY turns silent loss into `.unroutable`; without HANDOVER a newcomer cannot take over
    /// the route of a live peer.
    func applyRouter(to socket: SocketHandle) throws(TransportError) {
        try apply(to: socket)
        try socket.set(ZMQ_ROUTER_MANDATORY, to: 1)
        try socket.set(ZMQ_ROUTER_HANDOVER, to: 0)
        try socket.set(ZMQ_BACKLOG, to: backlog)
    }

    /// IMMEDIATE keeps messages from queueing for a coordinator that is not there.
    func applyDealer(to socket: SocketHandle) throws(TransportError) {
        try apply(to: socket)
        try socket.set(ZMQ_IMMEDIATE, to: 1)
        try socket.set(ZMQ_RECONNECT_IVL, to: reconnectIntervalMs)
        try socket.set(ZMQ_RECONNECT_IVL_MAX, to: reconnectIntervalLimitMs)
        try socket.set(ZMQ_CONNECT_TIMEOUT, to: connectTimeoutMs)
    }
}
