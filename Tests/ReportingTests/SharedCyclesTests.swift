import SweepModel
import Testing

@testable import Reporting

/// Three trials, two of which took their first network; training it took the first one `seconds`.
private func record(seconds: Double) -> SweepRecord {
    var trials = [Strategy.random, .margin, .badge].map { trialRecord($0, correct: [10, 20, 30]) }
    trials[0].cycles[0].result.trainSeconds = seconds
    for index in 1...2 {
        trials[index].cycles[0].result.isShared = true
        trials[index].cycles[0].result.trainSeconds = 0.25
    }
    return sweepRecord(trials)
}

@Test(
    "a report says which cycles were taken from other trials, and what that saved",
    arguments: [(10.25, "20 s"), (301, "10 min"), (18_000, "10 h")])
func sharedCycles(seconds: Double, saved: String) throws {
    let report = Report(record: record(seconds: seconds))
    let sentence =
        "2 of 9 cycles took their network from another trial with the same labelled sets instead of "
        + "training it, which saved \(saved)."
    #expect(report.render(.markdown).contains(sentence))
    #expect(report.render(.html).contains(sentence))
    #expect(SharedCycles(report.trials).savedSeconds == 2 * (seconds - 0.25))
    let rows = report.render(.csv).split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let column = try #require(rows[0].firstIndex(of: "shared"))
    let shared = ["true", "false", "false"]
    #expect(
        rows.dropFirst().map { String($0[column]) } == ["false", "false", "false"] + shared + shared
    )
    let read = try SweepRecord(runs: report.render(.csv), file: "results.csv")
    #expect(SharedCycles(read.trials).count == 2)
}

@Test("where every network was trained nothing is said of it")
func nothingShared() {
    let report = Report(record: sweepRecord([trialRecord(correct: [10, 20, 30])]))
    #expect(!report.render(.markdown).contains("took their network"))
}
