import ChildProcess
import Coordinator
import CoordinatorService
import Foundation
import Logging
import SweepModel
import Transport

/// A sweep of trials without work, through a real coordinator.
struct DispatchBenchmark {
    struct Figures: Encodable {
        let schema = 1
        var trials: Int
        var workers: Int
        var slots: Int
        /// From the submission until every trial is in the journal.
        var submitSeconds: Double
        /// From the first assignment until the last trial's end is on disk.
        var seconds: Double
        var trialsPerSecond: Double
        /// How long a free slot waited for its next trial.
        var waits: IdleFleet.Waits
        /// Of the coordinator's process.
        var peakMemoryBytes: Int
        var journalBytes: Int

        enum CodingKeys: String, CodingKey {
            case schema, trials, workers, slots, seconds, waits
            case submitSeconds = "submit_seconds"
            case trialsPerSecond = "trials_per_second"
            case peakMemoryBytes = "peak_memory_bytes"
            case journalBytes = "journal_bytes"
        }

        var text: String {
            """
            \(trials) trials, \(workers) workers of \(slots) slots
            submitted in           \(String(format: "%.3f s", submitSeconds))
            assigned and finished  \(String(format: "%.3f s", seconds)), \
            \(String(format: "%.0f", trialsPerSecond)) trials/s
            a free slot waited     \(String(format: "%.2f", waits.median)) ms (median), \
            \(String(format: "%.2f", waits.percentile99)) ms (99 %)
            coordinator's memory   \(String(format: "%.0f MB", Double(peakMemoryBytes) / 1e6))
            journal                \(String(format: "%.0f MB", Double(journalBytes) / 1e6))
            """
        }
    }

    let trials: Int
    let workers: Int
    let slots: Int

    private var sweep: Sweep {
        var studyProtocol = StudyProtocol()
        studyProtocol.cycles = 1
        return Sweep(
            name: "dispatch", studyProtocol: studyProtocol,
            stages: [
                Stage(
                    name: "all", datasets: [.fashionmnist],
                    seeds: .fixed((0..<UInt64(trials)).map { $0 }),
                    strategies: [.plain(.random)])
            ])
    }

    /// - Parameter kept: the run's folder; nil is one that is removed.
    func run(in kept: String?) throws -> Figures {
        let path =
            kept
            ?? FileManager.default.temporaryDirectory
            .appendingPathComponent("alsweep-\(UUID().uuidString)").path
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure("\(path) exists", hint: "name a folder that does not")
        }
        let folder = RunFolder(path)
        try makeFolder(folder.path)
        defer { if kept == nil { try? FileManager.default.removeItem(atPath: path) } }
        return try measure(folder)
    }

    private func measure(_ folder: RunFolder) throws -> Figures {
        _ = Context.raiseOpenFileLimit()
        let clock = ContinuousClock()
        var (added, first, last) = (0, nil as ContinuousClock.Instant?, clock.now)
        let submission = clock.now
        var submitted = submission
        var logger = Logger(label: "alsweep.bench") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        var options = Coordinator.Options()
        options.softwareVersion = softwareVersion
        options.runFolder = folder.path
        let service = try CoordinatorService(
            settings: CoordinatorSettings(
                sweep: sweep, sweepText: "", folder: folder, endpoint: nil, certificate: nil,
                options: options, localWorker: nil),
            logger: logger
        ) { notice, _ in
            guard case .recorded(let record) = notice else { return }
            switch record {
            case .trialAdded:
                added += 1
                if added == trials { submitted = clock.now }
            case .attemptStarted: if first == nil { first = clock.now }
            case .trialFinished: last = clock.now
            default: break
            }
        }
        let fleet = try ChildProcess(
            program: ChildProcess.itself,
            arguments: [
                "bench", "dispatch-workers", "--connect", service.endpoint.description,
                "--workers", "\(workers)", "--slots", "\(slots)",
            ])
        let outcome = try service.run()
        let end = fleet.wait()
        guard outcome == .sweepFinished, let first else {
            throw CommandFailure("stopped before all trials were done", hint: "ask for fewer")
        }
        guard end == .exited(0) else {
            throw CommandFailure("the process of the workers \(end)")
        }
        let waits = try JSONDecoder().decode(
            IdleFleet.Waits.self, from: Data(fleet.readOutput() ?? []))
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.journal)
        let seconds = (last - first) / .seconds(1)
        return Figures(
            trials: trials, workers: workers, slots: slots,
            submitSeconds: (submitted - submission) / .seconds(1), seconds: seconds,
            trialsPerSecond: Double(trials) / seconds, waits: waits,
            peakMemoryBytes: usage.ru_maxrss * 1_024,
            journalBytes: attributes[.size] as? Int ?? 0)
    }
}
