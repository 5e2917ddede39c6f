import Glibc

/// Where a coordinator listens: `tcp://head:5555`, `tcp://*:5555`, `tcp://[fe80::1]:5555`,
/// `ipc:///run/alsweep.sock`.
public enum Endpoint: Hashable, Sendable {
    /// Host `*` is every interface; port 0, written `*`, is any free one.
    case tcp(host: String, port: UInt16)
    /// A socket in the file system, reachable on this machine only.
    case ipc(path: String)

    /// The port where none is chosen.
    public static let defaultPort: UInt16 = 5555

    /// The longest `ipc://` path, in bytes: Linux keeps 108 with the final zero.
    public static let pathByteLimit = 107

    /// The address in `text`, as a person typed it.
    public init(_ text: String) throws(TransportError) {
        do {
            self = try Self.parse(text)
        } catch {
            throw .badEndpoint(text: text, error)
        }
    }

    private static func parse(_ text: String) throws(EndpointFault) -> Endpoint {
        guard let separator = text.firstRange(of: "://") else {
            throw .missingScheme(suggestion: "tcp://" + withPort(text))
        }
        let scheme = text[..<separator.lowerBound]
        let rest = String(text[separator.upperBound...])
        switch scheme {
        case "tcp": return try parseTCP(rest)
        case "ipc": return try parsePath(rest)
        default: throw .unknownScheme(suggestion: "tcp://" + withPort(rest))
        }
    }

    private static func parsePath(_ path: String) throws(EndpointFault) -> Endpoint {
        guard !path.isEmpty, path != "*" else { throw .missingPath }
        guard path.utf8.count <= pathByteLimit else {
            throw .longPath(byteCount: path.utf8.count)
        }
        return .ipc(path: path)
    }

    private static func parseTCP(_ rest: String) throws(EndpointFault) -> Endpoint {
        let trimmed = rest.hasSuffix("/") ? String(rest.dropLast()) : rest
        let host: String
        let portText: String
        if trimmed.hasPrefix("[") {
            guard let end = trimmed.firstIndex(of: "]") else { throw .unclosedBracket }
            host = String(trimmed[trimmed.index(after: trimmed.startIndex)..<end])
            let tail = trimmed[trimmed.index(after: end)...]
            guard tail.hasPrefix(":") else {
                throw .missingPort(suggestion: "tcp://[\(host)]:\(defaultPort)")
            }
            portText = String(tail.dropFirst())
        } else {
            guard let colon = trimmed.lastIndex(of: ":") else {
                throw .missingPort(suggestion: "tcp://" + withPort(trimmed))
            }
            host = String(trimmed[..<colon])
            portText = String(trimmed[trimmed.index(after: colon)...])
            guard !host.contains(":") else {
                throw .bareIPv6(suggestion: "tcp://[\(host)]:\(portText)")
            }
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "/" || $0 == ";" })
        else { throw .badHost(host) }
        guard let port = portText == "*" ? 0 : UInt16(portText), port > 0 || portText == "*" else {
            throw .badPort(portText)
        }
        return .tcp(host: unmappedAddress(host), port: port)
    }

    private static func withPort(_ text: String) -> String {
        let host = text.prefix { $0 != "/" }
        // `tcp:/head` is a slip in the scheme, not a host called tcp.
        guard !host.isEmpty, !host.hasSuffix(":") else { return "head:\(defaultPort)" }
        return host.contains(":") ? String(host) : "\(host):\(defaultPort)"
    }

    /// Without the prefix under which an IPv6 socket shows IPv4 addresses.
    static func unmappedAddress(_ address: String) -> String {
        let prefix = "::ffff:"
        return address.hasPrefix(prefix) && address.contains(".")
            ? String(address.dropFirst(prefix.count)) : address
    }

    /// Whether only this machine reaches it. A host name counts only if it is `localhost`: what
    /// others resolve to may change.
    public var isLoopback: Bool {
        guard case .tcp(let host, _) = self else { return true }
        if host == "localhost" { return true }
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        if octets.count == 4, octets.allSatisfy({ UInt8($0) != nil }) { return octets[0] == "127" }
        var address = in6_addr()
        guard inet_pton(AF_INET6, host, &address) == 1 else { return false }
        let isEqual = withUnsafeBytes(of: address) { $0.elementsEqual(loopback6) }
        return isEqual
    }

    /// Why the host name has no address now, in the system's words; nil when it has one. May wait
    /// for a name server: ask once, to explain why connecting takes long.
    public func lookupFailure() -> String? {
        guard case .tcp(let host, _) = self else { return nil }
        var addresses: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, nil, &addresses)
        if let addresses { freeaddrinfo(addresses) }
        guard status != 0 else { return nil }
        guard let text = gai_strerror(status) else { return "error \(status)" }
        return String(cString: text)
    }

    private var loopback6: [UInt8] { [UInt8](repeating: 0, count: 15) + [1] }

    /// Where this machine reaches a socket that is bound to this address.
    public var reachedLocally: Endpoint { reached(at: "127.0.0.1") }

    /// The address with a host's name in the place of "every interface".
    public func reached(at host: String) -> Endpoint {
        guard isWildcard, case .tcp(_, let port) = self else { return self }
        return .tcp(host: host, port: port)
    }

    var isWildcard: Bool {
        guard case .tcp(let host, _) = self else { return false }
        return ["*", "0.0.0.0", "::"].contains(host)
    }
}

