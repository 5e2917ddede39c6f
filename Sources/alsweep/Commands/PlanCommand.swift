import ArgumentParser
import Foundation
import SweepModel

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "The trials that a sweep expands to, and what is done already.")

    @Argument(help: "A sweep file.", completion: .file())
    var sweep: String

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    func run() throws {
        let (submitted, text) = try readSweep(sweep)
        let reading = try Runs(root: runs).latest(of: submitted, text: text).map(RunReading.init)
        let sweep = reading?.sweep ?? submitted.resolvingPrecision()
        for stage in sweep.stages {
            let count = stage.trialCountPerDataset * stage.datasets.count
            let source = stage.source.map { ", with the best step of \($0)" } ?? ""
            print("Stage \(stage.name): \(count) trials\(source)")
            for dataset in stage.datasets { printTrials(stage, dataset, sweep, reading) }
        }
        printSummary(sweep, reading)
    }

    private func printTrials(
        _ stage: Stage, _ dataset: DatasetName, _ sweep: Sweep, _ reading: RunReading?
    ) {
        if let reading, reading.history.trials.contains(where: { isOf(stage, dataset, $0) }) {
            for trial in reading.history.trials where isOf(stage, dataset, trial) {
                print("  \(trial.id)  \(trial.state.rawValue)")
            }
        } else if stage.source != nil || stage.seeds.isTime {
            print(
                "  \(dataset.rawValue): \(stage.trialCountPerDataset) trials, named when they are known"
            )
        } else {
            let trials = stage.trials(
                of: dataset, studyProtocol: sweep.studyProtocol, timeSeeds: [],
                bestGradientSteps: nil)
            for trial in trials { print("  \(trial.id)") }
        }
    }

    private func isOf(_ stage: Stage, _ dataset: DatasetName, _ trial: TrialHistory) -> Bool {
        trial.added.stage == stage.name && trial.configuration.dataset == dataset
    }

    private func printSummary(_ sweep: Sweep, _ reading: RunReading?) {
        let total = sweep.trialCount
        let done = reading?.history.trials.count { $0.state == .done } ?? 0
        let left = total - done
        print(
            "\(total) trials, \(done) done"
                + (left == 0 ? "; nothing is left to do" : ", \(left) to do"))
        if let reading { print("Run: \(reading.folder.path)", to: &StandardError.stream) }
    }
}
