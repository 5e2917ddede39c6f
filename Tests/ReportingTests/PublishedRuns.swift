import Foundation
import SweepModel
import Testing

@testable import Reporting

/// The folder of fixtures: the package's own, or one of the same shape.
let fixtureFolder =
    ProcessInfo.processInfo.environment["ALSWEEP_FIXTURES"].map { URL(filePath: $0) }
    ?? Bundle.module.resourceURL!.appending(path: "Fixtures")

/// The 33 runs of the study, cycle by cycle, as their authors published them.
func publishedRuns() throws -> SweepRecord {
    let file = Bundle.module.resourceURL!.appending(path: "Fixtures/paper_runs.csv")
    return try SweepRecord(
        runs: String(contentsOf: file, encoding: .utf8), file: "paper_runs.csv")
}

func publishedResults(_ dataset: DatasetName) throws -> DatasetResults {
    let report = Report(record: try publishedRuns())
    return try #require(report.results.first { $0.dataset == dataset })
}

/// A sweep of one dataset with made-up counts, for what the published runs do not show.
func sweepRecord(_ trials: [TrialRecord]) -> SweepRecord {
    let stages = trials.map(\.stage).reduce(into: [String]()) { stages, stage in
        if !stages.contains(stage) { stages.append(stage) }
    }
    return SweepRecord(name: "made-up", stages: stages, trials: trials)
}

func trialRecord(
    _ strategy: Strategy = .dqn(gradientSteps: 100), dataset: DatasetName = .cifar10,
    seed: UInt64 = 0, isTimeSeeded: Bool = false, state: TrialState = .done, cycles: Int = 3,
    correct: [Int], digests: [String] = [], failure: String? = nil,
    change: (inout StudyProtocol) -> Void = { _ in }
) -> TrialRecord {
    var studyProtocol = StudyProtocol()
    studyProtocol.cycles = cycles
    change(&studyProtocol)
    let configuration = TrialConfiguration(
        dataset: dataset, strategy: strategy, seed: seed, studyProtocol: studyProtocol)
    let records = correct.enumerated().map { index, correct in
        CycleRecord(
            result: CycleResult(
                cycle: index + 1, labelled: configuration.labelledCount(inCycle: index + 1),
                correct: correct, total: configuration.testCount, testLoss: 1.5, trainLoss: 0.25,
                labelledDigest: index < digests.count ? digests[index] : "\(strategy)\(index)",
                weightsDigest: "w\(index)", query: nil, trainSeconds: 1, evaluateSeconds: 0.5,
                querySeconds: 0.25),
            attempt: 1, host: "node1")
    }
    return TrialRecord(
        id: configuration.id, stage: isTimeSeeded ? "time-seeds" : "gradient-steps",
        isTimeSeeded: isTimeSeeded, configuration: configuration, state: state, attempts: 1,
        cycles: records, failure: failure)
}
