import ChildProcess
import Foundation
import SweepModel

/// Where a listener waits now, as the machines of a cluster reach it.
public struct WaitingEndpoint {
    public var host: String
    public var port: UInt16
    /// The text of a client's certificate that it lets in, good for this examination only.
    public var certificate: String
    /// Lets it answer handshakes; called again and again while a machine is asked.
    public var answer: () -> Void

    public init(host: String, port: UInt16, certificate: String, answer: @escaping () -> Void) {
        self.host = host
        self.port = port
        self.certificate = certificate
        self.answer = answer
    }
}

/// Asks the machines of a cluster file what would stop a sweep there. Unlike a launcher it waits.
public struct ClusterExamination {
    /// Clocks that differ by more make logs hard to read; leases do not depend on them.
    private static let clockToleranceSeconds: TimeInterval = 60

    private let cluster: Cluster
    private let folder: String
    private let softwareVersion: String
    private let endpoint: WaitingEndpoint?

    /// - Parameters:
    ///   - folder: an existing folder of its own, for scripts and connections.
    ///   - softwareVersion: what the machines' programs have to be.
    ///   - endpoint: nil is none that they need to reach.
    public init(
        _ cluster: Cluster, folder: String, softwareVersion: String, endpoint: WaitingEndpoint?
    ) {
        self.cluster = cluster
        self.folder = folder
        self.softwareVersion = softwareVersion
        self.endpoint = endpoint
    }

    public func findings() -> [Finding] {
        var findings: [Finding] = []
        for group in cluster.ssh {
            for host in group.hosts { findings += examine(host, group) }
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
                endpoint?.answer()
                usleep(20_000)
            }
        } catch {
            return CommandResult(status: nil, output: "\(error)")
        }
    }

    // MARK: By ssh

    private func examine(_ host: SSHHost, _ group: SSHGroup) -> [Finding] {
        let commands = SSHCommands(host: host, configPath: group.configPath, folder: folder)
        let result = run(commands.run(script(group), timeoutMs: 120_000))
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
            // The coordinator refuses workers of another version.
            if finding.check == "version",
                !finding.value.hasPrefix("alsweep \(softwareVersion) for ")
            {
                finding.state = .failed
                finding.value += ", and here is \(softwareVersion)"
                finding.remedy = "install this version there, or write binary: copy"
            }
            return finding
        }
    }

    private func script(_ group: SSHGroup) -> String {
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
            let gpus = group.setup.gpus.map { " --gpus \($0.selection)" } ?? ""
            var knock = ""
            if let endpoint {
                let text = endpoint.certificate
                lines += ["umask 077", "key=$(mktemp)", "cat >\"$key\" <<'ALSWEEP_KEY'"]
                lines += [text + (text.hasSuffix("\n") ? "" : "\n") + "ALSWEEP_KEY"]
                knock =
                    " --certificate \"$key\" --knock "
                    + shellWord("tcp://\(endpoint.host):\(endpoint.port)")
            }
            lines.append(
                "if command -v \(program) >/dev/null; then echo \"alsweep:doctor "
                    + "$(\(group.setup.assignments)\(program) doctor --compact\(data)\(gpus)\(knock)"
                    + " | tr -d '\\n')\"; else echo \"alsweep:missing \"\(program); fi")
            if endpoint != nil { lines.append("rm -f \"$key\"") }
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
