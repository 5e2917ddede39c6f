import CZeroMQ
import Glibc

/// Why the transport cannot do what it was asked.
public enum TransportError: Error, Hashable, Sendable {
    /// The text is not an address that a socket can use.
    case badEndpoint(text: String, EndpointFault)
    /// Another program, or another coordinator, listens there.
    case addressInUse(Endpoint)
    /// No network interface of this machine has the address.
    case notLocalAddress(Endpoint)
    /// A port below 1024, or a folder that this user may not write to.
    case permissionDenied(Endpoint)
    /// The folder of an `ipc://` path does not exist, or is a file.
    case missingFolder(Endpoint)
    /// Something that is not a socket lies where an `ipc://` socket should; libzmq would delete it.
    case pathOccupied(Endpoint)
    /// A public address without CURVE: anyone who reaches it could command the sweep.
    case publicAddressWithoutKeys(Endpoint)
    /// The text is not a key of 40 Z85 characters.
    case badKey(KeyFault)
    /// A certificate file cannot be read, written or trusted.
    case certificate(path: String, CertificateFault)
    /// The process has as many descriptors open as its limit allows.
    case tooManyOpenFiles
    /// The installed libzmq was built without CURVE.
    case withoutCurve
    /// Any other failure of libzmq or the kernel.
    case system(operation: String, code: Int32)
}

extension TransportError: CustomStringConvertible {
    /// What failed and the value concerned; `hint` has the remedy.
    public var description: String {
        switch self {
        case .badEndpoint(let text, let fault):
            "'\(text)' is not an address to use here: \(fault)"
        case .addressInUse(let endpoint):
            "cannot listen on \(endpoint): the address is in use"
        case .notLocalAddress(let endpoint):
            "cannot listen on \(endpoint): no network interface of this machine has that address"
        case .permissionDenied(let endpoint):
            "cannot listen on \(endpoint): permission denied"
        case .missingFolder(let endpoint):
            "cannot listen on \(endpoint): its folder does not exist"
        case .pathOccupied(let endpoint):
            "cannot listen on \(endpoint): a file that is not a socket is in the way"
        case .publicAddressWithoutKeys(let endpoint):
            "refusing to listen on \(endpoint) without keys: other machines can reach it"
        case .badKey(let fault): "\(fault)"
        case .certificate(let path, let fault): "\(path): \(fault)"
        case .tooManyOpenFiles: "too many open files"
        case .withoutCurve: "the installed libzmq was built without CURVE encryption"
        case .system(let operation, let code): "\(operation) failed: \(Self.text(of: code))"
        }
    }

    /// The remedy, where there is one to name.
    public var hint: String? {
        switch self {
        case .badEndpoint(_, let fault): fault.hint
        case .addressInUse:
            "stop the other program, choose another port, or write port * to have one chosen"
        case .notLocalAddress:
            "listen on tcp://*:\(Endpoint.defaultPort), or on an address that `ip addr` shows"
        case .permissionDenied(.tcp): "choose a port of 1024 or above"
        case .permissionDenied(.ipc), .missingFolder:
            "choose a folder that exists and that you may write to"
        case .pathOccupied: "move the file away or choose another path"
        case .publicAddressWithoutKeys:
            "create keys with `alsweep keys new`, or listen on 127.0.0.1 and use an SSH tunnel"
        case .badKey: "copy the key again from the file that `alsweep keys new` wrote"
        case .certificate(let path, let fault): fault.hint(path: path)
        case .tooManyOpenFiles: "raise the limit: `ulimit -n 65536`"
        case .withoutCurve: "install a libzmq with libsodium, as Debian's libzmq5 is"
        case .system: nil
        }
    }

    /// The failure that libzmq has just reported on this thread.
    static func lastFailure(of operation: String) -> TransportError {
        failure(of: operation, code: zmq_errno())
    }

    /// The failure that the C library has just reported on this thread.
    static func lastSystemFailure(of operation: String) -> TransportError {
        failure(of: operation, code: errno)
    }

    private static func failure(of operation: String, code: Int32) -> TransportError {
        code == EMFILE || code == ENFILE
            ? .tooManyOpenFiles : .system(operation: operation, code: code)
    }

    /// libzmq's wording, which covers its own codes and the system's.
    static func text(of code: Int32) -> String {
        guard let text = zmq_strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }
}
