import ChildProcess
import Foundation
import SweepModel
import Transport
import Wire

/// A trial's process, seen from its agent.
final class TrialProcess {
    /// Of the log, to explain a failure with.
    static let lastLineCount = 50
    private static let lastByteCount = 4_000

    let lease: Lease
    let folder: RunFolder
    /// Whether the coordinator does not see its files.
    let isRemote: Bool
    let process: ChildProcess
    let watch: Watch
    private(set) var hasEnded = false
    private let logPath: String
    private var unfinishedLine: [UInt8] = []
    private var hasBeenStopped = false
    private var hasReportedEnd = false
    /// What it said of its own failure.
    private(set) var reportedFault: String?

    /// - Parameter gpu: the only one that the process sees, by its UUID: the numbers that CUDA counts
    ///   in are not the driver's on every machine.
    init(
        _ assignment: Assignment, on gpu: GPU?, folder: RunFolder, settings: WorkerSettings,
        watch: (Int32) -> Watch
    ) throws(SpawnError) {
        lease = assignment.lease
        self.folder = folder
        isRemote = folder.path != assignment.runFolder
        logPath = folder.log(of: lease.trial, attempt: lease.attempt)
        process = try ChildProcess(
            program: ChildProcess.itself, arguments: ["trial"],
            environment: settings.environment
                + (gpu.map { [("CUDA_VISIBLE_DEVICES", $0.uuid)] } ?? []), log: logPath)
        self.watch = watch(process.output)
        let task = ChildTask(
            configuration: assignment.configuration,
            modelPath: folder.model(of: lease.trial),
            checkpointPath: folder.checkpoint(of: lease.trial),
            classifierFolder: folder.classifiers, dataFolder: settings.dataFolder)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        process.say(String(decoding: try! encoder.encode(task), as: UTF8.self))
    }

    /// The process leaves at its next batch; its last finished cycle is saved. One that a debugger or
    /// a user has stopped goes on to do so.
    func stop() {
        hasBeenStopped = true
        process.kill(SIGTERM)
        process.kill(SIGCONT)
    }

    /// Ends also a process that is stopped, or does not look whether it should leave.
    func kill() {
        hasBeenStopped = true
        process.kill(SIGKILL)
    }

    /// The lines that came since, and whether its output has ended.
    func readLines() -> [[UInt8]] {
        guard let bytes = process.readOutput() else {
            hasEnded = true
            return []
        }
        unfinishedLine += bytes
        var lines = unfinishedLine.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        unfinishedLine = Array(lines.removeLast())
        return lines.map(Array.init)
    }

    func reportEnd(fault: String?) {
        hasReportedEnd = true
        reportedFault = fault
    }

    /// What the process did not say itself about its end; nil if it ended as it should.
    func fault() -> (kind: FailureKind, message: String)? {
        let status = process.wait()
        if hasReportedEnd { return nil }
        switch status {
        case .exited(EX_TEMPFAIL): return nil
        case .signalled where hasBeenStopped: return nil
        case .signalled(SIGKILL):
            return (.outOfMemory, "its process \(status), as the kernel does when memory runs out")
        default:
            let lines = lastLines()
            let place = lines.isEmpty ? "" : "; last lines of \(logPath):\n\(lines)"
            return (.crash, "its process \(status) without a result\(place)")
        }
    }

    private func lastLines() -> String {
        guard let data = FileManager.default.contents(atPath: logPath) else { return "" }
        let text = String(decoding: data.suffix(Self.lastByteCount), as: UTF8.self)
        return text.split(separator: "\n").suffix(Self.lastLineCount).joined(separator: "\n")
    }
}
