import Foundation
import Transport

/// Lets in the keys of a server's certificate, and looks from time to time whether some were added or
/// revoked.
struct KeyWatch {
    /// What a look found.
    enum Change {
        case none
        /// These keys are kept out from now on.
        case revoked([PublicKey])
        /// The file cannot be used; the keys before count.
        case unreadable(any Error)
    }

    private struct Version: Equatable {
        var file: UInt64
        var seconds: Int
        var nanoseconds: Int
    }

    private let path: String
    private let authenticator: Authenticator
    private var certificate: ServerCertificate
    private var version: Version?

    init(_ certificate: ServerCertificate, path: String, authenticator: Authenticator) {
        self.path = path
        self.authenticator = authenticator
        self.certificate = certificate
        for role in KeyRole.allCases {
            for key in certificate.keys(of: role) { authenticator.allow(key, in: role.domain) }
        }
    }

    /// The keys that workers may have now.
    var workerKeys: [PublicKey] { certificate.keys(of: .worker) }

    /// Reads the file again if it was replaced.
    mutating func look() -> Change {
        let current = Self.version(of: path)
        guard let current, current != version else { return .none }
        let isFirst = version == nil
        version = current
        let read: ServerCertificate
        do {
            read = try ServerCertificate(path: path)
        } catch {
            return .unreadable(error)
        }
        guard read.keys.publicKey == certificate.keys.publicKey else {
            return isFirst ? .none : .unreadable(OtherServer(path: path))
        }
        var revoked: [PublicKey] = []
        for role in KeyRole.allCases {
            let (before, after) = (certificate.keys(of: role), read.keys(of: role))
            for key in after { authenticator.allow(key, in: role.domain) }
            for key in before where !after.contains(key) {
                authenticator.revoke(key, in: role.domain)
                revoked.append(key)
            }
        }
        certificate = read
        return revoked.isEmpty ? .none : .revoked(revoked)
    }

    /// A change replaces the file.
    private static func version(of path: String) -> Version? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Version(
            file: UInt64(status.st_ino), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
    }
}

private struct OtherServer: Error, CustomStringConvertible {
    let path: String

    var description: String { "\(path) is another server's certificate; the keys before count" }
}
