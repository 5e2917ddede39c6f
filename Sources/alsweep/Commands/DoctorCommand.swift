import ArgumentParser
import Foundation
import GPUs
import Launchers
import SweepModel
import Transport

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "What would stop a sweep: here, and on the machines of a cluster file.",
        discussion: """
            Looks at version, libraries and the kernels they chose, GPUs, datasets and their checksums, \
            disk, memory, clock and port; with --cluster also at every machine that ssh reaches, whether its \
            workers would be let in here, and at Slurm's view of the job. Exit status 1 if a sweep \
            would fail.
            """)

    @Option(help: "A cluster file, whose machines are asked, too.", completion: .file())
    var cluster: String?

    @OptionGroup var places: DataPlaces

    @Option(help: "Where the coordinator would listen. Default: the cluster file's bind.")
    var bind: String?

    @Option(help: "GPUs that a worker here is to use, as `alsweep worker --gpus` takes them.")
    var gpus: GPUSelection?

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    @Option(help: "human, json or quiet.")
    var outputMode = OutputMode.human

    /// One line of JSON, for a doctor on another machine.
    @Flag(help: .hidden)
    var compact = false

    /// On another machine: where the first doctor listens, and what lets one in there.
    @Option(help: .hidden)
    var knock: String?

    @Option(help: .hidden)
    var certificate: String?

    func run() throws {
        let cluster = try cluster.map(readCluster)
        var findings = LocalExamination(search: places.search, runs: runs).findings
        findings += GPUExamination(wanted: gpus ?? cluster?.local?.gpus?.selection).findings
        let endpoint = try bind.map { text throws(TransportError) in try Endpoint(text) }
        let (port, listener) = examinePort(
            endpoint ?? cluster?.bind
                ?? (cluster?.isLocal == false ? .tcp(host: "*", port: 0) : nil))
        if let port { findings.append(port) }
        if let knock, let certificate { findings.append(try examineHandshake(knock, certificate)) }
        if let cluster, !cluster.isLocal {
            findings += try examine(cluster, listener)
        }
        try show(findings)
        if findings.contains(where: { $0.state == .failed }) {
            throw ExitCode(ExitStatusCode.failed)
        }
    }

    private func examineHandshake(_ knock: String, _ certificate: String) throws -> Finding {
        let endpoint = try Endpoint(knock)
        let isLetIn = try handshake(with: endpoint, try ClientCertificate(path: certificate))
        return Finding(
            "handshake", isLetIn ? .ok : .failed,
            "\(endpoint): " + (isLetIn ? "keys accepted" : "no handshake within 10 s"),
            remedy: "open the port in the firewall for more than a first connection, and look "
                + "whether another program answers there")
    }

    private func examine(_ cluster: Cluster, _ listener: HandshakeListener?) throws -> [Finding] {
        // A socket's path has to be short.
        var template = Array("/tmp/alsweep-doctor-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure("no folder can be made in /tmp", hint: "free some space there")
        }
        let folder = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let host = cluster.host ?? ProcessInfo.processInfo.hostName
        var waiting: WaitingEndpoint?
        if let listener, case .tcp(_, let port) = listener.endpoint {
            try listener.certificate.write(to: folder + "/client.cert")
            waiting = WaitingEndpoint(
                host: host, port: port,
                certificate: try String(contentsOfFile: folder + "/client.cert", encoding: .utf8),
                answer: listener.answer)
        }
        return ClusterExamination(
            cluster, folder: folder, softwareVersion: softwareVersion, endpoint: waiting
        ).findings()
    }

    /// Whether the port is free; the listener keeps it for the machines to knock at.
    private func examinePort(_ endpoint: Endpoint?) -> (Finding?, HandshakeListener?) {
        guard let endpoint, case .tcp = endpoint else { return (nil, nil) }
        do throws(TransportError) {
            let listener = try HandshakeListener(at: endpoint)
            return (Finding("port", .ok, "\(endpoint) can be listened on"), listener)
        } catch {
            return (
                Finding(
                    "port", .failed, "\(endpoint) cannot be listened on: \(error)",
                    remedy: "another program listens there, or the address is not this machine's: "
                        + "choose another with --bind"), nil
            )
        }
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
