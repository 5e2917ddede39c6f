import Foundation
import SweepModel
import Testing

@testable import Reporting

private func disputedRecord() -> SweepRecord {
    var trials = [100, 200].flatMap { steps in
        (0..<2).map { seed in
            trialRecord(
                .dqn(gradientSteps: steps), seed: UInt64(seed), correct: [1000, 2000, 3000 + steps])
        }
    }
    var again = trials[0].cycles[1]
    again.result.correct = 2001
    again.result.weightsDigest = "other"
    again.attempt = 2
    again.host = "node9"
    trials[0].disputes = [again]
    return sweepRecord(trials)
}

@Test("a cycle with two results is told in every format, and marked where its number stands")
func disputesAreShown() throws {
    let report = Report(record: disputedRecord())
    for format in [ReportFormat.table, .markdown, .html] {
        let text = report.render(format).split(whereSeparator: \.isWhitespace).joined(
            separator: " ")
        #expect(text.contains("cifar10-dqn100-seed0 is not deterministic: cycle 2 was found again"))
        #expect(text.contains("2001 instead of 2000 correct by attempt 2 on node9"))
        #expect(text.contains("20.00\u{2020}"))
        #expect(!text.contains("10.00\u{2020}"))
        // The mean over both seeds counts the disputed run, and says so.
        #expect(text.contains("2/2\u{2020}"))
    }
    #expect(report.render(.latex).contains("20.00$\\dagger$"))
    #expect(report.render(.html).contains("2, again\u{2020}"))
    let value = try JSONSerialization.jsonObject(with: Data(report.render(.json).utf8))
    let trials = try #require((value as? [String: Any])?["trials"] as? [[String: Any]])
    let disputes = try #require(trials[0]["disputes"] as? [[String: Any]])
    #expect(disputes.count == 1 && disputes[0]["correct"] as? Int == 2001)
    #expect((trials[1]["disputes"] as? [Any])?.isEmpty ?? false)
}

@Test("a run without disputes has no mark")
func noDispute() throws {
    #expect(!Report(record: try publishedRuns()).render(.html).contains("\u{2020}"))
}

@Test("the journaled choice of gradient steps stands in the report, and a difference is told")
func journaledChoice() throws {
    var record = try publishedRuns()
    record.choices = [
        StepsChosen(
            stage: "time-seeds", dataset: .cifar10, gradientSteps: 200, tied: [200, 300, 400, 500]),
        StepsChosen(stage: "time-seeds", dataset: .fashionmnist, gradientSteps: 300, tied: [300]),
    ]
    let report = Report(record: record)
    for format in [ReportFormat.table, .markdown, .html] {
        let text = report.render(format).split(whereSeparator: \.isWhitespace).joined(
            separator: " "
        )
        .replacing("\\-", with: "-")
        #expect(
            text.contains(
                "Stage time-seeds took 200 gradient steps, the choice in the journal by wins, tied "
                    + "with 300, 400 and 500."))
        #expect(
            text.contains(
                "took 300 gradient steps, the choice in the journal by wins. The runs collected here "
                    + "would choose 100."))
    }
    for (criterion, name) in [(nil, "wins"), (ChoiceCriterion.meanRank, "mean_rank")] {
        record.choices[0].criterion = criterion
        let text = Report(record: record).render(.json)
        let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
        let datasets = try #require((value as? [String: Any])?["datasets"] as? [[String: Any]])
        let choices = try #require(datasets[0]["journaled_choices"] as? [[String: Any]])
        #expect(choices.count == 1 && choices[0]["gradient_steps"] as? Int == 200)
        #expect(choices[0]["criterion"] as? String == name)
    }
}

@Test("a failure that many trials share is told once, and long ones are cut outside the JSON")
func repeatedFailures() throws {
    let failure = String(repeating: "the dataset is damaged; ", count: 20)
    let trials = (0..<5).map {
        trialRecord(
            seed: UInt64($0), isTimeSeeded: true, state: .failed, correct: [], failure: failure)
    }
    let report = Report(record: sweepRecord(trials))
    let text = report.render(.markdown)
    #expect(text.contains("failed after 0 of 3 cycles, as cifar10-dqn100-seed0"))
    #expect(text.contains("is damaged; the\u{2026}"))
    #expect(!text.contains(failure.prefix(130)))
    #expect(report.render(.json).contains(failure.prefix(400)))
    #expect(report.render(.html).components(separatedBy: failure.prefix(400)).count == 6)
}

@Test("precisions and engines within one run are tables of their own, named in their titles")
func mixedPrecisions() throws {
    let trials = [Precision.float32, .bfloat16].flatMap { precision in
        (1...3).map { seed in
            trialRecord(
                seed: UInt64(seed), isTimeSeeded: true,
                correct: [10, 20, precision == .float32 ? 30 : 90]
            ) { $0.precision = precision }
        }
    }
    let report = Report(record: sweepRecord(trials))
    #expect(
        report.results.map(\.title) == [
            "CIFAR-10 (precision float32)", "CIFAR-10 (precision bfloat16)",
        ])
    #expect(report.results.map { $0.seedGroups[0].fraction } == ["3/3", "3/3"])
    let finals = report.results.map { $0.seedGroups[0].accuracy(inCycle: 3)?.mean }
    #expect(finals == [Ratio(30, 100), Ratio(90, 100)])
}
