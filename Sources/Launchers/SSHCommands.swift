import ChildProcess

/// A name for a socket, whose path has to be short: FNV-1a in hex.
func shortHash(of text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return String(hash, radix: 16)
}

/// The system's ssh and scp, sharing one connection per machine: per name in the cluster file, since
/// names may lead to one address, and the first to be closed would cut off the other.
struct SSHCommands {
    /// Copying a program over a slow line takes its time.
    private static let copyTimeoutMs: Int64 = 600_000

    let host: SSHHost
    let configPath: String?
    /// Where the connections' sockets are.
    let folder: String

    /// The connection closes by itself a minute after its last use, also when the coordinator was
    /// killed. A question that nobody is there to answer would wait for ever: there is none.
    private var options: [String] {
        (configPath.map { ["-F", $0] } ?? []) + [
            "-o", "BatchMode=yes", "-o", "ControlMaster=auto",
            "-o", "ControlPath=\(folder)/\(shortHash(of: host.label))",
            "-o", "ControlPersist=60", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10",
            "-o", "ServerAliveCountMax=3",
        ]
    }

    private var port: String? { host.port.map(String.init) }

    func run(_ script: String, timeoutMs: Int64 = 30_000) -> Command {
        Command(
            ["ssh"] + options + (port.map { ["-p", $0] } ?? [])
                + ["-T", "--", host.destination, "sh -s"],
            input: script, timeoutMs: timeoutMs)
    }

    func copy(_ path: String, to remotePath: String) -> Command {
        let name = host.name.contains(":") ? "[\(host.name)]" : host.name
        let user = host.user.map { $0 + "@" } ?? ""
        return Command(
            ["scp", "-q"] + options + (port.map { ["-P", $0] } ?? [])
                + ["--", path, "\(user)\(name):\(remotePath)"],
            timeoutMs: Self.copyTimeoutMs)
    }

    /// Closes the shared connection.
    var close: Command {
        Command(
            ["ssh"] + options + (port.map { ["-p", $0] } ?? [])
                + ["-O", "exit", "--", host.destination], timeoutMs: 5_000)
    }

    /// What ssh ends with when there is no connection.
    static let connectionFailure: Int32 = 255
}
