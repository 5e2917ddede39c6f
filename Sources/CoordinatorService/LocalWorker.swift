import ChildProcess
import Foundation
import SweepModel
import Transport

/// The worker that a coordinator starts on its own machine.
public struct LocalWorkerSettings: Sendable {
    public var slots: Int
    public var threads: Int
    public var dataFolder: String?

    public init(slots: Int, threads: Int, dataFolder: String?) {
        self.slots = slots
        self.threads = threads
        self.dataFolder = dataFolder
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
    private var worker = WorkerID("")
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
        var arguments = [
            "worker", "--identifier", worker.rawValue, "--connect", endpoint.description, "--slots",
            String(settings.slots),
            "--threads", String(settings.threads), "--spawned-for", folder.path,
        ]
        if let data = settings.dataFolder { arguments += ["--data", data] }
        let process = try ChildProcess(
            program: ChildProcess.ownProgram(), arguments: arguments,
            log: folder.logs + "/worker.log")
        self.process = WorkerProcess(process, in: &loop)
        startTime = monotonicMilliseconds()
        restartTime = nil
    }

    /// Starts it again when it is gone, later each time if it ends at once.
    ///
    /// - Returns: which worker died, and how, to be told.
    func keepAlive(
        _ ready: ReadySet, in loop: inout PollLoop
    ) throws -> (worker: WorkerID, reason: String)? {
        let now = monotonicMilliseconds()
        if let restartTime, now >= restartTime { try start(in: &loop) }
        guard let process, ready.contains(process.watch), process.process.readOutput() == nil else {
            return nil
        }
        loop.unwatch(process.watch)
        let status = process.process.wait()
        self.process = nil
        if status == .exited(EX_OK) { return nil }
        // Another worker of this run is at work here: look again when it may be gone.
        let isDoubled = status == .exited(EX_UNAVAILABLE)
        delayMs =
            now - startTime > Self.longestDelayMs || isDoubled ? Self.firstDelayMs : delayMs * 2
        restartTime = now + min(delayMs, Self.longestDelayMs)
        guard !isDoubled else { return nil }
        let reason =
            "the worker here \(status); it is started again (see \(folder.logs)/worker.log)"
        return (worker, reason)
    }

    func kill() { process?.process.kill(SIGKILL) }

    func waitForEnd(upToMs milliseconds: Int64) {
        guard let process else { return }
        let deadline = monotonicMilliseconds() + milliseconds
        while process.process.poll() == nil, monotonicMilliseconds() < deadline { usleep(20_000) }
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
