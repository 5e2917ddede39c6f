import Foundation
import SweepModel
import Transport

/// A server's certificate in a folder, with those of the keys it lets in.
struct KeyFiles {
    let folder: String

    init(folder: String) { self.folder = folder }

    /// - Parameter folder: where certificates are, or a run's folder.
    init(existing folder: String) {
        let run = RunFolder(folder)
        let isRun = FileManager.default.fileExists(atPath: run.serverCertificate)
        self.folder = isRun ? run.keys : folder
    }

    private var serverPath: String { folder + "/server.cert" }

    /// Makes a server's certificate, and one for its workers.
    func make() throws -> ServerCertificate {
        try makeFolder(folder, permissions: 0o700)
        let server = try KeyPair.generate()
        let client = try KeyPair.generate()
        let certificate = ServerCertificate(keys: server, clientKeys: [client.publicKey])
        try certificate.write(to: serverPath)
        try ClientCertificate(keys: client, serverKey: server.publicKey)
            .write(to: folder + "/client.cert")
        return certificate
    }

    func server() throws -> ServerCertificate {
        guard FileManager.default.fileExists(atPath: serverPath) else {
            throw CommandFailure(
                "there is no server certificate in \(folder)",
                hint:
                    "make one with `alsweep keys new \(folder)`, or name the folder of a run that was "
                    + "launched with keys")
        }
        return try ServerCertificate(path: serverPath)
    }

    /// - Returns: the new certificate's path.
    func add(_ name: String, _ role: KeyRole) throws -> String {
        var certificate = try server()
        guard !certificate.clients.contains(where: { $0.name == name }) else {
            throw CommandFailure(
                "there is a key named '\(name)' already",
                hint: "choose another name with --name; a revoked name is not used again")
        }
        let keys = try KeyPair.generate()
        let path = "\(folder)/\(name).cert"
        try ClientCertificate(keys: keys, serverKey: certificate.keys.publicKey).write(to: path)
        certificate.clients.append(AuthorizedKey(name: name, role: role, key: keys.publicKey))
        try certificate.write(to: serverPath, replacing: true)
        return path
    }

    func revoke(_ name: String) throws {
        var certificate = try server()
        guard let index = certificate.clients.firstIndex(where: { $0.name == name }) else {
            let nearest = nearestWord(to: name, among: certificate.clients.map(\.name))
            throw CommandFailure(
                "there is no key named '\(name)'\(nearest.map { " (did you mean '\($0)'?)" } ?? "")",
                hint: "`alsweep keys list \(folder)` shows all")
        }
        certificate.clients[index].isRevoked = true
        try certificate.write(to: serverPath, replacing: true)
    }
}
