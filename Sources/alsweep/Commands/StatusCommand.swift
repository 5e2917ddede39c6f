import ArgumentParser
import Foundation
import SweepModel
import Wire

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "How far a run is: trials by state, each trial's cycle, the workers, their GPUs.",
        discussion: """
            The workers are told by the coordinator that is at work on the run, to the user who launched \
            it; what they say of their GPUs is as old as their last heartbeat.
            """)

    @Argument(
        help: ArgumentHelp("The run's folder. Default: the newest run.", valueName: "run"),
        completion: .directory)
    var folder: String?

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    @Option(help: "human, json or quiet.")
    var outputMode = OutputMode.human

    func run() throws {
        let reading = try RunReading(try Runs.find(folder, root: runs))
        switch outputMode {
        case .human: printTable(reading, workers(of: reading))
        case .json: try printJSON(StatusOutput(reading, workers(of: reading)))
        case .quiet: break
        }
    }

    private func workers(of reading: RunReading) -> WorkersTold? {
        reading.history.unsettledCount == 0 ? nil : RunControl(folder: reading.folder).workers()
    }

    private func printTable(_ reading: RunReading, _ workers: WorkersTold?) {
        let trials = reading.history.trials
        let counts = TrialState.allCases.map { state in (state, trials.count { $0.state == state })
        }
        let summary = counts.filter { $0.1 > 0 }.map { "\($0.1) \($0.0.rawValue)" }
        let pause = reading.history.isPaused ? ", paused" : ""
        print("\(reading.folder.path): \(summary.joined(separator: ", "))\(pause)")
        let width = trials.map(\.id.rawValue.count).max() ?? 0
        for trial in trials {
            let name = trial.id.rawValue.padding(toLength: width, withPad: " ", startingAt: 0)
            let done = trial.cycles.count { $0 != nil }
            let host = trial.runningAttempt.map { "  on \($0.host)" } ?? ""
            let priority = reading.sweep.priority(of: trial)
            let order = trial.isSettled || priority == 0 ? "" : "  priority \(priority)"
            let reason = trial.failure.map { "  \($0.message.prefix(200))" } ?? ""
            print(
                "  \(name)  \(trial.state.rawValue)  \(done)/\(counted(trial.cycles.count, "cycle"))\(host)\(order)\(reason)"
            )
        }
        for line in workers?.lines ?? [] { print(line) }
        if !reading.history.drained.isEmpty {
            print("Drained, without new trials: \(reading.history.drained.joined(separator: ", "))")
        }
        let isPaused = reading.history.isPaused
        let verb =
            reading.history.unsettledCount == 0 ? "collect" : isPaused ? "resume" : "launch"
        let next = "alsweep \(verb) \(reading.folder.path)"
        print("Next: \(next)", to: &StandardError.stream)
    }
}

enum OutputMode: String, ExpressibleByArgument, CaseIterable {
    case human, json, quiet
}

/// Prints exactly one JSON value.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

private struct StatusOutput: Encodable {
    struct Trial: Encodable {
        var trial: TrialID
        var stage: String
        var state: TrialState
        var cyclesDone: Int
        var cycles: Int
        var attempts: Int
        var host: String?
        var priority: Int

        enum CodingKeys: String, CodingKey {
            case trial, stage, state
            case cyclesDone = "cycles_done"
            case cycles, attempts, host, priority
        }
    }

    var schema = 1
    var run: String
    var sweep: String
    var paused: Bool
    /// Workers and hosts that get no more trials.
    var drained: [String]
    var trials: [Trial]
    /// Those that are connected; null where no coordinator told.
    var workers: [WorkerStatus]?

    init(_ reading: RunReading, _ workers: WorkersTold?) {
        self.workers = workers?.workers
        run = reading.folder.path
        sweep = reading.sweep.name
        paused = reading.history.isPaused
        drained = reading.history.drained
        trials = reading.history.trials.map { trial in
            Trial(
                trial: trial.id, stage: trial.added.stage, state: trial.state,
                cyclesDone: trial.cycles.count { $0 != nil }, cycles: trial.cycles.count,
                attempts: trial.attempts.count, host: trial.runningAttempt?.host,
                priority: reading.sweep.priority(of: trial))
        }
    }
}
