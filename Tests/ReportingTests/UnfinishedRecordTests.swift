import Foundation
import SweepModel
import Testing

@testable import Reporting

/// Draws from a linear congruential generator, so that a failing record can be made again.
private struct Draws {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
    }
}

/// A record in any state that a reader may meet: trials missing, unfinished, failed, with gaps,
/// of several protocols and test sets, with text from outside.
private func anyRecord(_ seed: UInt64) -> SweepRecord {
    var draws = Draws(state: seed)
    let texts = ["", "node1", "a,b\n\"c\"", "<b>&amp;", "|*_`", "節点", "\u{1B}[2J\u{0}", "% \\ {"]
    let cycles = draws.below(5)
    let strategies: [Strategy] = [
        .random, .dqn(gradientSteps: 100), .dqn(gradientSteps: 200), .dqn(gradientSteps: 0),
    ]
    var trials: [TrialRecord] = []
    for _ in 0..<draws.below(40) {
        let states = TrialState.allCases + Array(repeating: TrialState.done, count: 8)
        let state = states[draws.below(states.count)]
        let found = state == .done && draws.below(8) > 0 ? cycles : draws.below(cycles + 1)
        let total = [1, 7, 500, 10_000][draws.below(4)]
        var trial = trialRecord(
            strategies[draws.below(4)], dataset: DatasetName.allCases[draws.below(3)],
            seed: UInt64(draws.below(4)), isTimeSeeded: draws.below(2) == 0, state: state,
            cycles: cycles, correct: (0..<found).map { _ in draws.below(total + 1) },
            digests: (0..<found).map { _ in texts[draws.below(2)] },
            failure: texts[draws.below(texts.count)]
        ) { studyProtocol in
            studyProtocol.testLimit = total
            studyProtocol.poolLimit = draws.below(3) == 0 ? 2500 : nil
        }
        if trial.cycles.count > 2, draws.below(10) == 0 { trial.cycles.remove(at: 1) }
        for index in trial.cycles.indices {
            trial.cycles[index].host = texts[draws.below(texts.count)]
            if draws.below(9) == 0 { trial.cycles[index].result.testLoss = .nan }
        }
        trials.append(trial)
    }
    return SweepRecord(name: texts[draws.below(texts.count)], stages: ["a"], trials: trials)
}

@Test("any unfinished record has a report in every format, the same each time", arguments: 1...16)
func anyRecordHasAReport(seed: UInt64) throws {
    let record = anyRecord(seed)
    var report = Report(record: record)
    report.earlier = anyRecord(seed + 1000)
    for format in ReportFormat.allCases {
        #expect(report.render(format) == report.render(format))
    }
    let json = Data(report.render(.json).utf8)
    #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: json) }
    for line in report.render(.table).split(separator: "\n") where displayWidth(String(line)) > 100
    {
        // Only a table whose row names alone are too wide may stick out; here none is.
        Issue.record("\(displayWidth(String(line))) columns: \(line)")
    }
    #expect(!report.render(.table).unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
    #expect(!report.render(.html).contains("<b>&amp;"))
    #expect(
        !report.results.flatMap(\.seedGroups).contains { group in
            group.isComplete && group.trials.contains { !$0.isComplete }
        })
}

@Test("a file written from any record is read back as the same trials", arguments: 1...16)
func anyRecordReadsBack(seed: UInt64) throws {
    let report = Report(record: anyRecord(seed))
    // A file cannot hold a cycle without the one before it.
    guard !report.trials.isEmpty,
        report.trials.allSatisfy({ trial in
            trial.cycles.enumerated().allSatisfy { $0 + 1 == $1.result.cycle }
        })
    else { return }
    let read = try SweepRecord(runs: report.render(.csv), file: "results.csv")
    #expect(Report(record: read).trials.map(\.configuration) == report.trials.map(\.configuration))
    #expect(
        read.trials.map { $0.cycles.map(\.host) } == report.trials.map { $0.cycles.map(\.host) })
    #expect(Report(record: read).completeCount == report.completeCount)
}
