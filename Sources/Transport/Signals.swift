import CZeroMQ
import Glibc

/// A signal that a service reacts to.
public struct Signal: RawRepresentable, Hashable, Sendable {
    /// The system's number.
    public let rawValue: Int32

    /// A signal by its number.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Ctrl-C.
    public static let interrupt = Signal(rawValue: SIGINT)
    /// `kill`, `systemctl stop`, the end of a Slurm job.
    public static let terminate = Signal(rawValue: SIGTERM)
    /// The terminal has gone.
    public static let hangUp = Signal(rawValue: SIGHUP)
    /// A child has ended.
    public static let child = Signal(rawValue: SIGCHLD)
    /// For the user, the first.
    public static let user1 = Signal(rawValue: SIGUSR1)
}

/// Signals as something to read in the poll loop, instead of handlers that may do next to nothing.
///
/// Create it on the main thread before any other thread exists: it blocks the signals, threads
/// started later inherit that, and in a thread where one is not blocked it would take its old effect.
/// Children inherit it too, across exec, and so do children spawned from the threads of Swift's tasks,
/// which block nearly every signal: whoever spawns one must give it an empty mask
/// (`posix_spawnattr_setsigmask`) or it cannot be terminated.
public struct SignalDescriptor: ~Copyable, Pollable {
    private let descriptor: Int32

    /// Blocks `signals` in this thread and in those it starts from now on.
    public init(_ signals: [Signal]) throws(TransportError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal.rawValue) }
        let status = pthread_sigmask(SIG_BLOCK, &set, nil)
        precondition(status == 0, "blocking signals failed with \(status)")
        descriptor = alsweep_signalfd(&set)
        guard descriptor >= 0 else { throw .lastSystemFailure(of: "creating a signalfd") }
    }

    deinit {
        close(descriptor)
    }

    /// Readable while signals wait.
    public var pollSource: PollSource { .descriptor(descriptor) }

    /// The next signal, if one waits. Several of the same kind may have become one: after `.child`,
    /// ask about every child.
    public func next() -> Signal? {
        var information = signalfd_siginfo()
        let byteCount = MemoryLayout<signalfd_siginfo>.size
        while true {
            let count = read(descriptor, &information, byteCount)
            if count == byteCount { return Signal(rawValue: Int32(information.ssi_signo)) }
            if count < 0, errno == EINTR { continue }
            precondition(count < 0 && errno == EAGAIN, "reading a signalfd failed with \(errno)")
            return nil
        }
    }

    /// Makes writing to a pipe whose reader has gone an error instead of the end of the process.
    /// Children inherit this: whoever spawns one resets it (`posix_spawnattr_setsigdefault`).
    public static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
