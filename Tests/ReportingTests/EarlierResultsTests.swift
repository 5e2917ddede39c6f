import Foundation
import SweepModel
import Testing

@testable import Reporting

/// The published runs as if they had been run here, with other counts and another protocol.
private func rerun(_ change: (inout TrialRecord) -> Void) throws -> SweepRecord {
    var record = try publishedRuns()
    record.name = "rerun"
    for index in record.trials.indices {
        record.trials[index].configuration.studyProtocol.poolTransform = .train
        change(&record.trials[index])
    }
    return record
}

@Test("the published results beside themselves differ by nothing and are inside every interval")
func besideItself() throws {
    var report = Report(record: try rerun { _ in })
    report.earlier = try publishedRuns()
    let compared = report.earlierComparisons
    #expect(compared.map(\.results.dataset) == [.cifar10, .cifar100, .fashionmnist])
    for (_, comparisons) in compared {
        // Six runs at seed 0 and one mean.
        #expect(comparisons.map(\.seed) == [0, 0, 0, 0, 0, 0, nil])
        let cycles = comparisons.flatMap(\.cycles)
        #expect(cycles.count == 70)
        #expect(cycles.allSatisfy { $0.difference == Ratio(0) })
        #expect(cycles.suffix(10).allSatisfy { $0.isInside == true })
        #expect(cycles.prefix(60).allSatisfy { $0.isInside == nil })
    }
    for format in ReportFormat.allCases where format != .csv {
        #expect(report.render(format).contains(format == .json ? "\"earlier\"" : "Beside paper"))
    }
}

/// CIFAR-10, 200 steps, published: 46.378 ± 1.981 over five runs in cycle 1, so that the interval
/// reaches 2.776 · 1.981 / √5 = 2.459 points to both sides.
@Test(
    "a difference is shown in points, and a mean outside the interval is said to be",
    arguments: [
        (230, "+2.300", "yes"), (260, "+2.600", "no"), (-240, "\u{2212}2.400", "yes"),
        (-250, "\u{2212}2.500", "no"),
    ])
func outsideTheInterval(images: Int, difference: String, inside: String) throws {
    var report = Report(
        record: try rerun { trial in
            guard trial.isTimeSeeded else { return }
            trial.cycles[0].result.correct += images
        })
    report.earlier = try publishedRuns()
    let mean = try #require(report.earlierComparisons[0].comparisons.last)
    #expect(mean.cycles[0].isInside == (inside == "yes"))
    #expect(mean.cycles[0].difference == Ratio(Int128(images), 100))
    #expect(mean.cycles[1].isInside == true)
    let text = report.render(.markdown)
    #expect(text.contains("| difference |"))
    #expect(text.contains(difference))
    #expect(
        text.contains(inside == "yes" ? "10 of 10 means are inside" : "9 of 10 means are inside"))
}

@Test("cycles with another number of labels are not compared")
func otherLabels() throws {
    var report = Report(
        record: sweepRecord([trialRecord(.random, correct: [10, 20, 30]) { $0.addendum = 500 }]))
    report.earlier = sweepRecord([trialRecord(.random, correct: [10, 20, 30])])
    #expect(report.earlierComparisons[0].comparisons[0].cycles.map(\.cycle) == [1])
    report.earlier = sweepRecord([trialRecord(.random, dataset: .cifar100, correct: [10, 20, 30])])
    #expect(report.earlierComparisons.isEmpty)
    #expect(report.render(.table).contains("No run of made-up has the dataset"))
    report.earlier = sweepRecord([trialRecord(.random, correct: [10, 20, 30]) { $0.initial = 900 }])
    #expect(report.earlierComparisons.isEmpty)
    #expect(report.render(.markdown).contains("with as many labels in a cycle"))
}
