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
    /// For the user, the second; what Slurm is asked to send before a job's time limit.
    public static let user2 = Signal(rawValue: SIGUSR2)
}

/// Signals as something to read in the poll loop: the handler only writes the signal's number into
/// a pipe. Blocking them for a signalfd would not do: OpenBLAS starts threads before `main`, which
/// would not inherit the mask, and in which a signal would still take its old effect.
///
/// One descriptor at a time has a signal; the last one made gets it. A handler does not survive a
/// child's exec. Children spawned from the threads of Swift's tasks inherit a mask that blocks nearly
/// every signal: whoever spawns one must give it an empty one (`posix_spawnattr_setsigmask`).
public struct SignalDescriptor: ~Copyable, Pollable {
    private let signals: [Signal]
    private let readEnd: Int32
    private let writeEnd: Int32

    /// Takes `signals` for the whole process.
    public init(_ signals: [Signal]) throws(TransportError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .lastSystemFailure(of: "opening a pipe") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        self.signals = signals
        (readEnd, writeEnd) = (ends[0], ends[1])
        for signal in signals {
            signalPipes[Int(signal.rawValue)] = writeEnd
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                var byte = UInt8(truncatingIfNeeded: number)
                let code = errno
                _ = write(signalPipes[Int(number)], &byte, 1)
                errno = code
            }
            action.sa_flags = SA_RESTART
            let status = sigaction(signal.rawValue, &action, nil)
            precondition(status == 0, "signal \(signal.rawValue) cannot be handled")
        }
    }

    deinit {
        for signal in signals where signalPipes[Int(signal.rawValue)] == writeEnd {
            Glibc.signal(signal.rawValue, SIG_DFL)
            signalPipes[Int(signal.rawValue)] = -1
        }
        close(readEnd)
        close(writeEnd)
    }

    /// Readable while signals wait.
    public var pollSource: PollSource { .descriptor(readEnd) }

    /// The next signal, if one waits, in the order of their coming.
    public func next() -> Signal? {
        var byte: UInt8 = 0
        while true {
            let count = read(readEnd, &byte, 1)
            if count == 1 { return Signal(rawValue: Int32(byte)) }
            if count < 0, errno == EINTR { continue }
            precondition(count < 0 && errno == EAGAIN, "reading a pipe failed with \(errno)")
            return nil
        }
    }

    /// Makes writing to a pipe whose reader has gone an error instead of the end of the process.
    /// Children inherit this: whoever spawns one resets it (`posix_spawnattr_setsigdefault`).
    public static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}

/// The pipe of each signal, -1 for none. Made before the first handler is installed; a handler only
/// reads one number of it, which no other thread tears.
nonisolated(unsafe) private let signalPipes: UnsafeMutablePointer<Int32> = {
    let count = 128
    let pipes = UnsafeMutablePointer<Int32>.allocate(capacity: count)
    pipes.initialize(repeating: -1, count: count)
    return pipes
}()
