import Glibc

/// What a coordinator needs to know: its own keys, and who may connect.
public struct ServerCertificate: Sendable {
    /// The coordinator's own.
    public let keys: KeyPair
    /// The clients that may connect; to revoke one, delete its line and restart or reload.
    public let clientKeys: [PublicKey]

    /// A certificate for the holder of `keys`.
    public init(keys: KeyPair, clientKeys: [PublicKey]) {
        self.keys = keys
        self.clientKeys = clientKeys
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
    }

    /// Writes it for its owner only (mode 0600), in one step; an existing file is kept unless
    /// `replacing`.
    public func write(to path: String, replacing: Bool = false) throws(TransportError) {
        var lines = CertificateFile.lines(kind: .server, keys: keys)
        lines += clientKeys.map { "client \($0)" }
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
