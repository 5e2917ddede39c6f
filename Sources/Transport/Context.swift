import CZeroMQ
import Glibc

/// The I/O threads behind the sockets of a process; usually there is one.
///
/// It ends when it and the last of its sockets are gone, and then waits until what they still had to
/// send has left or their linger has passed: close sockets before the process exits.
public struct Context: ~Copyable, Sendable {
    let handle: ContextHandle

    /// - Parameters:
    ///   - ioThreadCount: one moves about a gigabyte per second.
    ///   - socketLimit: sockets, not connections; a bench with thousands of clients needs more.
    public init(
        ioThreadCount: Int = 1, socketLimit: Int = Int(ZMQ_MAX_SOCKETS_DFLT)
    ) throws(TransportError) {
        guard let pointer = zmq_ctx_new() else {
            throw .lastFailure(of: "starting ZeroMQ")
        }
        let handle = ContextHandle(pointer)
        for (option, value) in [(ZMQ_IO_THREADS, ioThreadCount), (ZMQ_MAX_SOCKETS, socketLimit)]
        where zmq_ctx_set(pointer, option, Int32(value)) != 0 {
            throw .lastFailure(of: "setting up ZeroMQ")
        }
        self.handle = handle
    }

    /// Lets the process open as many files as the system allows it, and returns how many.
    ///
    /// Every connection takes one. At the usual limit of 1024 a coordinator would stop hearing new
    /// workers, and libzmq would spin on the connections that it cannot accept.
    public static func raiseOpenFileLimit() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// Whether the process has opened as many files as it may, so that no connection is accepted.
    public static var isAtOpenFileLimit: Bool {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        if descriptor >= 0 {
            close(descriptor)
            return false
        }
        return errno == EMFILE || errno == ENFILE
    }

    /// The version of the library that was loaded, as `4.3.4`.
    public static var libraryVersion: String {
        var (major, minor, patch): (Int32, Int32, Int32) = (0, 0, 0)
        zmq_version(&major, &minor, &patch)
        return "\(major).\(minor).\(patch)"
    }
}

/// Keeps the context until its last socket has gone: terminating it earlier would wait for ever.
///
/// Unchecked, because the pointer never changes and libzmq documents contexts as thread-safe.
final class ContextHandle: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer

    init(_ pointer: UnsafeMutableRawPointer) {
        self.pointer = pointer
    }

    deinit {
        while zmq_ctx_term(pointer) != 0 {
            precondition(zmq_errno() == EINTR, "a ZeroMQ context was ended twice")
        }
    }
}
