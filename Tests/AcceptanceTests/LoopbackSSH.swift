import ChildProcess
import Foundation
import Testing

/// An sshd of the test's own, with its own keys, on the loopback interface unless told otherwise; it
/// ends with the test.
final class LoopbackSSH {
    static let program = "/usr/sbin/sshd"
    static let isAvailable =
        [program, "/usr/bin/ssh", "/usr/bin/scp", "/usr/bin/ssh-keygen"].allSatisfy {
            FileManager.default.isExecutableFile(atPath: $0)
        }

    private let folder: String
    /// The words before the server's own: where it is started.
    private let place: [String]
    private var server: ChildProcess
    /// For `ssh -F`; it knows the machine by its names.
    let configPath: String
    let port: UInt16

    /// - Parameters:
    ///   - path: where its folder is made.
    ///   - place: a command that runs another one elsewhere, as `nsenter` does; empty is here.
    init(
        in path: String, names: [String] = ["node1", "node2"], address: String = "127.0.0.1",
        place: [String] = []
    ) throws {
        folder = path + "/ssh"
        self.place = place
        configPath = folder + "/config"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        for key in ["host", "user"] {
            let made = try ChildProcess(
                program: "/usr/bin/ssh-keygen",
                arguments: ["-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/\(key)"])
            try #require(made.wait() == .exited(0))
        }
        // sshd as root wants this folder; the distribution's own service makes it, too.
        if getuid() == 0 {
            try FileManager.default.createDirectory(
                atPath: "/run/sshd", withIntermediateDirectories: true)
        }
        port = try freePort()
        try """
        Port \(port)
        ListenAddress \(address)
        HostKey \(folder)/host
        AuthorizedKeysFile \(folder)/user.pub
        PidFile none
        StrictModes no
        UsePAM no
        PasswordAuthentication no
        Subsystem sftp internal-sftp
        """.write(toFile: folder + "/sshd_config", atomically: true, encoding: .utf8)
        try """
        Host \(names.joined(separator: " "))
          HostName \(address)
          Port \(port)
          IdentityFile \(folder)/user
          IdentitiesOnly yes
          StrictHostKeyChecking no
          UserKnownHostsFile /dev/null
          LogLevel ERROR
        """.write(toFile: configPath, atomically: true, encoding: .utf8)
        server = try Self.start(folder, place)
        let log = folder + "/sshd.log"
        try #require(
            wait(upToSeconds: 20) {
                (try? String(contentsOfFile: log, encoding: .utf8))?.contains("listening") ?? false
            }, "sshd did not start")
    }

    deinit { stop() }

    private static func start(_ folder: String, _ place: [String]) throws -> ChildProcess {
        let words = place + [program, "-D", "-e", "-f", folder + "/sshd_config"]
        return try ChildProcess(
            program: words[0], arguments: Array(words.dropFirst()), log: folder + "/sshd.log")
    }

    /// Nobody reaches the machine any more: the server and its connections end.
    func stop() {
        for connection in processes(holding: "sshd: ") where isChild(connection) {
            kill(connection, SIGKILL)
        }
        server.kill(SIGKILL)
        _ = server.wait()
    }

    /// It can be reached again.
    func restart() throws { server = try Self.start(folder, place) }

    private func isChild(_ process: pid_t) -> Bool {
        var parent = process
        while parent > 1 {
            guard let text = try? String(contentsOfFile: "/proc/\(parent)/stat", encoding: .utf8),
                let end = text.lastIndex(of: ")")
            else { return false }
            parent = pid_t(text[end...].split(separator: " ")[2]) ?? 0
            if parent == server.identifier { return true }
        }
        return false
    }
}
