import ChildProcess
import Foundation
import SweepModel
import Transport

/// The worker that a coordinator starts on its own machine.
public struct LocalWorkerSettings: Sendable {
    /// What it is told of its slots: `--slots`, or `--gpus` and what goes with it.
    public var slotOptions: [String]
    public var threads: Int
    public var dataFolder: String?
    /// The client's certificate, where the coordinator has keys.
    public var certificatePath: String?

    public init(
        slotOptions: [String], threads: Int, dataFolder: String?, certificatePath: String?
    ) {
        self.slotOptions = slotOptions
        self.threads = threads
        self.dataFolder = dataFolder
        self.certificatePath = certificatePath
    }
}

/// Starts the worker and starts it again when it ends before its time. The worker outlives a
/// coordinator that is killed: the next one finds it at work, and starts no second.
final class LocalWorker {
    private static let firstDelayMs: Int64 = 1_000
    private static let longestDelayMs: Int64 = 30_000

    private let settings: LocalWorkerSettings
    private let endpoint: Endpoint
    private let folder: RunFolder
    private var process: WorkerProcess?
    /// A new one with every start.
    private(set) var worker = WorkerID("")
    private var delayMs = firstDelayMs
    private var startTime: Int64 = 0
    /// When the worker is started again; nil while it runs.
    private(set) var restartTime: Int64?

    init(
        _ settings: LocalWorkerSettings, endpoint: Endpoint, folder: RunFolder,
        in loop: inout PollLoop
    ) throws(SpawnError) {
        self.settings = settings
        self.endpoint = endpoint
        self.folder = folder
        try start(in: &loop)
    }

    private func start(in loop: inout PollLoop) throws(SpawnError) {
        worker = WorkerID(UUID().uuidString.lowercased())
        var arguments =
            [
                "worker", "--identifier", worker.rawValue, "--connect",
                endpoint.reachedLocally.description, "--threads", String(settings.threads),
                "--spawned-for", folder.path,
            ] + settings.slotOptions
        if let data = settings.dataFolder { arguments += ["--data", data] }
        if let certificate = settings.certificatePath {
            arguments += ["--certificate", certificate]
        }
        let process = try ChildProcess(
            program: ChildProcess.itself, arguments: arguments,
            log: folder.logs + "/worker.log")
        self.process = WorkerProcess(process, in: &loop)
        startTime = monotonicMilliseconds()
        restartTime = nil
    }

    /// Starts it again when it is gone, later each time if it ends at once.
    ///
    /// - Parameter restarts: false while the sweep is being stopped.
    /// - Returns: which worker died, and how, to be told.
    func keepAlive(
        _ ready: ReadySet, in loop: inout PollLoop, restarts: Bool
    ) throws -> (worker: WorkerID, reason: String)? {
        let now = monotonicMilliseconds()
        if restarts, let restartTime, now >= restartTime { try start(in: &loop) }
        guard let process, ready.contains(process.watch), process.process.readOutput() == nil else {
            return nil
        }
        loop.unwatch(process.watch)
        let end = process.process.wait()
        self.process = nil
        if end == .exited(EX_OK) || !restarts { return (worker, "the worker here has ended") }
        // The worker of an earlier coordinator is at work here: look again when it may be gone.
        if end == .exited(EX_UNAVAILABLE) {
            restartTime = now + Self.longestDelayMs
            return nil
        }
        delayMs = now - startTime > Self.longestDelayMs ? Self.firstDelayMs : delayMs * 2
        restartTime = now + min(delayMs, Self.longestDelayMs)
        let reason = "the worker here \(end); it is started again (see \(folder.logs)/worker.log)"
        return (worker, reason)
    }

    /// Ends this worker's predecessor: it holds the lock, so the one before it is dead.
    ///
    /// - Returns: the dead one, once.
    func succeed() -> WorkerID? {
        let path = folder.workerIdentifier
        let before = try? String(contentsOfFile: path, encoding: .utf8)
        guard before != worker.rawValue else { return nil }
        try? worker.rawValue.write(toFile: path, atomically: true, encoding: .utf8)
        return before.map { WorkerID($0) }
    }

    func kill() { process?.process.kill(SIGKILL) }

    /// It gives its trials back, if it has not yet, and ends.
    func terminate() { process?.process.kill(SIGTERM) }

    func waitForEnd(upToMs milliseconds: Int64) {
        guard let process else { return }
        let deadline = monotonicMilliseconds() + milliseconds
        while monotonicMilliseconds() < deadline {
            if process.process.poll() != nil {
                self.process = nil
                return
            }
            usleep(20_000)
        }
    }
}

private final class WorkerProcess {
    let process: ChildProcess
    let watch: Watch

    init(_ process: consuming ChildProcess, in loop: inout PollLoop) {
        self.process = process
        watch = loop.watch(.descriptor(self.process.output))
    }
}
