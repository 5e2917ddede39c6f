import ChildProcess
import Classifier
import Foundation
import SweepModel

/// What the engine torch can do on this machine.
///
/// A process of its own looks: libtorch takes some hundred megabytes and, on a GPU, some more of the
/// GPU's memory for as long as the process lives, and a worker computes nothing itself.
struct TorchExamination: Codable {
    /// Of PyTorch, as in `2.6.0`.
    var version: String
    /// As in `NVIDIA H100 80GB HBM3`, or `CPU`.
    var device: String
    var isGPU: Bool
    var precisions: [SweepModel.Precision]

    /// A driver that hangs must not keep a worker from its other engines.
    private static let timeoutMs: Int64 = 120_000
    private static let pollMicroseconds: UInt32 = 20_000

    /// Asked once a process; the failure says what is missing, and the remedy.
    static let here: Result<TorchExamination, CommandFailure> = {
        do {
            return .success(try askChild())
        } catch {
            return .failure(CommandFailure(explaining: error))
        }
    }()

    /// bfloat16 where a GPU multiplies it; a CPU is there to be compared with.
    var fastestPrecision: SweepModel.Precision {
        isGPU && precisions.contains(.bfloat16) ? .bfloat16 : .float32
    }

    /// Looks in this process.
    init() throws(ClassifierError) {
        let library = try TorchLibrary.shared()
        let chosen = try TorchDevice.chosen()
        version = library.torchVersion
        device = try library.name(of: chosen)
        isGPU = chosen == .cuda
        precisions = SweepModel.Precision.allCases.filter { precision in
            (try? library.examine(chosen, precision.ofClassifier)) != nil
        }
    }

    private static func askChild() throws -> TorchExamination {
        _ = try TorchDevice.chosen()
        let place = TorchLibrary.place(in: ProcessInfo.processInfo.environment)
        // Most machines have none; that needs no process to find out.
        guard FileManager.default.fileExists(atPath: place) else {
            throw TorchLibrary.missing(place)
        }
        let start = ContinuousClock.now
        func now() -> Int64 { Int64((ContinuousClock.now - start) / .milliseconds(1)) }
        let run = try CommandRun(
            Command([ChildProcess.ownProgram(), "examine-torch"], timeoutMs: timeoutMs), at: now())
        while true {
            guard let result = run.poll(at: now()) else {
                usleep(pollMicroseconds)
                continue
            }
            return try TorchExamination(result, plugIn: place)
        }
    }

    private init(_ result: CommandResult, plugIn: String) throws {
        let lines = result.output.split(separator: "\n").map(String.init)
        if result.isSuccess, let last = lines.last,
            let found = try? JSONDecoder().decode(TorchExamination.self, from: Data(last.utf8))
        {
            self = found
            return
        }
        if let error = lines.first(where: { $0.hasPrefix("error: ") }) {
            let hint = lines.first { $0.hasPrefix("hint: ") }
            throw CommandFailure(
                String(error.dropFirst(7)), hint: hint.map { String($0.dropFirst(6)) })
        }
        throw CommandFailure(
            result.status == nil
                ? "\(plugIn) was not examined within \(Self.timeoutMs / 1_000) s, or its process was killed"
                : "the process that examines \(plugIn) ended with status \(result.status!)"
                    + (lines.last.map { ": \($0)" } ?? ""),
            hint: "see whether nvidia-smi answers, and build the plug-in again with "
                + "cluster/build-torch-engine.sh")
    }
}
