import ActiveLearning
import ArgumentParser
import Coordinator
import CoordinatorService
import Datasets
import Foundation
import Journal
import Launchers
import Logging
import Reporting
import SweepModel
import Transport

struct LaunchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "launch",
        abstract: "Start or resume a sweep here, and show its tables at the end.",
        discussion: """
            Runs the coordinator and, unless told otherwise, a worker with one slot per core. \
            Workers on other terminals or machines join with the `alsweep worker` line it prints. \
            Ctrl-C stops with everything saved; the same command goes on where it was.
            """)

    @Argument(help: "A sweep file, or the folder of a run to resume.", completion: .file())
    var sweep: String

    @Option(help: "Slots of the worker started here; 0 starts none. Default: one per core.")
    var slots: Int?

    @OptionGroup var gpu: GPUArguments

    @Option(
        help: """
            Threads of every trial here. A sweep keeps those it began with, for its numbers depend on them. \
            Default: 1.
            """)
    var threads: Int?

    @Option(
        help: """
            The library that executes the network, instead of the file's: onednn, openblas, or torch, \
            a plug-in for GPUs.
            """)
    var engine: EngineName?

    @Option(
        help: """
            float32, bfloat16, tf32 (on GPUs), or auto: the one that trains fastest on this machine, \
            and float32 where no worker runs here; instead of the file's. A sweep keeps the precision it began with.
            """)
    var precision: PrecisionSetting?

    @Option(
        help: """
            Where to listen, as in tcp://127.0.0.1:5555. Default: a free port of the loopback \
            interface. Beyond loopback, keys are made on first use.
            """)
    var bind: String?

    @Option(
        help: """
            Where to take commands such as `cancel` from other machines, as in tcp://*:5557. Default: \
            from this machine's user only.
            """)
    var control: String?

    @Option(
        help: """
            The server's certificate, with the client's beside it, as `alsweep keys new` writes them. \
            Default: keys/server.cert in the run's folder.
            """)
    var certificate: String?

    @Option(
        help: """
            A trial's process that does nothing for so many seconds, and for ten times its longest step \
            before, is killed and tried again.
            """)
    var hangTimeout = 600

    @Option(help: "The only folder in which datasets are looked for.", completion: .directory)
    var data: String?

    @Option(
        help: """
            Where workers come up: a file that names this machine, machines reached by ssh, or a \
            Slurm partition (see cluster/*.yaml).
            """, completion: .file(extensions: ["yaml"]))
    var cluster: String?

    @Option(
        help:
            "Seconds of silence after which a worker is suspected; after as many again it is replaced."
    )
    var lease = 90

    @Flag(help: "Print what --cluster would run, and run nothing.")
    var dryRun = false

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    @Flag(help: "Start a new run even if this sweep has one already.")
    var new = false

    @Flag(help: "No progress, only the tables.")
    var quiet = false

    func validate() throws {
        guard (0...WorkerLimits.slots).contains(slots ?? 1) else {
            throw ValidationError(
                "--slots is \(slots!); it is a number from 0 to \(WorkerLimits.slots)")
        }
        guard slots == nil || gpu.gpus == nil else {
            throw ValidationError("give --slots or --gpus with --slots-per-gpu, not both")
        }
        guard (1...10_000_000).contains(hangTimeout) else {
            throw ValidationError(
                "--hang-timeout is \(hangTimeout); it is a number of seconds from 1 to 10000000")
        }
        guard (1...1_024).contains(threads ?? 1) else {
            throw ValidationError("--threads is \(threads!); it is a number from 1 to 1024")
        }
        guard (2...86_400).contains(lease) else {
            throw ValidationError("--lease is \(lease); it is a number of seconds from 2 to 86400")
        }
    }

    func run() throws {
        var endpoint = try bind.map { text throws(TransportError) in try Endpoint(text) }
        let cluster = try cluster.map { ClusterLaunch(cluster: try readCluster($0)) }
        let target = try findTarget(isWorkerHere: isWorkerHere(cluster))
        let local = localSetup(cluster, threads: threads ?? target.known?.submission?.threads)
        let sweep = target.sweep
        let known = target.known?.folder
        if let cluster, endpoint == nil { endpoint = cluster.endpoint(resuming: known) }
        if let group = cluster?.cluster.kubernetes {
            guard dryRun else { throw KubernetesLaunch.notStartedHere }
            let launch = KubernetesLaunch(
                group: group, engine: engine, precision: precision, certificate: certificate)
            return print(try launch.manifest(of: sweep, text: target.text), terminator: "")
        }
        if dryRun { return try printDryRun(cluster, known, endpoint) }
        if let local {
            try checkDatasets(sweep, in: local.data)
            try checkEngine(sweep.studyProtocol)
            _ = try local.gpus?.selection.here()
        }
        let folder = try known ?? Runs(root: runs).make(sweep, text: target.text)
        for subfolder in folder.subfolders { try makeFolder(subfolder) }
        let display = LaunchDisplay(sweep: sweep, folder: folder, isQuiet: quiet)
        display.begin(target)
        let outcome = try coordinate(target, folder, endpoint, local, cluster, display)
        display.end()
        try finish(folder, outcome)
    }

    private func isWorkerHere(_ cluster: ClusterLaunch?) -> Bool {
        guard slots != 0 else { return false }
        return cluster == nil || cluster?.cluster.local != nil || slots != nil || gpu.gpus != nil
    }

    /// The worker here: what the command line says comes before the cluster file; nil is none.
    private func localSetup(_ cluster: ClusterLaunch?, threads: Int?) -> WorkerSetup? {
        guard isWorkerHere(cluster) else { return nil }
        var setup = cluster?.cluster.local ?? WorkerSetup()
        if let threads { setup.threads = threads }
        let cores = ProcessInfo.processInfo.activeProcessorCount
        if slots != nil { setup.gpus = nil }
        if let selection = gpu.gpus {
            setup.gpus = GPUSetup(
                selection, slotsPerGPU: gpu.slotsPerGPU, memoryMiB: gpu.memoryMiB)
        }
        setup.slots = slots ?? setup.slots ?? max(1, cores / setup.threads)
        setup.data = data ?? setup.data
        return setup
    }

    private func printDryRun(
        _ cluster: ClusterLaunch?, _ known: RunFolder?, _ endpoint: Endpoint?
    ) throws {
        guard let cluster else {
            throw CommandFailure(
                "--dry-run shows what a cluster file would run, and none is given",
                hint: "add --cluster cluster/local.yaml, or use `alsweep plan` for the trials",
                status: ExitStatusCode.usage)
        }
        let last = known.flatMap { try? String(contentsOfFile: $0.endpoint, encoding: .utf8) }
            .flatMap { try? Endpoint($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        let folder = known ?? RunFolder(runs + "/RUN")
        var sweep = cluster.sweep(
            RunFolder(URL(fileURLWithPath: folder.path).standardizedFileURL.path),
            at: endpoint ?? last ?? .tcp(host: "127.0.0.1", port: 0))
        // Made on first use.
        if endpoint?.isLoopback == false { sweep.certificatePath = sweep.folder.clientCertificate }
        print(try cluster.dryRun(sweep), terminator: "")
    }

    /// A precision that this machine lacks is told now, and not by a worker that is refused.
    private func checkEngine(_ studyProtocol: StudyProtocol) throws {
        guard !studyProtocol.engine.isOfferedHere(studyProtocol.precision) else { return }
        if studyProtocol.engine == .torch {
            // What is missing altogether has its own remedy.
            let found = try TorchExamination.here.get()
            throw CommandFailure(
                "engine torch cannot compute in \(studyProtocol.precision.rawValue) on this machine's "
                    + found.device,
                hint: "use --slots 0 with workers on machines that can, or a run of its own with "
                    + "--new --precision float32")
        }
        throw CommandFailure(
            "this machine cannot compute in \(studyProtocol.precision.rawValue): its CPU or its "
                + "oneDNN lacks the instructions",
            hint: "use --slots 0 with workers on machines that can, or a run of its own with "
                + "--new --precision float32")
    }

    /// A dataset that is missing is found now, and not by every trial.
    private func checkDatasets(_ sweep: Sweep, in data: String?) throws {
        let search = DatasetSearch(folder: data, environment: ProcessInfo.processInfo.environment)
        var checked: [DatasetName] = []
        for dataset in sweep.stages.flatMap(\.datasets) where !checked.contains(dataset) {
            checked.append(dataset)
            _ = try search.load(dataset, poolCount: 1, testCount: 1)
        }
    }

    private func coordinate(
        _ target: LaunchTarget, _ folder: RunFolder, _ endpoint: Endpoint?, _ local: WorkerSetup?,
        _ cluster: ClusterLaunch?, _ display: LaunchDisplay
    ) throws -> Outcome {
        let logPath = folder.logs + "/coordinator.log"
        let logger = Logger(label: "coordinator") { _ in FileLogHandler(path: logPath) }
        var options = Coordinator.Options()
        options.runFolder = URL(fileURLWithPath: folder.path).standardizedFileURL.path
        options.softwareVersion = softwareVersion
        options.hangDelayMs = Int64(hangTimeout) * 1_000
        options.leaseMs = Int64(lease) * 1_000
        options.graceMs = options.leaseMs
        options.heartbeatMs = min(options.heartbeatMs, options.leaseMs / 9)
        let search = DatasetSearch(
            folder: data ?? local?.data, environment: ProcessInfo.processInfo.environment)
        let datasetFiles: @Sendable (DatasetName) -> [String] = { name in
            (try? search.source(of: name).paths) ?? []
        }
        let service = try CoordinatorService(
            settings: CoordinatorSettings(
                sweep: target.sweep, sweepText: target.text, folder: RunFolder(options.runFolder),
                endpoint: endpoint, certificate: try serverCertificate(folder, endpoint),
                controlEndpoint: try control.map { try Endpoint($0) },
                options: options,
                localWorker: local.map { local in
                    LocalWorkerSettings(
                        slotOptions: local.gpus?.options ?? ["--slots", String(local.slots!)],
                        threads: local.threads, dataFolder: local.data,
                        certificatePath: FileManager.default.fileExists(
                            atPath: folder.clientCertificate) ? folder.clientCertificate : nil)
                }, checkpoints: CheckpointFiles(),
                datasetFiles: datasetFiles),
            logger: logger,
            notice: display.show)
        // The run is ours from here on.
        try target.write(to: folder)
        let launchers = try cluster.map {
            try $0.launchers($0.sweep(RunFolder(options.runFolder), at: service.endpoint))
        }
        if service.endpoint.isLoopback, cluster?.cluster.isLocal == false {
            print(
                "warning: the coordinator listens at \(service.endpoint), which other machines do not "
                    + "reach\nhint: leave --bind out, or give --bind tcp://*:5555",
                to: &StandardError.stream)
        }
        let outcome = try service.run(launchers: launchers ?? [])
        for (stage, dataset) in service.coordinator.blockedStages where outcome == .sweepFinished {
            print(
                "error: stage \(stage) of \(dataset.title) was not started: a trial that it builds on "
                    + "failed or was cancelled", to: &StandardError.stream)
        }
        return outcome
    }

    /// Keys are needed beyond loopback, and made on first use.
    private func serverCertificate(
        _ folder: RunFolder, _ endpoint: Endpoint?
    ) throws -> ServerCertificate? {
        if let certificate { try adopt(certificate, into: folder) }
        let path = folder.serverCertificate
        if FileManager.default.fileExists(atPath: path) { return try ServerCertificate(path: path) }
        guard let endpoint, !endpoint.isLoopback else { return nil }
        return try KeyFiles(folder: folder.keys).make()
    }

    /// Keeps the certificates with the run, so that it can be resumed, and a worker started here.
    private func adopt(_ certificate: String, into folder: RunFolder) throws {
        let client = URL(fileURLWithPath: certificate).deletingLastPathComponent()
            .appendingPathComponent("client.cert").path
        guard FileManager.default.fileExists(atPath: client) else {
            throw CommandFailure(
                "\(client) is missing: workers need the client's certificate",
                hint: "`alsweep keys new FOLDER` writes both beside each other")
        }
        // What was added or revoked in the run's copy stays so.
        var server = try ServerCertificate(path: certificate)
        if FileManager.default.fileExists(atPath: folder.serverCertificate) {
            server = server.merged(with: try ServerCertificate(path: folder.serverCertificate))
        }
        let worker = try ClientCertificate(path: client)
        try makeFolder(folder.keys, permissions: 0o700)
        try server.write(to: folder.serverCertificate, replacing: true)
        try worker.write(to: folder.clientCertificate, replacing: true)
    }

    /// The command line that was given, for the run.
    private func resumption(of folder: RunFolder) -> String {
        var arguments = CommandLine.arguments.dropFirst().filter { $0 != "--new" }
        if let index = arguments.firstIndex(of: sweep) { arguments[index] = folder.path }
        return (["alsweep"] + arguments).map(shellWord).joined(separator: " ")
    }

    private func finish(_ folder: RunFolder, _ outcome: Outcome) throws {
        let reading = try RunReading(folder)
        switch outcome {
        case .stopped:
            print(
                "\nStopped; everything is saved. Go on with: \(resumption(of: folder))",
                to: &StandardError.stream)
            throw ExitCode(ExitStatusCode.stopped)
        case .sweepFinished:
            var report = Report(record: reading.record)
            report.provenance = [(name: "alsweep", value: softwareVersion)]
            print(report.render(.table), terminator: "")
            try writeText(report.render(.html), to: folder.report)
            try writeText(report.render(.csv), to: folder.results)
            let cancelled = reading.history.trials.count { $0.state == .cancelled }
            if cancelled > 0 {
                print(
                    "\(cancelled) trial\(cancelled == 1 ? " was" : "s were") cancelled; try again with: "
                        + "alsweep retry \(folder.path) --cancelled", to: &StandardError.stream)
            }
            let failed = reading.history.trials.filter { $0.state == .failed }
            for trial in failed {
                print(
                    "error: \(trial.id) failed: \(trial.failure?.message ?? "for an unknown reason")",
                    to: &StandardError.stream)
            }
            print(
                "\nNext: open \(folder.report), or alsweep collect \(folder.path) --format markdown"
                    + "   (csv, json, latex, html)\nAnother run, with new time seeds: alsweep launch SWEEP --new",
                to: &StandardError.stream)
            if !failed.isEmpty { throw ExitCode(ExitStatusCode.failed) }
        }
    }
}
