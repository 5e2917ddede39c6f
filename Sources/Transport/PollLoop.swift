import CZeroMQ
import Glibc

/// Something that a `PollLoop` can wait for.
public protocol Pollable: ~Copyable {
    /// What to hand to the kernel or to libzmq.
    var pollSource: PollSource { get }
}

/// What a poll loop watches behind the scenes.
public struct PollSource {
    enum Kind {
        case socket(SocketHandle)
        case descriptor(Int32)
    }

    let kind: Kind

    /// A file descriptor that somebody else owns and keeps open while it is watched.
    public static func descriptor(_ number: Int32) -> PollSource {
        PollSource(kind: .descriptor(number))
    }

    static func socket(_ handle: SocketHandle) -> PollSource {
        PollSource(kind: .socket(handle))
    }
}

extension RouterSocket: Pollable {
    /// Readable while messages wait.
    public var pollSource: PollSource { .socket(handle) }
}

extension DealerSocket: Pollable {
    /// Readable while messages wait.
    public var pollSource: PollSource { .socket(handle) }
}

extension Authenticator: Pollable {
    /// Readable while handshakes wait.
    public var pollSource: PollSource { .socket(handle) }
}

extension SocketMonitor: Pollable {
    /// Readable while events wait.
    public var pollSource: PollSource { .socket(handle) }
}

/// One of the things that a loop watches.
public struct Watch: Hashable, Sendable {
    fileprivate let number: Int
}

/// The things that are readable now.
public struct ReadySet: Sendable {
    fileprivate var numbers: [Int] = []

    /// Whether nothing is: the time was up, or a signal handler ran.
    public var isEmpty: Bool { numbers.isEmpty }

    /// Whether `watch` can be read. A descriptor also counts as readable when its other end has
    /// closed, so that the reader sees the end.
    public func contains(_ watch: Watch) -> Bool {
        numbers.contains(watch.number)
    }
}

/// Waits for all sockets and descriptors of one thread at once.
///
/// What is readable stays so until it is read: a caller may take a few messages, look at the others
/// and come back.
public struct PollLoop: ~Copyable {
    private struct Entry {
        let number: Int
        let source: PollSource
    }

    private var entries: [Entry] = []
    private var nextNumber = 0

    /// A loop that watches nothing.
    public init() {}

    /// Watches `target` until `unwatch`, or until its owner closes it.
    public mutating func watch(_ target: borrowing some Pollable & ~Copyable) -> Watch {
        watch(target.pollSource)
    }

    /// Watches a descriptor such as a child's pipe. Unwatch it before closing it: the kernel may give
    /// its number to another file.
    public mutating func watch(_ source: PollSource) -> Watch {
        let number = nextNumber
        nextNumber += 1
        entries.append(Entry(number: number, source: source))
        return Watch(number: number)
    }

    /// Forgets `watch`.
    public mutating func unwatch(_ watch: Watch) {
        entries.removeAll { $0.number == watch.number }
    }

    /// Waits until something is readable or `timeoutMs` have passed; nil waits for ever.
    ///
    /// May come back early with nothing when a signal arrives: work out the time left again.
    public mutating func wait(timeoutMs: Int?) throws(TransportError) -> ReadySet {
        entries.removeAll { entry in
            if case .socket(let handle) = entry.source.kind { handle.pointer == nil } else { false }
        }
        precondition(
            !entries.isEmpty || timeoutMs != nil, "a loop that watches nothing would wait for ever")
        var items = entries.map { entry in
            switch entry.source.kind {
            case .socket(let handle):
                zmq_pollitem_t(
                    socket: handle.open, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
            case .descriptor(let number):
                zmq_pollitem_t(socket: nil, fd: number, events: Int16(ZMQ_POLLIN), revents: 0)
            }
        }
        let count = zmq_poll(&items, Int32(items.count), timeoutMs.map { max(0, $0) } ?? -1)
        guard count >= 0 else {
            if zmq_errno() == EINTR { return ReadySet() }
            throw .lastFailure(of: "waiting for sockets")
        }
        // A descriptor whose other end has closed shows ZMQ_POLLERR only.
        let ready = zip(entries, items).filter { $1.revents != 0 }
        return ReadySet(numbers: ready.map { $0.0.number })
    }
}
