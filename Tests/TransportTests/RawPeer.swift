import Glibc
import Transport

/// A TCP connection that speaks ZMTP 3.0 (ZeroMQ RFC 23) by hand, to say what libzmq would not.
struct RawPeer: ~Copyable {
    private let descriptor: Int32

    init(_ endpoint: Endpoint) throws {
        guard case .tcp("127.0.0.1", let port) = endpoint else {
            preconditionFailure("raw peers connect to 127.0.0.1 only")
        }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw DeadlineMissed(description: "connect failed with \(errno)") }
    }

    deinit {
        close(descriptor)
    }

    /// Writes all of `bytes`, or as many as the other side takes before it hangs up.
    func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// One that arrays can hold.
    final class Shared {
        private let peer: RawPeer

        init(_ endpoint: Endpoint) throws {
            peer = try RawPeer(endpoint)
        }

        func write(_ bytes: [UInt8]) {
            peer.write(bytes)
        }
    }

    /// Completes the handshake; libzmq takes a message that comes before its own READY for an error.
    func shakeHands(_ properties: [String: [UInt8]] = [:]) throws {
        write(Self.greeting + Self.ready(properties))
        var received = [UInt8](repeating: 0, count: Self.greeting.count + 2)
        try fill(&received)
        received = [UInt8](repeating: 0, count: Int(received[received.count - 1]))
        try fill(&received)
    }

    private func fill(_ bytes: inout [UInt8]) throws {
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_WAITALL))
        guard count == bytes.count else {
            throw DeadlineMissed(
                description: "\(count) of \(bytes.count) bytes of a handshake came")
        }
    }

    /// Signature, version 3.0, mechanism NULL, as a client.
    static let greeting: [UInt8] =
        [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0] + Array("NULL".utf8)
        + [UInt8](repeating: 0, count: 16 + 32)

    /// The READY command of a DEALER with more properties.
    static func ready(_ properties: [String: [UInt8]] = [:]) -> [UInt8] {
        var body: [UInt8] = [5] + Array("READY".utf8)
        let all = properties.merging(["Socket-Type": Array("DEALER".utf8)]) { $1 }
        for (name, value) in all.sorted(by: { $0.key < $1.key }) {
            body += [UInt8(name.utf8.count)] + Array(name.utf8)
            body += [0, 0, 0, UInt8(value.count)] + value
        }
        return [4, UInt8(body.count)] + body
    }

    /// One message of short frames.
    static func frames(_ frames: [[UInt8]]) -> [UInt8] {
        frames.enumerated().flatMap { index, frame in
            [index < frames.count - 1 ? 1 : 0, UInt8(frame.count)] + frame
        }
    }
}

/// A TCP listener on 127.0.0.1 that is no coordinator.
struct RawListener: ~Copyable {
    private let descriptor: Int32

    init(_ endpoint: Endpoint) throws {
        guard case .tcp("127.0.0.1", let port) = endpoint else {
            preconditionFailure("raw listeners are on 127.0.0.1 only")
        }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var isReused: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0, listen(descriptor, 8) == 0 else {
            throw DeadlineMissed(description: "listening failed with \(errno)")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Accepts one connection, says `bytes` and hangs up.
    func answerOnce(_ bytes: [UInt8]) throws {
        let connection = accept(descriptor, nil, nil)
        guard connection >= 0 else {
            throw DeadlineMissed(description: "accepting failed with \(errno)")
        }
        _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        close(connection)
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014): the same draws in every process for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