extension Endpoint: CustomStringConvertible {
    /// As libzmq and people write it.
    public var description: String {
        switch self {
        case .tcp(let host, let port):
            "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port == 0 ? "*" : String(port))"
        case .ipc(let path): "ipc://\(path)"
        }
    }
}

/// What is wrong with an address.
public enum EndpointFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// `head:5555`
    case missingScheme(suggestion: String)
    /// `http://head:5555`
    case unknownScheme(suggestion: String)
    /// `tcp://head`
    case missingPort(suggestion: String)
    /// `tcp://head:http`, or a number outside 1 to 65535
    case badPort(String)
    /// `tcp://:5555`, or characters that no host name has
    case badHost(String)
    /// `tcp://fe80::1:5555`, where the port cannot be told from the address
    case bareIPv6(suggestion: String)
    /// `tcp://[fe80::1:5555`
    case unclosedBracket
    /// `ipc://`
    case missingPath
    /// Longer than the kernel's field for it.
    case longPath(byteCount: Int)
    /// `tcp://*:5555` where a worker needs the name of one machine.
    case wildcardHost
    /// `tcp://head:*` where a worker needs the number.
    case wildcardPort
    /// libzmq's own objection.
    case rejected(reason: String)

    /// What is wrong.
    public var description: String {
        switch self {
        case .missingScheme: "it does not begin with tcp:// or ipc://"
        case .unknownScheme: "only tcp:// and ipc:// are supported"
        case .missingPort: "it has no port"
        case .badPort(let port): "'\(port)' is not a port from 1 to 65535"
        case .badHost(let host): "'\(host)' is not a host"
        case .bareIPv6: "an IPv6 address needs brackets"
        case .unclosedBracket: "the ] is missing"
        case .missingPath: "it has no path"
        case .longPath(let byteCount):
            "its path has \(byteCount) bytes; Linux allows \(Endpoint.pathByteLimit)"
        case .wildcardHost: "it stands for every interface, and a worker connects to one machine"
        case .wildcardPort: "a worker has to know the port"
        case .rejected(let reason): reason
        }
    }

    /// The remedy.
    public var hint: String {
        switch self {
        case .missingScheme(let suggestion), .unknownScheme(let suggestion),
            .missingPort(let suggestion), .bareIPv6(let suggestion):
            "write \(suggestion)"
        case .badPort: "write a number such as \(Endpoint.defaultPort)"
        case .badHost, .unclosedBracket, .rejected:
            "write tcp://head:\(Endpoint.defaultPort), with the coordinator's host name"
        case .missingPath: "write ipc:///run/user/1000/alsweep.sock, or another path"
        case .longPath: "choose a shorter path"
        case .wildcardHost, .wildcardPort:
            "write the host name and the port that the coordinator printed when it started"
        }
    }
}
