import ArgumentParser
import Foundation
import SweepModel
import Transport

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Certificates for sweeps beyond this machine.",
        discussion: """
            A worker's key takes trials and reports results; a client's commands sweeps (pause, cancel, …). \
            What is added or revoked in a run's folder counts for its coordinator within seconds.
            """,
        subcommands: [NewKeysCommand.self, ListKeysCommand.self, RevokeKeysCommand.self])
}

struct NewKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Write a server and a worker's certificate, or one more for a server.",
        discussion: """
            Without --role: server.cert, which the coordinator takes (launch --certificate), and \
            client.cert for its workers (worker --certificate). With --role: NAME.cert for one more \
            worker or client of the server whose certificate is in the folder. All are readable by you \
            only.
            """)

    @Argument(
        help: "The folder to write to, made if it is missing; or a run's folder.",
        completion: .directory)
    var folder: String

    @Option(help: "worker: takes trials; client: commands the sweep.")
    var role: KeyRole?

    @Option(help: "What to call the holder of the new key. Default: the role.")
    var name: String?

    func validate() throws {
        guard name == nil || role != nil else {
            throw ValidationError("--name needs --role: worker or client")
        }
        guard AuthorizedKey.isName(name ?? "x") else {
            throw ValidationError(
                "'\(name!)' cannot be a key's name: use up to 64 letters, digits, '.', '_' and '-', "
                    + "and not 'server'")
        }
    }

    func run() throws {
        guard let role else {
            _ = try KeyFiles(folder: folder).make()
            print("\(folder)/server.cert\n\(folder)/client.cert")
            print(
                "Next: alsweep launch SWEEP --bind tcp://*:5555 --certificate \(folder)/server.cert",
                to: &StandardError.stream)
            return
        }
        let files = KeyFiles(existing: folder)
        let path = try files.add(name ?? role.rawValue, role)
        print(path)
        let use = role == .worker ? "worker --connect ENDPOINT" : "cancel --connect ENDPOINT"
        print("Next: alsweep \(use) --certificate \(path)", to: &StandardError.stream)
    }
}

struct ListKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Whom a server lets in, as what.")

    @Argument(
        help: "The folder with the server's certificate, or a run's folder.",
        completion: .directory)
    var folder: String

    @Option(help: "human, json or quiet.")
    var outputMode = OutputMode.human

    func run() throws {
        let clients = try KeyFiles(existing: folder).server().clients
        switch outputMode {
        case .human:
            let width = clients.map(\.name.count).max() ?? 0
            for client in clients {
                let name = client.name.padding(toLength: width, withPad: " ", startingAt: 0)
                print(
                    "\(name)  \(client.role.rawValue)  \(client.isRevoked ? "revoked" : "allowed")  "
                        + client.key.description)
            }
        case .json: try printJSON(KeyList(clients))
        case .quiet: break
        }
    }
}

private struct KeyList: Encodable {
    struct Key: Encodable {
        var name: String
        var role: String
        var revoked: Bool
        var key: String
    }

    var schema = 1
    var keys: [Key]

    init(_ clients: [AuthorizedKey]) {
        keys = clients.map {
            Key(
                name: $0.name, role: $0.role.rawValue, revoked: $0.isRevoked,
                key: $0.key.description)
        }
    }
}

struct RevokeKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Keep the holder of a key out, from now on.",
        discussion: """
            In a run's folder this counts for the coordinator at work there: within seconds it takes \
            back the trials of workers with this key, and hears them no more.
            """)

    @Argument(
        help: "The folder with the server's certificate, or a run's folder.",
        completion: .directory)
    var folder: String

    @Argument(help: "The key's name, as `alsweep keys list` shows it.")
    var name: String

    func run() throws {
        try KeyFiles(existing: folder).revoke(name)
        print("\(name) is revoked")
    }
}

extension KeyRole: ExpressibleByArgument {}
