import ChildProcess
import Digests
import Foundation
import Launchers
import SweepModel
import Transport

/// Reads a cluster file.
func readCluster(_ path: String) throws -> Cluster {
    guard let data = FileManager.default.contents(atPath: path) else {
        throw CommandFailure(
            "the cluster file \(path) cannot be read",
            hint: "`ls cluster/*.yaml` shows examples; cluster/local.yaml is the simplest")
    }
    guard let text = String(data: data, encoding: .utf8) else {
        throw CommandFailure("the cluster file \(path) is not text in UTF-8")
    }
    return try ClusterFile.parse(text, name: path)
}

/// What a cluster file means for a launch from this machine.
struct ClusterLaunch {
    let cluster: Cluster

    /// Where the coordinator listens, if not where the run's last one did; nil is there.
    ///
    /// - Parameter known: the run that is resumed.
    func endpoint(resuming known: RunFolder?) -> Endpoint? {
        guard !cluster.isLocal else { return cluster.bind }
        let wanted = cluster.bind ?? .tcp(host: "*", port: 0)
        guard let known, let text = try? String(contentsOfFile: known.endpoint, encoding: .utf8),
            let last = try? Endpoint(text.trimmingCharacters(in: .whitespacesAndNewlines)),
            last.isLoopback == wanted.isLoopback
        else { return wanted }
        // Its workers look for the next coordinator where the last one was.
        if case .tcp(_, let port) = wanted, port != 0, wanted != last { return wanted }
        return nil
    }

    /// How workers on other machines see the run.
    func sweep(_ folder: RunFolder, at endpoint: Endpoint) -> LaunchedSweep {
        let host = cluster.host ?? ProcessInfo.processInfo.hostName
        let hasKey = FileManager.default.fileExists(atPath: folder.clientCertificate)
        return LaunchedSweep(
            run: URL(fileURLWithPath: folder.path).lastPathComponent, folder: folder,
            endpoint: endpoint.reached(at: host).description,
            certificatePath: hasKey ? folder.clientCertificate : nil)
    }

    func launchers(_ sweep: LaunchedSweep) throws -> [any Launcher] {
        var launchers: [any Launcher] = []
        if !cluster.ssh.isEmpty {
            launchers.append(
                try SSHLauncher(
                    cluster.ssh, sweep, machine: machineName, digest: try programDigest()))
        }
        for (index, group) in cluster.slurm.enumerated() {
            launchers.append(try SlurmLauncher(group, index: index, sweep))
        }
        return launchers
    }

    /// What would be run, as text.
    func dryRun(_ sweep: LaunchedSweep) throws -> String {
        var text = ""
        if let local = cluster.local {
            text += "# this machine\n" + WorkerLine(local, sweep).text + "\n\n"
        }
        text += SSHLauncher.dryRun(cluster.ssh, sweep, digest: try programDigest())
        for (index, group) in cluster.slurm.enumerated() {
            text += SlurmLauncher.dryRun(group, index: index, sweep)
        }
        return text
    }

    /// Of this program, where a group copies it.
    private func programDigest() throws -> String? {
        guard cluster.ssh.contains(where: { $0.setup.program == .copied }) else { return nil }
        guard let data = FileManager.default.contents(atPath: ChildProcess.itself) else {
            throw CommandFailure("this program cannot read itself, to be copied")
        }
        return Digest.sha256(of: [UInt8](data)).hexadecimal
    }

    /// As `uname -m` says it.
    private var machineName: String {
        var names = utsname()
        uname(&names)
        return withUnsafeBytes(of: &names.machine) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
