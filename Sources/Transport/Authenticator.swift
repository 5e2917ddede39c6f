import CZeroMQ
import Glibc

/// A group of ROUTER sockets that let the same keys in.
public struct SecurityDomain: RawRepresentable, Hashable, Sendable {
    /// The name that libzmq passes to the handler.
    public let rawValue: String

    /// A domain of any name but the empty one, which would switch authentication off.
    public init(rawValue: String) {
        precondition(!rawValue.isEmpty, "an empty domain would let every key in")
        self.rawValue = rawValue
    }

    /// Workers: assignments, heartbeats, results.
    public static let worker = SecurityDomain(rawValue: "worker")
    /// Workers: checkpoints, models, datasets.
    public static let blob = SecurityDomain(rawValue: "blob")
    /// Operators: status, cancel, extend.
    public static let control = SecurityDomain(rawValue: "control")
}

/// Decides which keys may connect: the handler of ZAP (ZeroMQ RFC 27) for one context.
///
/// Create it before the sockets: libzmq lets every key in where no handler listens. Watch it in the
/// poll loop of its thread and call `answerRequests()`; until then handshakes wait.
public final class Authenticator {
    let handle: SocketHandle
    private let context: ContextHandle
    private var allowedKeys: [SecurityDomain: Set<PublicKey>] = [:]

    /// Requests answered per call, so that a storm of them does not starve the loop.
    public static let requestLimit = 64

    /// A handler that refuses everyone until keys are allowed.
    public init(context: borrowing Context) throws(TransportError) {
        self.context = context.handle
        handle = try SocketHandle(ZMQ_REP, in: context.handle)
        try handle.set(ZMQ_LINGER, to: 0)
        guard zmq_bind(handle.open, "inproc://zeromq.zap.01") == 0 else {
            throw .lastFailure(of: "starting the authentication handler")
        }
    }

    deinit {
        handle.close()
    }

    /// Lets the holder of `key` into `domain` from now on.
    public func allow(_ key: PublicKey, in domain: SecurityDomain) {
        allowedKeys[domain, default: []].insert(key)
    }

    /// Keeps the holder of `key` out of `domain`: new connections are refused, and routers discard
    /// what arrives on the old ones, which libzmq offers no way to close.
    public func revoke(_ key: PublicKey, in domain: SecurityDomain) {
        allowedKeys[domain]?.remove(key)
    }

    /// Whether the holder of `key` may use `domain` now.
    public func isAllowed(_ key: PublicKey, in domain: SecurityDomain) -> Bool {
        allowedKeys[domain]?.contains(key) ?? false
    }

    /// Answers the handshakes that wait, and returns those it refused, for the log.
    public func answerRequests() -> [RefusedHandshake] {
        var refused: [RefusedHandshake] = []
        for _ in 0..<Self.requestLimit {
            guard let frames = handle.receiveLocalFrames() else { break }
            let request = Request(frames: frames)
            let isAllowed = request.key.map { self.isAllowed($0, in: request.domain) } ?? false
            if !isAllowed {
                refused.append(
                    RefusedHandshake(
                        key: request.key, domain: request.domain, address: request.address))
            }
            reply(to: request, isAllowed: isAllowed)
        }
        return refused
    }

    func serves(_ context: ContextHandle) -> Bool {
        context === self.context
    }

    /// A request of ZAP 1.0: version, request ID, domain, address, routing ID, mechanism and, for
    /// CURVE, the client's key. Only libzmq itself sends them, so another layout is its bug.
    private struct Request {
        let id: [UInt8]
        let domain: SecurityDomain
        let address: String
        let key: PublicKey?

        init(frames: [[UInt8]]) {
            precondition(
                frames.count >= 6 && frames[0].elementsEqual("1.0".utf8),
                "libzmq speaks another version of its authentication protocol")
            id = frames[1]
            domain = SecurityDomain(rawValue: String(decoding: frames[2], as: UTF8.self))
            address = Endpoint.unmappedAddress(String(decoding: frames[3], as: UTF8.self))
            let isCurve = frames[5].elementsEqual("CURVE".utf8) && frames.count == 7
            key = isCurve ? PublicKey(bytes: frames[6]) : nil
        }
    }

    private func reply(to request: Request, isAllowed: Bool) {
        let fields: [[UInt8]] = [
            Array("1.0".utf8), request.id, Array((isAllowed ? "200" : "400").utf8),
            Array((isAllowed ? "OK" : "this key is not allowed").utf8),
            isAllowed ? Array((request.key?.text ?? "").utf8) : [], [],
        ]
        for (index, field) in fields.enumerated() {
            let outcome = handle.send(field, isLast: index == fields.count - 1)
            if case .failed(let code) = outcome {
                preconditionFailure("answering a handshake: \(TransportError.text(of: code))")
            }
        }
    }
}

/// A connection that was turned away.
public struct RefusedHandshake: Hashable, Sendable {
    /// The key it showed.
    public let key: PublicKey?
    /// Where it wanted in.
    public let domain: SecurityDomain
    /// Its IP address, for logs only.
    public let address: String
}
