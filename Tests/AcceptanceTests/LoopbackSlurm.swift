import ChildProcess
import Foundation
import Testing

/// A Slurm of the test's own: munge, one controller, and this machine as its only node. It ends with
/// the test.
final class LoopbackSlurm {
    private static let programs = ["munged", "slurmctld", "slurmd"].map { "/usr/sbin/" + $0 }
    static let isAvailable = programs.allSatisfy {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private let folder: String
    private var daemons: [Daemon] = []
    /// For the programs that talk to it.
    let environment: [String]

    /// - Parameter processors: of the node; jobs share them as if they were there.
    init(in path: String, processors: Int) throws {
        folder = path + "/slurm"
        environment = ["SLURM_CONF=\(folder)/slurm.conf"]
        for name in ["", "/state", "/spool", "/munge"] {
            try FileManager.default.createDirectory(
                atPath: folder + name, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o755])
        }
        let key = (0..<64).map { _ in UInt8.random(in: 0...255) }
        try Data(key).write(to: URL(fileURLWithPath: folder + "/munge/key"))
        chmod(folder + "/munge/key", 0o600)
        try configuration(processors: processors).write(
            toFile: folder + "/slurm.conf", atomically: true, encoding: .utf8)
        try start(
            Self.programs[0],
            [
                "--foreground", "--force", "--socket=\(folder)/munge/socket",
                "--key-file=\(folder)/munge/key", "--pid-file=\(folder)/munge/pid",
                "--log-file=\(folder)/munge/log", "--seed-file=\(folder)/munge/seed",
            ])
        let socket = folder + "/munge/socket"
        try #require(
            waits { FileManager.default.fileExists(atPath: socket) }, "munged does not start")
        try start(Self.programs[1], ["-D", "-c"])
        try start(Self.programs[2], ["-D", "-N", host])
        try #require(
            waits { (try? self.ask("sinfo", ["-h", "-o", "%T"]))?.hasPrefix("idle") ?? false },
            "the node did not come up")
    }

    deinit {
        _ = try? ask("scancel", ["--user=\(NSUserName())"])
        // Jobs get the time to end: their programs are in the test's folder.
        _ = wait(upToSeconds: 15) { (try? self.ask("squeue", ["-h"]))?.isEmpty ?? true }
        for daemon in daemons.reversed() { daemon.stop() }
    }

    private var host: String {
        ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? "localhost"
    }

    private func configuration(processors: Int) throws -> String {
        let user = NSUserName()
        return """
            ClusterName=loopback
            SlurmctldHost=\(host)(127.0.0.1)
            SlurmUser=\(user)
            SlurmdUser=\(user)
            SlurmctldPort=\(try freePort())
            SlurmdPort=\(try freePort())
            AuthType=auth/munge
            AuthInfo=socket=\(folder)/munge/socket
            CredType=cred/munge
            ProctrackType=proctrack/pgid
            TaskPlugin=task/none
            SelectType=select/cons_tres
            SelectTypeParameters=CR_Core
            AccountingStorageType=accounting_storage/none
            JobAcctGatherType=jobacct_gather/none
            MpiDefault=none
            StateSaveLocation=\(folder)/state
            SlurmdSpoolDir=\(folder)/spool
            SlurmctldPidFile=\(folder)/slurmctld.pid
            SlurmdPidFile=\(folder)/slurmd.pid
            SlurmdParameters=config_overrides
            ReturnToService=2
            KillWait=10
            SchedulerParameters=sched_interval=1
            NodeName=\(host) NodeAddr=127.0.0.1 CPUs=\(processors) State=UNKNOWN
            PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP

            """
    }

    private func start(_ program: String, _ arguments: [String]) throws {
        let name = URL(fileURLWithPath: program).lastPathComponent
        daemons.append(
            Daemon(
                try ChildProcess(
                    program: program, arguments: arguments,
                    environment: [("SLURM_CONF", "\(folder)/slurm.conf")],
                    log: "\(folder)/\(name).log")))
    }

    /// What a program of Slurm's prints.
    @discardableResult
    func ask(_ program: String, _ arguments: [String]) throws -> String {
        let process = try ChildProcess(
            program: "/usr/bin/env", arguments: environment + [program] + arguments,
            log: folder + "/ask.log")
        var output: [UInt8] = []
        while let bytes = process.readOutput() {
            output += bytes
            if bytes.isEmpty { usleep(10_000) }
        }
        try #require(process.wait() == .exited(0), "\(program) \(arguments)")
        return String(decoding: output, as: UTF8.self)
    }

    /// The identifiers of the jobs in a state.
    func jobs(in state: String) throws -> [String] {
        try ask("squeue", ["-h", "-r", "--states=\(state)", "-o", "%i"])
            .split(separator: "\n").map(String.init)
    }

    private func waits(_ holds: () -> Bool) -> Bool { wait(upToSeconds: 30, until: holds) }

    private final class Daemon {
        let process: ChildProcess

        init(_ process: consuming ChildProcess) { self.process = process }

        func stop() {
            process.kill(SIGTERM)
            let hasEnded = wait(upToSeconds: 5) { process.poll() != nil }
            guard !hasEnded else { return }
            process.kill(SIGKILL)
            _ = process.wait()
        }
    }
}
