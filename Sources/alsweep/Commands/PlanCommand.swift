import ArgumentParser
import Foundation
import SweepModel

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "The trials that a sweep expands to, and what is done already.")

    @Argument(help: "A sweep file, or the folder of a run.", completion: .file())
    var sweep: String

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    func run() throws {
        let (submitted, run, obstacle) = try find()
        let history = run?.history ?? RunHistory()
        let sweep = (run?.sweep ?? submitted).resolvingPrecision()
            .extended(bySeeds: history.addedSeeds.count)
        var plan = Plan()
        for stage in sweep.stages {
            let count = stage.trialCountPerDataset * stage.datasets.count
            let source = stage.source.map { ", with the best step of \($0)" } ?? ""
            print("Stage \(stage.name): \(counted(count, "trial"))\(source)")
            for dataset in stage.datasets {
                plan.add(stage, dataset, of: sweep, history)
            }
        }
        plan.printSummary(history)
        if let run {
            print("Run: \(run.folder.path)", to: &StandardError.stream)
            if plan.hasGivenUp {
                print(
                    "hint: alsweep retry \(run.folder.path) takes failed trials up again, and with "
                        + "--cancelled those that were cancelled", to: &StandardError.stream)
            }
        }
        if let obstacle { print("A new run, for \(obstacle)", to: &StandardError.stream) }
    }

    /// The sweep, and the run that goes on with it, or why there is none.
    private func find() throws -> (Sweep, RunOfSweep?, obstacle: String?) {
        if let folder = try RunFolder(named: sweep) {
            let run = try RunOfSweep(folder)
            return (run.sweep, run, nil)
        }
        let (submitted, text) = try readSweep(sweep)
        let runs = Runs(root: runs)
        let run = try runs.latest(of: submitted, text: text)
        return (submitted, run, run == nil ? runs.obstacle(to: submitted, text: text) : nil)
    }
}

/// What a sweep comes to: prints its trials, and counts each once.
private struct Plan {
    private var stages: [TrialID: String] = [:]
    private var unnamedCount = 0
    private var doneCount = 0
    private var failedCount = 0
    private var cancelledCount = 0
    /// Trials that build on some that failed or were cancelled.
    private var blockedCount = 0
    /// Of what is to do.
    private var imageSteps = 0.0

    var hasGivenUp: Bool { failedCount + cancelledCount > 0 }

    mutating func add(
        _ stage: Stage, _ dataset: DatasetName, of sweep: Sweep, _ history: RunHistory
    ) {
        let choice = history.choice(of: stage, dataset)
        if history.isBlocked(stage, of: dataset, in: sweep) {
            let count = stage.trialCountPerDataset
            print(
                "  \(dataset.rawValue): \(counted(count, "trial")), blocked: one that they build on failed or was "
                    + "cancelled")
            unnamedCount += count
            blockedCount += count
            return
        }
        let isUnknown =
            (stage.source != nil && choice == nil)
            || (stage.seeds.isTime && history.timeSeeds.isEmpty)
        if isUnknown {
            return addUnnamed(stage, dataset, sweep.studyProtocol)
        }
        let trials = stage.trials(
            of: dataset, studyProtocol: sweep.studyProtocol, timeSeeds: history.timeSeeds,
            bestGradientSteps: choice?.gradientSteps)
        for trial in trials { add(trial, stage, history) }
    }

    private mutating func addUnnamed(
        _ stage: Stage, _ dataset: DatasetName, _ studyProtocol: StudyProtocol
    ) {
        let count = stage.trialCountPerDataset
        print("  \(dataset.rawValue): \(counted(count, "trial")), named when they are known")
        unnamedCount += count
        let examples = stage.trials(
            of: dataset, studyProtocol: studyProtocol,
            timeSeeds: Array(0..<UInt64(stage.timeSeedCount)), bestGradientSteps: 0)
        imageSteps += examples.reduce(0) { $0 + $1.expectedImageSteps }
    }

    private mutating func add(_ trial: TrialConfiguration, _ stage: Stage, _ history: RunHistory) {
        let known = history[trial.id]
        if let first = stages[trial.id] {
            return print("  \(trial.id)  the same as in \(first)")
        }
        stages[trial.id] = stage.name
        let state = known?.state.rawValue ?? (history.trials.isEmpty ? "" : "new")
        print("  \(trial.id)" + (state.isEmpty ? "" : "  \(state)"))
        switch known?.state {
        case .done: doneCount += 1
        case .failed: failedCount += 1
        case .cancelled: cancelledCount += 1
        case nil, .pending, .running, .suspect:
            for cycle in 1...trial.studyProtocol.cycles where known?.cycles[cycle - 1] == nil {
                imageSteps += trial.expectedImageSteps(inCycle: cycle)
            }
        }
    }

    func printSummary(_ history: RunHistory) {
        let total = stages.count + unnamedCount
        let others = [
            (failedCount, "failed"), (cancelledCount, "cancelled"), (blockedCount, "blocked"),
        ].filter { $0.0 > 0 }
        let parts = [counted(total, "trial"), "\(doneCount) done"] + others.map { "\($0) \($1)" }
        let counts = parts.joined(separator: ", ")
        let rest = total - doneCount - others.reduce(0) { $0 + $1.0 }
        guard rest > 0 else { return print("\(counts); nothing is left to do") }
        print("\(counts), \(rest) to do")
        print(
            "About \(inMillions(imageSteps)) image-steps: images through a network of width 64, one that "
                + "is only scored a third" + (pace(history).map { "; \($0)" } ?? ""))
    }

    /// What the rest takes, by the pace of the run's machines so far.
    private func pace(_ history: RunHistory) -> String? {
        var (seconds, steps) = (0.0, 0.0)
        for trial in history.trials {
            for case let cycle? in trial.cycles where cycle.result.isShared != true {
                seconds += cycle.result.seconds
                steps += trial.configuration.expectedImageSteps(inCycle: cycle.result.cycle)
            }
        }
        guard steps > 0 else { return nil }
        let minutes = imageSteps * seconds / steps / 60
        let duration =
            minutes < 90
            ? "\(Int(minutes.rounded(.up))) min" : "\(Int((minutes / 60).rounded(.up))) h"
        return "\(duration) on one slot at the pace so far"
    }

    private func inMillions(_ count: Double) -> String {
        count < 1e6
            ? "\(Int(count.rounded()))"
            : String(format: "%.\(count < 1e8 ? 1 : 0)f million", count / 1e6)
    }
}
