import CZeroMQ
import Glibc
import Wire

/// A libzmq socket behind its owner. The poll loop and a monitor refer to it too, and see when the
/// owner has closed it.
///
/// Not `Sendable`, on purpose: libzmq sockets belong to one thread.
final class SocketHandle {
    private(set) var pointer: UnsafeMutableRawPointer?
    let context: ContextHandle
    /// The reader of this socket's monitor, which belongs to the monitor.
    weak var monitorReader: SocketHandle?
    /// The frame being received; on the heap, where its alignment is libzmq's own.
    private let part: UnsafeMutablePointer<zmq_msg_t>

    init(_ type: Int32, in context: ContextHandle) throws(TransportError) {
        guard let pointer = zmq_socket(context.pointer, type) else {
            throw .lastFailure(of: "opening a ZeroMQ socket")
        }
        self.pointer = pointer
        self.context = context
        part = .allocate(capacity: 1)
        zmq_msg_init(part)
    }

    deinit {
        close()
        zmq_msg_close(part)
        part.deallocate()
    }

    func close() {
        guard let pointer else { return }
        let status = zmq_close(pointer)
        precondition(
            status == 0, "closing a ZeroMQ socket: \(TransportError.text(of: zmq_errno()))")
        self.pointer = nil
    }

    /// Tells the I/O thread that nobody reads this socket's events any more.
    func stopMonitor() {
        if let pointer { zmq_socket_monitor(pointer, nil, 0) }
    }

    /// Closes its socket and goes on with that of `other`, for everyone who refers to it.
    func take(over other: SocketHandle) {
        stopMonitor()
        close()
        pointer = other.pointer
        other.pointer = nil
    }

    /// The socket of an owner that has not closed it.
    var open: UnsafeMutableRawPointer {
        guard let pointer else { preconditionFailure("this ZeroMQ socket is closed") }
        return pointer
    }

    // MARK: Options

    func set(_ option: Int32, to value: Int) throws(TransportError) {
        var value = Int32(value)
        guard zmq_setsockopt(open, option, &value, MemoryLayout<Int32>.size) == 0 else {
            throw .lastFailure(of: "setting ZeroMQ option \(option) to \(value)")
        }
    }

    func setWide(_ option: Int32, to value: Int64) throws(TransportError) {
        var value = value
        guard zmq_setsockopt(open, option, &value, MemoryLayout<Int64>.size) == 0 else {
            throw .lastFailure(of: "setting ZeroMQ option \(option) to \(value)")
        }
    }

    /// The value is left out of the error: it may be a secret key.
    func set(_ option: Int32, to text: String) throws(TransportError) {
        let status = text.withCString { zmq_setsockopt(open, option, $0, strlen($0)) }
        guard status == 0 else {
            throw .lastFailure(of: "setting ZeroMQ option \(option)")
        }
    }

    /// Where the last `bind` or `connect` ended up, with the port that the system chose.
    var lastEndpoint: String {
        var byteCount = 1_024
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: byteCount) { buffer in
            let status = zmq_getsockopt(open, ZMQ_LAST_ENDPOINT, buffer.baseAddress, &byteCount)
            guard status == 0, let start = buffer.baseAddress else {
                preconditionFailure("a bound socket has no endpoint")
            }
            return String(cString: start)
        }
    }

    // MARK: Frames

    enum SendOutcome {
        case sent
        case failed(code: Int32)
    }

    /// Queues one frame without waiting.
    func send(_ frame: [UInt8], isLast: Bool) -> SendOutcome {
        let flags = isLast ? ZMQ_DONTWAIT : ZMQ_DONTWAIT | ZMQ_SNDMORE
        while true {
            let status = frame.withUnsafeBytes { bytes in
                zmq_send(open, bytes.baseAddress, bytes.count, flags)
            }
            guard status < 0 else { return .sent }
            let code = zmq_errno()
            if code != EINTR { return .failed(code: code) }
        }
    }

    /// One message as it arrived, with at most `FrameMessage.frameCount` of its frames.
    struct Arrival {
        var route: [UInt8] = []
        var userID: String?
        var address: String?
        var frames: [[UInt8]] = []
        /// How many frames it had: those beyond the right count were thrown away one by one.
        var frameCount = 0
    }

    /// Takes the next message, if one is there.
    ///
    /// - Parameters:
    ///   - hasRoute: the first frame is the peer's route, as a ROUTER puts it.
    ///   - trustsUserID: a ZAP handler vouched for it; without one a peer can claim any.
    func receive(hasRoute: Bool, trustsUserID: Bool) -> Arrival? {
        guard receivePart() else { return nil }
        var arrival = Arrival()
        if hasRoute {
            arrival.route = partBytes
            precondition(zmq_msg_more(part) == 1, "a ROUTER delivered a route without a message")
            nextPart()
        }
        arrival.address = property("Peer-Address")
        if trustsUserID { arrival.userID = property("User-Id") }
        while true {
            arrival.frameCount += 1
            if arrival.frameCount <= FrameMessage.frameCount { arrival.frames.append(partBytes) }
            guard zmq_msg_more(part) == 1 else { return arrival }
            nextPart()
        }
    }

    /// All frames of the next message from inside this process, if one is there.
    func receiveLocalFrames() -> [[UInt8]]? {
        guard receivePart() else { return nil }
        var frames = [partBytes]
        while zmq_msg_more(part) == 1 {
            nextPart()
            frames.append(partBytes)
        }
        return frames
    }

    private func receivePart() -> Bool {
        while zmq_msg_recv(part, open, ZMQ_DONTWAIT) < 0 {
            switch zmq_errno() {
            case EAGAIN: return false
            case EINTR: continue
            case let code:
                preconditionFailure("receiving from a socket: \(TransportError.text(of: code))")
            }
        }
        return true
    }

    /// libzmq delivers whole messages, so the frames after the first are there already.
    private func nextPart() {
        precondition(receivePart(), "libzmq delivered a part of a message")
    }

    private var partBytes: [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(part), count: zmq_msg_size(part)))
    }

    private func property(_ name: String) -> String? {
        zmq_msg_gets(part, name).map { String(cString: $0) }
    }
}
