import Glibc

/// Says which process has a run in its hands.
public enum RunInUse: Error, Hashable, Sendable, CustomStringConvertible {
    case held(folder: String, holder: String)
    /// The lock file cannot be opened.
    case unusable(path: String, reason: String)

    public var description: String {
        switch self {
        case .held(let folder, let holder): "the run \(folder) is in use by \(holder)"
        case .unusable(let path, let reason): "\(path) cannot be opened: \(reason)"
        }
    }
}

/// Keeps a second coordinator from a run. The kernel lets go of it when the process ends, however
/// it ends.
public struct RunLock: ~Copyable {
    private let descriptor: Int32

    /// - Parameters:
    ///   - path: the lock file; made if it is missing.
    ///   - folder: the run's folder, for the message.
    /// - Throws: `RunInUse` if another process holds the lock.
    public init(path: String, folder: String) throws(RunInUse) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw .unusable(path: path, reason: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.content(of: descriptor)
            close(descriptor)
            throw .held(folder: folder, holder: holder)
        }
        let text = "process \(getpid())"
        ftruncate(descriptor, 0)
        _ = text.withCString { write(descriptor, $0, strlen($0)) }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    private static func content(of descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : "another process"
    }
}
