import Foundation
import SweepModel

/// Asks the machines of a cluster file what would stop a sweep there. Unlike a launcher it waits.
public struct ClusterExamination {
    /// Clocks that differ by more make logs hard to read; leases do not depend on them.
    private static let clockToleranceSeconds: TimeInterval = 60

    private let cluster: Cluster
    private let folder: String

    /// - Parameter folder: an existing folder of its own, for scripts and connections.
    public init(_ cluster: Cluster, folder: String) {
        self.cluster = cluster
        self.folder = folder
    }

    /// - Parameter endpoint: where a listener waits now, as the machines reach it; nil is none.
    public func findings(reaching endpoint: (host: String, port: UInt16)?) -> [Finding] {
        var findings: [Finding] = []
        for group in cluster.ssh {
            for host in group.hosts { findings += examine(host, group, reaching: endpoint) }
        }
        for group in cluster.slurm { findings += examine(group) }
        if cluster.kubernetes != nil {
            findings.append(
                Finding(
                    machine: "kubernetes", "objects", .warning, "are not looked at from here",
                    remedy: "alsweep launch SWEEP --cluster FILE --dry-run "
                        + "| kubectl apply --dry-run=server -f -"))
        }
        return findings
    }

    private func run(_ command: Command) -> CommandResult {
        func now() -> Int64 { Int64(DispatchTime.now().uptimeNanoseconds / 1_000_000) }
        do {
            let run = try CommandRun(command, folder: folder, at: now())
            while true {
                if let result = run.poll(at: now()) { return result }
                usleep(20_000)
            }
        } catch {
            return CommandResult(status: nil, output: "\(error)")
        }
    }

    // MARK: By ssh

    private func examine(
        _ host: SSHHost, _ group: SSHGroup, reaching endpoint: (host: String, port: UInt16)?
    ) -> [Finding] {
        let commands = SSHCommands(host: host, configPath: group.configPath, folder: folder)
        let result = run(commands.run(script(group, endpoint), timeoutMs: 120_000))
        _ = run(commands.close)
        let label = host.label
        guard result.isSuccess else {
            return [
                Finding(
                    machine: label, "ssh", .failed, result.lastLine,
                    remedy: "make `ssh \(label) true` work without a password")
            ]
        }
        var findings = [Finding(machine: label, "ssh", .ok, "reached")]
        if let seconds = result.values("clock").first.flatMap(TimeInterval.init) {
            let difference = abs(seconds - Date().timeIntervalSince1970)
            findings.append(
                Finding(
                    machine: label, "clock",
                    difference > Self.clockToleranceSeconds ? .warning : .ok,
                    "differs from here by \(Int(difference)) s", remedy: "synchronise it by NTP"))
        }
        if let endpoint, let route = result.values("route").first {
            findings.append(
                Finding(
                    machine: label, "route", route == "ok" ? .ok : .failed,
                    "\(endpoint.host), port \(endpoint.port): \(route)",
                    remedy: "open the port in the firewall, or write host: and bind: as this "
                        + "machine is reached"))
        }
        return findings + ownFindings(result, group, label)
    }

    /// What the program itself finds there.
    private func ownFindings(
        _ result: CommandResult, _ group: SSHGroup, _ label: String
    ) -> [Finding] {
        if group.setup.program == .copied {
            let machine = result.values("machine").first ?? "unknown"
            return [Finding(machine: label, "program", .ok, "will be copied to this \(machine)")]
        }
        guard let json = result.values("doctor").first,
            let found = try? JSONDecoder().decode(Findings.self, from: Data(json.utf8))
        else {
            return [
                Finding(
                    machine: label, "program", .failed,
                    result.values("missing").first.map { "'\($0)' is not there" }
                        ?? result.lastLine,
                    remedy: "install this version of alsweep there, or write binary: copy")
            ]
        }
        return found.findings.map { finding in
            var finding = finding
            finding.machine = label
            return finding
        }
    }

    private func script(
        _ group: SSHGroup, _ endpoint: (host: String, port: UInt16)?
    ) -> String {
        var lines = ["echo \"alsweep:clock $(date +%s)\"", "echo \"alsweep:machine $(uname -m)\""]
        if let endpoint {
            lines.append(
                "if timeout 5 bash -c \(shellWord("</dev/tcp/\(endpoint.host)/\(endpoint.port)")) "
                    + "2>/dev/null; then echo alsweep:route ok; "
                    + "else echo alsweep:route not reached; fi")
        }
        if case .installed(let path) = group.setup.program {
            let program = shellPath(path)
            let data = group.setup.data.map { " --data " + shellPath($0) } ?? ""
            lines.append(
                "if command -v \(program) >/dev/null; then echo \"alsweep:doctor "
                    + "$(\(group.setup.assignments)\(program) doctor --compact \(data) | tr -d '\\n')\""
                    + "; else echo \"alsweep:missing \"\(program); fi")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Slurm

    private func examine(_ group: SlurmGroup) -> [Finding] {
        let label = group.partition.map { "slurm \($0)" } ?? "slurm"
        let partition = group.partition.map { ["--partition=\($0)"] } ?? []
        let nodes = run(
            Command(["sinfo", "--noheader", "-o", "%D nodes are %T"] + partition))
        guard nodes.isSuccess, !nodes.output.trimmed.isEmpty else {
            return [
                Finding(
                    machine: label, "partition", .failed,
                    nodes.isSuccess ? "there is none of that name" : nodes.lastLine,
                    remedy: "launch where `sinfo` works; it lists the partitions")
            ]
        }
        let states = nodes.output.trimmed.split(separator: "\n").joined(separator: ", ")
        let sweep = LaunchedSweep(
            run: "doctor", folder: .init(folder), endpoint: "tcp://localhost:5555",
            certificatePath: nil)
        let script = SlurmScript(sweep: sweep, group: group, index: 0).text(key: nil)
        let test = run(Command(["sbatch", "--test-only"], input: script))
        return [
            Finding(machine: label, "partition", .ok, states),
            Finding(
                machine: label, "job", test.isSuccess ? .ok : .failed, test.lastLine,
                remedy: "change what the group asks for, as sbatch says"),
        ]
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
