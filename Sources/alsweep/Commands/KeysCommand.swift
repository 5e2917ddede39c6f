import ArgumentParser
import Foundation
import Transport

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Certificates for sweeps beyond this machine.",
        subcommands: [NewKeysCommand.self])
}

struct NewKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Write a server and a client certificate, readable by you only.",
        discussion: """
            The coordinator takes the server's (launch --certificate), its workers the client's
            (worker --certificate).
            """)

    @Argument(help: "The folder to write them to; made if it is missing.", completion: .directory)
    var folder: String

    func run() throws {
        _ = try KeyFiles(folder: folder).make()
        print("\(folder)/server.cert\n\(folder)/client.cert")
        print(
            "Next: alsweep launch SWEEP --bind tcp://*:5555 --certificate \(folder)/server.cert",
            to: &StandardError.stream)
    }
}

/// A server's and a client's certificate in a folder.
struct KeyFiles {
    let folder: String

    func make() throws -> ServerCertificate {
        try makeFolder(folder, permissions: 0o700)
        let server = try KeyPair.generate()
        let client = try KeyPair.generate()
        let certificate = ServerCertificate(keys: server, clientKeys: [client.publicKey])
        try certificate.write(to: folder + "/server.cert")
        try ClientCertificate(keys: client, serverKey: server.publicKey)
            .write(to: folder + "/client.cert")
        return certificate
    }
}
