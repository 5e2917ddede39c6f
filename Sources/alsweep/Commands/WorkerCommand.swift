import ActiveLearning
import Agent
import ArgumentParser
import Classifier
import Datasets
import Foundation
import Journal
import Logging
import SweepModel
import Transport
import Wire
import WorkerService

struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run a worker that takes trials from a coordinator.",
        discussion: """
            Every trial is a process of its own. A worker may join and leave at any time: Ctrl-C gives \
            its trials back, and they go on from their last finished cycle, here or elsewhere. Where \
            the run's folder is not shared, checkpoints, models and missing datasets go through the \
            coordinator, which listens for them at the port after its own.
            """)

    @Option(help: "The coordinator's endpoint, as in tcp://head:5555, or its run's folder.")
    var connect: String

    @Option(help: "Trials at the same time. Default: one per core, or those of the GPUs.")
    var slots: Int?

    @OptionGroup var gpu: GPUArguments

    @Option(help: "Threads of every trial.")
    var threads = 1

    @Option(help: "The only folder in which datasets are looked for.", completion: .directory)
    var data: String?

    @Option(help: "The client certificate, if the coordinator has keys.", completion: .file())
    var certificate: String?

    @Option(
        name: .customLong("scratch"),
        help: "Where models and checkpoints go if the run's folder is not visible here.",
        completion: .directory)
    var scratchFolder: String?

    @Flag(help: "Do not use the run's folder even if it is visible here.")
    var separate = false

    @Option(help: "Give up if no coordinator answers within so many seconds.")
    var connectTimeout = 60

    @Option(help: "End after so many seconds without a coordinator and without work.")
    var idleExit = 600

    @Option(
        help: """
            End after so long, as in 90m, 11h30m or 3600: it begins no cycle that it cannot finish, and \
            gives its trials back in time.
            """)
    var walltime: Walltime?

    @Option(help: "End at this time, as in 18:30 or 2026-01-31T18:30:00Z; otherwise as --walltime.")
    var until: WorkerEnd?

    @Option(help: .hidden)
    var spawnedFor: String?

    @Option(help: .hidden)
    var identifier: String?

    func validate() throws {
        guard (1...WorkerLimits.slots).contains(slots ?? 1) else {
            throw ValidationError(
                "--slots is \(slots!); it is a number from 1 to \(WorkerLimits.slots)")
        }
        guard (1...1_024).contains(threads) else {
            throw ValidationError("--threads is \(threads); it is a number from 1 to 1024")
        }
        guard slots == nil || gpu.gpus == nil else {
            throw ValidationError("give --slots or --gpus with --slots-per-gpu, not both")
        }
        guard walltime == nil || until == nil else {
            throw ValidationError("give --walltime or --until, not both")
        }
        for (name, seconds) in [("--connect-timeout", connectTimeout), ("--idle-exit", idleExit)]
        where !(1...100_000_000).contains(seconds) {
            throw ValidationError(
                "\(name) is \(seconds); it is a number of seconds from 1 to 100000000")
        }
    }

    func run() throws {
        if let spawnedFor {
            // Two workers on the same cores would only be in each other's way.
            let folder = RunFolder(spawnedFor)
            guard let lock = try? RunLock(path: folder.workerLock, folder: folder.path) else {
                throw ExitCode(EX_UNAVAILABLE)
            }
            try withExtendedLifetime(lock) { try work() }
        } else {
            try work()
        }
    }

    private func work() throws {
        let endpoint = try resolvedEndpoint()
        let level: Logger.Level = spawnedFor == nil ? .warning : .info
        let logger = Logger(label: "worker") { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        if let coreType = OpenBLASKernels.betterCoreType {
            logger.notice(
                "OpenBLAS took the kernels of \(OpenBLASKernels.coreName); trials use those of \(coreType)"
            )
        }
        let gpus = try gpu.options()
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let service = try WorkerService(
            settings: WorkerSettings(
                identifier: WorkerID(identifier ?? UUID().uuidString.lowercased()),
                endpoint: endpoint, endpointFile: endpointFile,
                certificate: try certificate.map(ClientCertificate.init(path:)),
                host: ProcessInfo.processInfo.hostName,
                slots: slots ?? gpus?.slots ?? max(1, cores / threads),
                environment: LibraryEnvironment.variables(threads: threads), gpus: gpus,
                offers: EngineName.offersHere, dataFolder: data,
                scratchFolder: scratchFolder ?? defaultScratch, usesRunFolder: !separate,
                checkpoints: CheckpointFiles(),
                datasets: ReceivedDatasets(
                    search: DatasetSearch(
                        folder: data, environment: ProcessInfo.processInfo.environment)),
                softwareVersion: softwareVersion, leavesWithCoordinator: spawnedFor != nil,
                connectDelaySeconds: connectTimeout, idleExitSeconds: idleExit,
                walltimeSeconds: walltime?.seconds ?? until?.seconds(after: Date())),
            logger: logger, notice: show)
        try finish(try service.run(), endpoint)
    }

    private var endpointFile: String? {
        if let spawnedFor { return RunFolder(spawnedFor).endpoint }
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: connect, isDirectory: &isFolder)
        return exists && isFolder.boolValue ? RunFolder(connect).endpoint : nil
    }

    private func resolvedEndpoint() throws -> Endpoint {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: connect, isDirectory: &isFolder),
            isFolder.boolValue
        else { return try Endpoint(connect) }
        let folder = RunFolder(connect)
        guard let text = try? String(contentsOfFile: folder.endpoint, encoding: .utf8) else {
            throw CommandFailure(
                "\(connect) holds no endpoint: it is not a run's folder, or was never launched",
                hint: "give the endpoint that `alsweep launch` printed")
        }
        return try Endpoint(text.trimmingCharacters(in: .whitespacesAndNewlines)).reachedLocally
    }

    private var defaultScratch: String {
        let environment = ProcessInfo.processInfo.environment
        let state =
            environment["XDG_STATE_HOME"] ?? (environment["HOME"] ?? "/tmp") + "/.local/state"
        return state + "/alsweep"
    }

    private func show(_ notice: WorkerNotice) {
        let line: String? =
            switch notice {
            case .joined(let run): "Joined \(run) at \(connect)"
            case .lostTouch: "The coordinator does not answer; the trials go on, trying again"
            case .started(let lease, let gpu):
                "\(lease.trial)  attempt \(lease.attempt) started"
                    + (gpu.map { " on GPU \($0.index)" } ?? "")
            case .finishedCycle(let lease, let result):
                "\(lease.trial)  cycle \(result.cycle)  "
                    + String(format: "%6.2f %%  %.1f s", result.accuracy, result.seconds)
            case .ended(let lease, let fault):
                "\(lease.trial)  attempt \(lease.attempt) ended" + (fault.map { ": \($0)" } ?? "")
            case .handshakeFailed(let reason), .troubled(let reason): "warning: \(reason)"
            case .fetching(let dataset): "Fetching \(dataset.title) from the coordinator"
            }
        if let line { print(line, to: &StandardError.stream) }
    }

    private func finish(_ exit: AgentExit, _ endpoint: Endpoint) throws {
        switch exit {
        case .sweepFinished: print("The sweep is finished.", to: &StandardError.stream)
        case .drained:
            print(
                "Drained: the run gives it no more trials. `alsweep drain --undo` takes it back.",
                to: &StandardError.stream)
        case .stopped:
            print("Stopped; its trials were given back.", to: &StandardError.stream)
            throw ExitCode(ExitStatusCode.stopped)
        case .coordinatorNeverFound:
            let cause = endpoint.lookupFailure().map { " (\($0))" } ?? ""
            throw CommandFailure(
                "no coordinator answered at \(endpoint) within \(connectTimeout) s\(cause)",
                hint:
                    "start it first with `alsweep launch SWEEP`, which prints its endpoint, or wait "
                    + "longer with --connect-timeout")
        case .coordinatorLost:
            throw CommandFailure(
                "the coordinator at \(endpoint) has not answered for \(idleExit) s",
                hint: "finished cycles are in the checkpoints; resume the sweep and start this "
                    + "worker again", status: ExitStatusCode.stopped)
        case .refused(let reason): throw CommandFailure("refused at \(endpoint): \(reason)")
        }
    }
}
