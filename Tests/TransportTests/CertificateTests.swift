import Foundation
import Testing

@testable import Transport

@Suite("Certificates")
struct CertificateTests {
    @Test("a server certificate survives its file, which is for its owner only")
    func server() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("server.key")
        let clientKeys = [
            try KeyPair.generate().publicKey, try KeyPair.generate().publicKey,
        ]
        let keys = try KeyPair.generate()
        try ServerCertificate(keys: keys, clientKeys: clientKeys).write(to: path)
        #expect(try Self.mode(of: path) == 0o600)
        let read = try ServerCertificate(path: path)
        #expect(read.keys.publicKey == keys.publicKey)
        #expect(read.keys.secretKey.text == keys.secretKey.text)
        #expect(read.keys(of: .worker) == clientKeys)
    }

    @Test("a client certificate survives its file, which is for its owner only")
    func client() throws {
        let folder = try TemporaryFolder()
        let (path, certificate) = try Self.clientFile(in: folder)
        #expect(try Self.mode(of: path) == 0o600)
        let read = try ClientCertificate(path: path)
        #expect(read.keys.publicKey == certificate.keys.publicKey)
        #expect(read.keys.secretKey.text == certificate.keys.secretKey.text)
        #expect(read.serverKey == certificate.serverKey)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path(".")).count == 1)
    }

    @Test(
        "a file that others can read or write is refused", arguments: [0o640, 0o604, 0o620, 0o777])
    func openFile(mode: Int) throws {
        let folder = try TemporaryFolder()
        let (path, _) = try Self.clientFile(in: folder)
        #expect(chmod(path, mode_t(mode)) == 0)
        let error = #expect(
            throws: TransportError.certificate(path: path, .open(mode: UInt32(mode)))
        ) { try ClientCertificate(path: path) }
        #expect(try #require(error?.hint).contains("chmod 600 \(path)"))
        #expect(try #require(error?.description).contains("0" + String(mode, radix: 8)))
    }

    @Test("keys in use are not overwritten unless asked")
    func existingFile() throws {
        let folder = try TemporaryFolder()
        let (path, certificate) = try Self.clientFile(in: folder)
        let other = ClientCertificate(
            keys: try .generate(), serverKey: try KeyPair.generate().publicKey)
        #expect(throws: TransportError.certificate(path: path, .exists)) {
            try other.write(to: path)
        }
        #expect(try ClientCertificate(path: path).keys.publicKey == certificate.keys.publicKey)
        try other.write(to: path, replacing: true)
        #expect(try ClientCertificate(path: path).keys.publicKey == other.keys.publicKey)
        #expect(try Self.mode(of: path) == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path(".")).count == 1)
    }

    @Test("the other kind of certificate is named")
    func otherKind() throws {
        let folder = try TemporaryFolder()
        let (path, _) = try Self.clientFile(in: folder)
        let fault = CertificateFault.wrongKind(found: "client", expected: "server")
        #expect(throws: TransportError.certificate(path: path, fault)) {
            try ServerCertificate(path: path)
        }
    }

    /// What can be wrong with the text of a client certificate.
    enum Damage: CaseIterable, Sendable {
        case empty
        case otherFile
        case withoutSecret
        case twoSecrets
        case shortKey
        case badCharacter
        case unknownLine
        case foreignPublicKey

        func apply(to text: String) throws -> String {
            var lines = text.split(separator: "\n").map(String.init)
            switch self {
            case .empty: return ""
            case .otherFile: return "sweep: quick\n"
            case .withoutSecret: lines.removeAll { $0.hasPrefix("secret-key") }
            case .twoSecrets: lines.append(lines[3])
            case .shortKey: lines[3].removeLast()
            case .badCharacter: lines[3] = String(lines[3].dropLast()) + "~"
            case .unknownLine: lines.append("colour blue")
            case .foreignPublicKey: lines[2] = "public-key \(try KeyPair.generate().publicKey)"
            }
            return lines.joined(separator: "\n")
        }

        var fault: CertificateFault {
            switch self {
            case .empty, .otherFile: .notCertificate
            case .withoutSecret: .lineCount(name: "secret-key", count: 0)
            case .twoSecrets: .lineCount(name: "secret-key", count: 2)
            case .shortKey: .badKey(line: 4, .length(name: "secret key", characterCount: 39))
            case .badCharacter: .badKey(line: 4, .characters(name: "secret key", value: nil))
            case .unknownLine: .badLine(number: 6)
            case .foreignPublicKey: .mismatchedKeys
            }
        }
    }

    @Test("a damaged file says where", arguments: Damage.allCases)
    func damaged(damage: Damage) throws {
        let folder = try TemporaryFolder()
        let (path, certificate) = try Self.clientFile(in: folder)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data(try damage.apply(to: text).utf8))
        try file.close()
        let error = #expect(throws: TransportError.certificate(path: path, damage.fault)) {
            try ClientCertificate(path: path)
        }
        let description = try #require(error?.description)
        #expect(!description.contains(certificate.keys.secretKey.text.prefix(20)))
        #expect(try #require(error?.hint).contains("alsweep keys new"))
    }

    @Test("what is not a file is not a certificate")
    func notFiles() throws {
        let folder = try TemporaryFolder()
        let missing = folder.path("missing.key")
        #expect(
            throws: TransportError.certificate(
                path: missing, .system(operation: "open it", code: ENOENT))
        ) { try ClientCertificate(path: missing) }
        #expect(throws: TransportError.certificate(path: folder.path("."), .notCertificate)) {
            try ClientCertificate(path: folder.path("."))
        }
        let pipe = folder.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(throws: TransportError.certificate(path: pipe, .notCertificate)) {
            try ClientCertificate(path: pipe)
        }
    }

    @Test("a secret key prints as nothing but that")
    func hiddenSecret() throws {
        let keys = try KeyPair.generate()
        var dumped = ""
        dump(keys, to: &dumped)
        for text in ["\(keys)", String(reflecting: keys), String(describing: keys), dumped] {
            #expect(!text.contains(keys.secretKey.text))
        }
        #expect("\(keys.publicKey)".count == 40)
    }

    /// The example pair of ZeroMQ RFC 26 as Z85 (RFC 32) writes it, from the manual of
    /// `zmq_curve_keypair`.
    @Test("the public key follows from the secret key")
    func derived() throws {
        let secretKey = try SecretKey("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6")
        let publicKey = try PublicKey("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
        #expect(try KeyPair(secretKey: secretKey).publicKey == publicKey)
    }

    private static func clientFile(
        in folder: borrowing TemporaryFolder
    ) throws -> (path: String, certificate: ClientCertificate) {
        let path = folder.path("client.key")
        let certificate = ClientCertificate(
            keys: try .generate(), serverKey: try KeyPair.generate().publicKey)
        try certificate.write(to: path)
        return (path, certificate)
    }

    private static func mode(of path: String) throws -> UInt32 {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return status.st_mode & 0o7777
    }
}

