import Glibc

/// How a process ended.
public enum ProcessEnd: Hashable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    public var description: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signalled(let signal):
            "was killed by signal \(signal) (\(String(cString: strsignal(signal))))"
        }
    }
}

public struct SpawnError: Error, Hashable, Sendable, CustomStringConvertible {
    public let program: String
    public let reason: String

    public var description: String { "\(program) cannot be started: \(reason)" }
}

/// A child process in a process group of its own, so that Ctrl-C in the terminal reaches its parent
/// only. Its standard input ends when this value, or this process, does.
public struct ChildProcess: ~Copyable {
    public let identifier: pid_t
    /// Its standard output, non-blocking; readable in a poll loop.
    public let output: Int32
    private let input: Int32

    /// - Parameters:
    ///   - environment: variables that replace or extend this process's.
    ///   - log: the file its standard error is appended to; nil is this process's.
    public init(
        program: String, arguments: [String], environment: [(name: String, value: String)] = [],
        log: String? = nil
    ) throws(SpawnError) {
        let toChild = try Self.pipe(program)
        let fromChild: (read: Int32, write: Int32)
        do {
            fromChild = try Self.pipe(program)
        } catch {
            close(toChild.read)
            close(toChild.write)
            throw error
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild.read, 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild.write, 1)
        if let log {
            posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        Self.resetSignals(&attributes)

        var identifier: pid_t = 0
        let status = Self.withStrings(
            [program == Self.itself ? Self.ownProgram() : program] + arguments
        ) { argv in
            Self.withStrings(Self.environment(with: environment)) { envp in
                posix_spawn(&identifier, program, &actions, &attributes, argv, envp)
            }
        }
        close(toChild.read)
        close(fromChild.write)
        guard status == 0 else {
            close(toChild.write)
            close(fromChild.read)
            throw SpawnError(program: program, reason: String(cString: strerror(status)))
        }
        _ = fcntl(fromChild.read, F_SETFL, O_NONBLOCK)
        self.identifier = identifier
        output = fromChild.read
        input = toChild.write
    }

    deinit {
        close(input)
        close(output)
    }

    /// Writes a line to its standard input; a child that is gone does not matter here, its end is
    /// seen where its output ends.
    public func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            offset += count
        }
    }

    public func kill(_ signal: Int32) { Glibc.kill(identifier, signal) }

    /// What it wrote since; nil at the end of its output.
    public func readOutput() -> [UInt8]? {
        var collected: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while collected.count < 1 << 20 {
            let count = read(output, &buffer, buffer.count)
            if count > 0 {
                collected += buffer[..<count]
            } else if count == 0 {
                return collected.isEmpty ? nil : collected
            } else if errno != EINTR {
                break
            }
        }
        return collected
    }

    /// Waits for its end.
    public func wait() -> ProcessEnd {
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        return ProcessEnd(waitStatus: status)
    }

    /// Its status if it has ended, without waiting.
    public func poll() -> ProcessEnd? {
        var status: Int32 = 0
        return waitpid(identifier, &status, WNOHANG) == identifier
            ? ProcessEnd(waitStatus: status) : nil
    }

    /// The running program, also after its file was replaced or removed.
    public static let itself = "/proc/self/exe"

    /// The path of the running program.
    public static func ownProgram() -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink(
                "/proc/self/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self),
                bytes.count)
        }
        precondition(count > 0, "/proc/self/exe cannot be read")
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// The signals that a parent blocks to read them from a descriptor must reach its children.
    private static func resetSignals(_ attributes: inout posix_spawnattr_t) {
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    }

    private static func pipe(_ program: String) throws(SpawnError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else {
            throw SpawnError(program: program, reason: String(cString: strerror(errno)))
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func environment(with changes: [(name: String, value: String)]) -> [String] {
        var lines: [String] = []
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            if !changes.contains(where: { line.hasPrefix($0.name + "=") }) { lines.append(line) }
            entry += 1
        }
        return lines + changes.map { "\($0.name)=\($0.value)" }
    }

    private static func withStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = strings.map { strdup($0) }
        defer { pointers.forEach { free($0) } }
        return body(pointers + [nil])
    }
}

extension ProcessEnd {
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signalled(signal)
    }
}
