import Glibc

/// What libzmq needs to be told, and what its error codes mean, for one address.
extension Endpoint {
    /// libzmq looks up no names when it binds, not even `localhost`.
    var bindText: String { numericLoopback.description }

    /// `localhost` is numeric here too: a machine may list ::1 first while the coordinator listens on
    /// 127.0.0.1, and libzmq tries the first address only.
    var connectText: String { numericLoopback.description }

    private var numericLoopback: Endpoint {
        guard case .tcp("localhost", let port) = self else { return self }
        return .tcp(host: "127.0.0.1", port: port)
    }

    /// libzmq deletes whatever lies at an `ipc://` path before it binds, be it a file of the user's or
    /// the socket of a live coordinator: only a socket that nobody listens on may be replaced.
    func requireFreePath() throws(TransportError) {
        guard case .ipc(let path) = self, !path.hasPrefix("@") else { return }
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .pathOccupied(self) }
        if try Self.listens(path: path) { throw .addressInUse(self) }
    }

    private static func listens(path: String) throws(TransportError) -> Bool {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0
        )
        guard descriptor >= 0 else { throw .lastSystemFailure(of: "opening a socket") }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        precondition(path.utf8.count <= pathByteLimit, "the parser let a longer path pass")
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // Full backlogs and missing permissions mean that somebody is there.
        return status == 0 || errno != ECONNREFUSED
    }

    func bindFailure(code: Int32) -> TransportError {
        switch code {
        case EADDRINUSE: .addressInUse(self)
        case EADDRNOTAVAIL, ENODEV: .notLocalAddress(self)
        case EACCES, EPERM, EROFS: .permissionDenied(self)
        case ENOENT, ENOTDIR: .missingFolder(self)
        case EMFILE, ENFILE: .tooManyOpenFiles
        case EINVAL: .badEndpoint(text: description, .rejected(reason: "libzmq rejects it"))
        default: .system(operation: "listening on \(self)", code: code)
        }
    }

    func requireConnectable() throws(TransportError) {
        guard !isWildcard else { throw .badEndpoint(text: description, .wildcardHost) }
        if case .tcp(_, port: 0) = self { throw .badEndpoint(text: description, .wildcardPort) }
    }

    func connectFailure(code: Int32) -> TransportError {
        switch code {
        case EINVAL: .badEndpoint(text: description, .rejected(reason: "libzmq rejects it"))
        case EMFILE, ENFILE: .tooManyOpenFiles
        default: .system(operation: "connecting to \(self)", code: code)
        }
    }
}