extension CertificateTests {
    @Test("a server certificate keeps its clients' names and roles, and who was revoked")
    func authorizedKeys() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("server.key")
        var certificate = ServerCertificate(
            keys: try .generate(), clientKeys: [try KeyPair.generate().publicKey])
        #expect(certificate.clients.map(\.name) == ["client"])
        certificate.clients.append(
            AuthorizedKey(name: "lab.7", role: .worker, key: try KeyPair.generate().publicKey))
        certificate.clients.append(
            AuthorizedKey(name: "boss", role: .client, key: try KeyPair.generate().publicKey))
        certificate.clients[1].isRevoked = true
        try certificate.write(to: path)
        let read = try ServerCertificate(path: path)
        #expect(read.clients == certificate.clients)
        #expect(read.keys(of: .worker) == [certificate.clients[0].key])
        #expect(read.keys(of: .client) == [certificate.clients[2].key])

        // The original, from which a run took its copy, knows nothing of the revocation.
        let original = ServerCertificate(
            keys: certificate.keys,
            clients: [certificate.clients[0]] + [
                AuthorizedKey(name: "lab.7", role: .worker, key: certificate.clients[1].key)
            ])
        #expect(original.merged(with: read).clients == read.clients)
        let other = ServerCertificate(keys: try .generate(), clientKeys: [])
        #expect(other.merged(with: read).clients.isEmpty)
    }

    @Test(
        "a line of an authorized key that is not one is named",
        arguments: ["allowed-worker KEY", "allowed-admin KEY x", "revoked-client KEY a/b"])
    func damagedHolder(line: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("server.key")
        try ServerCertificate(keys: .generate(), clientKeys: []).write(to: path)
        let key = try KeyPair.generate().publicKey
        let text =
            try String(contentsOfFile: path, encoding: .utf8)
            + line.replacingOccurrences(of: "KEY", with: "\(key)") + "\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        #expect(chmod(path, 0o600) == 0)
        #expect(throws: TransportError.certificate(path: path, .badLine(number: 5))) {
            try ServerCertificate(path: path)
        }
    }
}
