import ArgumentParser
import Foundation
import Launchers
import SweepModel
import Transport

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "What would stop a sweep: here, and on the machines of a cluster file.",
        discussion: """
            Looks at version, libraries and the kernels they chose, datasets, disk, memory, clock and
            port; with --cluster also at every machine that ssh reaches, whether it reaches this one,
            and at Slurm's view of the job. Exit status 1 if a sweep would fail.
            """)

    @Option(help: "A cluster file, whose machines are asked, too.", completion: .file())
    var cluster: String?

    @OptionGroup var places: DataPlaces

    @Option(help: "Where the coordinator would listen. Default: the cluster file's bind.")
    var bind: String?

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    @Option(help: "human, json or quiet.")
    var outputMode = OutputMode.human

    /// One line of JSON, for a doctor on another machine.
    @Flag(help: .hidden)
    var compact = false

    func run() throws {
        let cluster = try cluster.map(readCluster)
        var findings = LocalExamination(search: places.search, runs: runs).findings
        let endpoint = try bind.map { text throws(TransportError) in try Endpoint(text) }
        let (port, listener) = examinePort(
            endpoint ?? cluster?.bind
                ?? (cluster?.isLocal == false ? .tcp(host: "*", port: 0) : nil))
        if let port { findings.append(port) }
        if let cluster, !cluster.isLocal {
            findings += try examine(cluster, listener)
        }
        try show(findings)
        if findings.contains(where: { $0.state == .failed }) {
            throw ExitCode(ExitStatusCode.failed)
        }
    }

    private func examine(_ cluster: Cluster, _ listener: PortListener?) throws -> [Finding] {
        // A socket's path has to be short.
        var template = Array("/tmp/alsweep-doctor-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure("no folder can be made in /tmp", hint: "free some space there")
        }
        let folder = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let host = cluster.host ?? ProcessInfo.processInfo.hostName
        return withExtendedLifetime(listener) {
            ClusterExamination(cluster, folder: folder)
                .findings(reaching: listener.map { (host, $0.port) })
        }
    }

    /// Whether the port is free; the listener keeps it for the machines to knock at.
    private func examinePort(_ endpoint: Endpoint?) -> (Finding?, PortListener?) {
        guard let endpoint, case .tcp(let host, let port) = endpoint else { return (nil, nil) }
        let listener = PortListener(host: host, port: port)
        return (
            Finding(
                "port", listener == nil ? .failed : .ok,
                listener == nil
                    ? "\(endpoint) cannot be listened on: \(String(cString: strerror(errno)))"
                    : "\(endpoint) can be listened on",
                remedy: "another program listens there, or the address is not this machine's: "
                    + "choose another with --bind"), listener
        )
    }

    private func show(_ findings: [Finding]) throws {
        if compact {
            print(String(decoding: try JSONEncoder().encode(Findings(findings)), as: UTF8.self))
            return
        }
        switch outputMode {
        case .human:
            let width = findings.map(\.machine.count).max() ?? 0
            let checkWidth = findings.map(\.check.count).max() ?? 0
            for finding in findings {
                print(
                    finding.machine.padding(toLength: width, withPad: " ", startingAt: 0), " ",
                    finding.check.padding(toLength: checkWidth, withPad: " ", startingAt: 0), " ",
                    finding.state.rawValue.padding(toLength: 7, withPad: " ", startingAt: 0), " ",
                    finding.value, separator: "")
                if let remedy = finding.remedy {
                    print(String(repeating: " ", count: width + checkWidth + 2) + "-> " + remedy)
                }
            }
            let failed = findings.count { $0.state == .failed }
            print(
                failed == 0
                    ? "\nNext: alsweep launch SWEEP" + (cluster.map { " --cluster \($0)" } ?? "")
                    : "\n\(failed) of \(findings.count) checks failed; what to do stands below each",
                to: &StandardError.stream)
        case .json: try printJSON(Findings(findings))
        case .quiet: break
        }
    }
}
