import Glibc

/// The text behind a certificate: one `name value` per line, `#` at the start of a line comments it
/// out. A public key may contain `#`, so that comments do not begin elsewhere.
struct CertificateFile {
    enum Kind: String {
        case server
        case client
    }

    private struct Line {
        let number: Int
        let name: String
        let value: String
        /// Of a key that a server lets in.
        var holder: String?
    }

    private static let heading = "alsweep-certificate"
    private static let byteLimit = 1 << 20

    private let path: String
    private let kind: String
    private let lines: [Line]

    init(path: String) throws(TransportError) {
        self.path = path
        do throws(CertificateFault) {
            let text = try Self.readSecret(path: path)
            lines = try Self.parse(text)
            guard let first = lines.first, first.name == Self.heading else {
                throw CertificateFault.notCertificate
            }
            kind = first.value
        } catch {
            throw .certificate(path: path, error)
        }
    }

    // MARK: Meaning

    func keys(kind expected: Kind) throws(TransportError) -> KeyPair {
        guard kind == expected.rawValue else {
            throw fault(.wrongKind(found: kind, expected: expected.rawValue))
        }
        let line = try onlyLine("secret-key")
        let secretKey: SecretKey
        do {
            secretKey = try SecretKey(line.value)
        } catch {
            throw located(error, line)
        }
        let keys = try KeyPair(secretKey: secretKey)
        guard try onlyPublicKey("public-key") == keys.publicKey else {
            throw fault(.mismatchedKeys)
        }
        return keys
    }

    func onlyPublicKey(_ name: String) throws(TransportError) -> PublicKey {
        try publicKey(in: try onlyLine(name))
    }

    func publicKeys(_ name: String) throws(TransportError) -> [PublicKey] {
        var keys: [PublicKey] = []
        for line in lines where line.name == name { keys.append(try publicKey(in: line)) }
        return keys
    }

    /// Those in the lines `allowed-ROLE KEY NAME` and `revoked-ROLE KEY NAME`.
    func authorizedKeys() throws(TransportError) -> [AuthorizedKey] {
        var keys: [AuthorizedKey] = []
        for line in lines {
            guard let holder = line.holder, let (role, isRevoked) = Self.holderLines[line.name]
            else {
                continue
            }
            var key = AuthorizedKey(name: holder, role: role, key: try publicKey(in: line))
            key.isRevoked = isRevoked
            keys.append(key)
        }
        return keys
    }

    private static let holderLines: [String: (KeyRole, isRevoked: Bool)] = Dictionary(
        uniqueKeysWithValues: KeyRole.allCases.flatMap { role in
            [
                ("allowed-\(role.rawValue)", (role, false)),
                ("revoked-\(role.rawValue)", (role, true)),
            ]
        })

    private func onlyLine(_ name: String) throws(TransportError) -> Line {
        let found = lines.filter { $0.name == name }
        guard found.count == 1 else { throw fault(.lineCount(name: name, count: found.count)) }
        return found[0]
    }

    private func publicKey(in line: Line) throws(TransportError) -> PublicKey {
        do {
            return try PublicKey(line.value)
        } catch {
            throw located(error, line)
        }
    }

    private func fault(_ fault: CertificateFault) -> TransportError {
        .certificate(path: path, fault)
    }

    private func located(_ error: TransportError, _ line: Line) -> TransportError {
        guard case .badKey(let keyFault) = error else { return error }
        return fault(.badKey(line: line.number, keyFault))
    }

    // MARK: Text

    static func lines(kind: Kind, keys: KeyPair) -> [String] {
        [
            "\(heading) \(kind.rawValue)",
            "# Whoever can read this file can act as its owner: keep its mode 0600.",
            "public-key \(keys.publicKey)", "secret-key \(keys.secretKey.text)",
        ]
    }

    private static func parse(_ text: String) throws(CertificateFault) -> [Line] {
        var lines: [Line] = []
        let rawLines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in rawLines.enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let name = words.first, !name.hasPrefix("#") else { continue }
            let isHolder = holderLines[String(name)] != nil
            guard words.count == (isHolder ? 3 : 2),
                !isHolder || AuthorizedKey.isName(String(words[2]))
            else { throw .badLine(number: index + 1) }
            lines.append(
                Line(
                    number: index + 1, name: String(name), value: String(words[1]),
                    holder: isHolder ? String(words[2]) : nil))
        }
        let names = [heading, "public-key", "secret-key", "client", "server"]
        if lines.first?.name == heading,
            let unknown = lines.first(where: { !names.contains($0.name) && $0.holder == nil })
        {
            throw .badLine(number: unknown.number)
        }
        return lines
    }

    // MARK: File

    /// Judges the file that is open, not the path: another could take its place in between.
    private static func readSecret(path: String) throws(CertificateFault) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system(operation: "open it", code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .system(operation: "examine it", code: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= byteLimit else {
            throw .notCertificate
        }
        guard status.st_mode & 0o077 == 0 else { throw .open(mode: status.st_mode & 0o777) }
        guard status.st_uid == geteuid() || geteuid() == 0 else { throw .foreign }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var count = 0
        while count < bytes.count {
            let step = bytes.withUnsafeMutableBytes {
                read(descriptor, $0.baseAddress! + count, $0.count - count)
            }
            if step < 0, errno == EINTR { continue }
            guard step >= 0 else { throw .system(operation: "read it", code: errno) }
            if step == 0 { break }
            count += step
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Written beside its place and moved there when complete, so that nobody reads half a key.
    static func write(_ lines: [String], to path: String, replacing: Bool) throws(TransportError) {
        let draft = "\(path).\(getpid()).part"
        do throws(CertificateFault) {
            try writeNew(lines.map { $0 + "\n" }.joined(), path: draft)
            defer { unlink(draft) }
            if replacing {
                guard rename(draft, path) == 0 else {
                    throw CertificateFault.system(operation: "replace it", code: errno)
                }
            } else if link(draft, path) != 0 {
                throw errno == EEXIST
                    ? CertificateFault.exists : .system(operation: "create it", code: errno)
            }
        } catch {
            throw .certificate(path: path, error)
        }
    }

    private static func writeNew(_ text: String, path: String) throws(CertificateFault) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(operation: "write it", code: errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        // The umask may have taken bits away from the owner.
        guard fchmod(descriptor, 0o600) == 0,
            Glibc.write(descriptor, bytes, bytes.count) == bytes.count,
            fsync(descriptor) == 0
        else {
            let code = errno
            unlink(path)
            throw .system(operation: "write it", code: code)
        }
    }
}
