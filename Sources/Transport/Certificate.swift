import Glibc

/// What a coordinator needs to know: its own keys, and who may connect.
public struct ServerCertificate: Sendable {
    /// The coordinator's own.
    public let keys: KeyPair
    /// Who may connect, as what, and who no longer may.
    public var clients: [AuthorizedKey]

    /// A certificate for the holder of `keys`.
    public init(keys: KeyPair, clients: [AuthorizedKey]) {
        self.keys = keys
        self.clients = clients
    }

    /// A certificate for the holder of `keys`, with workers that are named `client`, `client-2`, …
    public init(keys: KeyPair, clientKeys: [PublicKey]) {
        self.init(
            keys: keys,
            clients: clientKeys.enumerated().map { index, key in
                AuthorizedKey(name: Self.legacyName(index), role: .worker, key: key)
            })
    }

    /// The keys that are allowed in a role.
    public func keys(of role: KeyRole) -> [PublicKey] {
        clients.filter { $0.role == role && !$0.isRevoked }.map(\.key)
    }

    /// The same keys as another copy of this certificate and what either has more: what was revoked in
    /// one is revoked.
    public func merged(with other: ServerCertificate) -> ServerCertificate {
        guard other.keys.publicKey == keys.publicKey else { return self }
        var merged = self
        for client in other.clients {
            if let index = merged.clients.firstIndex(where: { $0.key == client.key }) {
                merged.clients[index].isRevoked =
                    merged.clients[index].isRevoked || client.isRevoked
            } else {
                merged.clients.append(client)
            }
        }
        return merged
    }

    fileprivate static func legacyName(_ index: Int) -> String {
        index == 0 ? "client" : "client-\(index + 1)"
    }
}

/// What the holder of a key may do.
public enum KeyRole: String, CaseIterable, Hashable, Sendable {
    /// Take trials and report their results.
    case worker
    /// Command a sweep.
    case client

    /// Where it lets in.
    public var domain: SecurityDomain {
        switch self {
        case .worker: .worker
        case .client: .control
        }
    }
}

/// A key that a coordinator lets in, or did once.
public struct AuthorizedKey: Hashable, Sendable {
    /// Its certificate's file without the ending.
    public let name: String
    public let role: KeyRole
    public let key: PublicKey
    public var isRevoked = false

    public init(name: String, role: KeyRole, key: PublicKey) {
        self.name = name
        self.role = role
        self.key = key
    }

    /// What a file can be named by, and a line can hold.
    public static func isName(_ name: String) -> Bool {
        name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/) != nil && name != "server"
    }
}

/// What a worker needs to know: its own keys, and whom to trust.
public struct ClientCertificate: Sendable {
    /// The worker's own.
    public let keys: KeyPair
    /// The coordinator's.
    public let serverKey: PublicKey

    /// A certificate for the holder of `keys`.
    public init(keys: KeyPair, serverKey: PublicKey) {
        self.keys = keys
        self.serverKey = serverKey
    }
}

extension ServerCertificate {
    /// Reads a server certificate; refuses one that other users can read.
    public init(path: String) throws(TransportError) {
        let certificate = try CertificateFile(path: path)
        self.init(
            keys: try certificate.keys(kind: .server),
            clientKeys: try certificate.publicKeys("client"))
        clients += try certificate.authorizedKeys()
    }

    /// Writes it for its owner only (mode 0600), in one step; an existing file is kept unless
    /// `replacing`.
    public func write(to path: String, replacing: Bool = false) throws(TransportError) {
        var lines = CertificateFile.lines(kind: .server, keys: keys)
        // Unnamed workers as programs before roles wrote, and read, them.
        let isLegacy =
            clients.enumerated().allSatisfy { $1.name == Self.legacyName($0) && $1.role == .worker }
            && !clients.contains(where: \.isRevoked)
        lines += clients.map { client in
            isLegacy
                ? "client \(client.key)"
                : "\(client.isRevoked ? "revoked" : "allowed")-\(client.role.rawValue) \(client.key) "
                    + client.name
        }
        try CertificateFile.write(lines, to: path, replacing: replacing)
    }
}

extension ClientCertificate {
    /// Reads a client certificate; refuses one that other users can read.
    public init(path: String) throws(TransportError) {
        let certificate = try CertificateFile(path: path)
        let keys = try certificate.keys(kind: .client)
        self.init(keys: keys, serverKey: try certificate.onlyPublicKey("server"))
    }

    /// Writes it for its owner only (mode 0600), in one step; an existing file is kept unless
    /// `replacing`.
    public func write(to path: String, replacing: Bool = false) throws(TransportError) {
        var lines = CertificateFile.lines(kind: .client, keys: keys)
        lines.append("server \(serverKey)")
        try CertificateFile.write(lines, to: path, replacing: replacing)
    }
}

/// What is wrong with a certificate file.
public enum CertificateFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The system's objection.
    case system(operation: String, code: Int32)
    /// Group or others may read or write it.
    case open(mode: UInt32)
    /// It belongs to another user.
    case foreign
    /// A folder, a pipe, or larger than any certificate.
    case notCertificate
    /// The other kind.
    case wrongKind(found: String, expected: String)
    /// A line is missing or there twice.
    case lineCount(name: String, count: Int)
    /// A line that is none of ours.
    case badLine(number: Int)
    /// A value that is not a key.
    case badKey(line: Int, KeyFault)
    /// The public key is not that of the secret key.
    case mismatchedKeys
    /// Writing would destroy keys in use.
    case exists

    /// What is wrong.
    public var description: String {
        switch self {
        case .system(let operation, let code):
            "cannot \(operation): \(TransportError.text(of: code))"
        case .open(let mode):
            "other users can read or change this secret key (mode 0\(String(mode, radix: 8)))"
        case .foreign: "this secret key belongs to another user"
        case .notCertificate: "not a certificate"
        case .wrongKind(let found, let expected):
            "a \(found) certificate where a \(expected) certificate is needed"
        case .lineCount(let name, 0): "the line '\(name) …' is missing"
        case .lineCount(let name, let count): "the line '\(name) …' is there \(count) times"
        case .badLine(let number): "line \(number) is not understood"
        case .badKey(let line, let fault): "line \(line): \(fault)"
        case .mismatchedKeys: "the public key does not belong to the secret key"
        case .exists: "already exists; replacing it would lock out everyone who uses it"
        }
    }

    func hint(path: String) -> String? {
        switch self {
        case .open: "run `chmod 600 \(path)`; if others may have read it, make new keys"
        case .foreign: "copy it to a file of your own with mode 0600"
        case .system(_, ENOENT), .notCertificate, .lineCount, .badLine, .badKey, .mismatchedKeys:
            "make certificates with `alsweep keys new`, or copy the file again"
        case .wrongKind:
            "the coordinator reads the server certificate, workers the client certificate"
        case .exists: "choose another name, or delete the file first"
        case .system: nil
        }
    }
}
