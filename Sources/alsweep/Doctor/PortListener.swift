import Glibc

/// A TCP port that is listened on, by nobody who would answer.
final class PortListener {
    private let descriptor: Int32
    let port: UInt16

    /// nil, with `errno`, where it cannot be listened on. Only numeric addresses and `*` are looked at.
    init?(host: String, port: UInt16) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        let numeric =
            ["*", "localhost"].contains(host) ? (host == "*" ? "0.0.0.0" : "127.0.0.1") : host
        guard inet_pton(AF_INET, numeric, &address.sin_addr) == 1 else {
            errno = EADDRNOTAVAIL
            return nil
        }
        descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 16) == 0
                    ? getsockname(descriptor, address, &length) : -1
            }
        }
        guard status == 0 else {
            let code = errno
            close(descriptor)
            errno = code
            self.port = 0
            return nil
        }
        self.port = UInt16(bigEndian: address.sin_port)
    }

    deinit { if port != 0 { close(descriptor) } }
}
