import SweepModel
import Testing

@testable import Reporting

private func publishedSeed(_ dataset: DatasetName) throws -> SeedResults {
    try #require(try publishedResults(dataset).fixedSeedResults.first)
}

/// From the study's published tables: CIFAR-10, 200 steps minus random.
@Test("the study's points over random")
func publishedPoints() throws {
    let row = try publishedSeed(.cifar10)
    let random = try #require(row.random)
    let trial = try #require(row.trial(.dqn(gradientSteps: 200)))
    let points = (1...10).map {
        decimals(trial.points(over: random, inCycle: $0)!, 2, minus: "-")
    }
    #expect(
        points == [
            "0.00", "-3.11", "-2.59", "0.01", "-0.91", "0.85", "0.55", "2.10", "1.72", "2.35",
        ])
    // The study's figure shows −9.04 for 100 steps in cycle 3.
    let other = try #require(row.trial(.dqn(gradientSteps: 100)))
    #expect(decimals(other.points(over: random, inCycle: 3)!, 2, minus: "-") == "-9.04")
    // 64.23 / 66.82.
    #expect(decimals(trial.ratio(to: random, inCycle: 3)!, 3) == "0.961")
}

@Test("gains, labels needed and the cycle that stays ahead follow from the published curve")
func publishedCurve() throws {
    let row = try publishedSeed(.cifar10)
    let random = try #require(row.random)
    let trial = try #require(row.trial(.dqn(gradientSteps: 200)))
    #expect(trial.gain(inCycle: 1) == nil)
    #expect(trial.gain(inCycle: 3) == Ratio(940, 100))
    #expect(trial.totalGain == Ratio(4332, 100))
    // Above random in cycle 4 by one image, below again in cycle 5, above from cycle 6 on.
    #expect(trial.firstCycleAhead(of: random) == 6)
    #expect(random.firstCycleAhead(of: trial) == nil)
    #expect(trial.labels(toReach: Ratio(80)) == 6000)
    #expect(trial.labels(toReach: Ratio(4615, 100)) == 1000)
    #expect(trial.labels(toReach: Ratio(90)) == nil)
    #expect(row.levels == [50, 60, 70, 80].map { Ratio($0) })
}

@Test("the labels needed are told for the accuracies that were asked for")
func askedLevels() throws {
    var report = Report(record: try publishedRuns())
    report.accuracyLevels = [Ratio(85), Ratio(895, 10), Ratio(8982, 100)]
    let text = report.render(.markdown)
    #expect(text.contains("| ahead from | 85 % | 89.5 % | 89.82 % | random's last |"))
    // CIFAR-10 at seed 0, published: 85.48 at 7,000 labels, 89.47 at 10,000; 84.89 at 7,000,
    // 87.24 at 8,000 and 89.82 at 10,000.
    #expect(text.contains("| 75.870 | 6 | **7000** | – | – | 8000 |"))
    #expect(text.contains("| 75.687 | 8 | 8000 | 10000 | 10000 | 8000 |"))
}

@Test("a curve with a missing cycle has no area, no gain and is ahead of nothing")
func incompleteCurve() {
    let random = trialRecord(.random, correct: [10, 20, 30])
    let trial = trialRecord(state: .running, correct: [20, 30])
    #expect(trial.area == nil)
    #expect(trial.totalGain == nil)
    #expect(trial.finalAccuracy == nil)
    #expect(trial.firstCycleAhead(of: random) == nil)
    #expect(trial.points(over: random, inCycle: 2) == Ratio(1, 10))
    #expect(trial.points(over: random, inCycle: 3) == nil)
}

/// Three strategies over five seeds, made up; cycle 1 is shared.
private let fiveSeeds: [(strategy: Strategy, correct: [[Int]])] = [
    (
        .random,
        [
            [4010, 5019, 6002], [4020, 5037, 6025], [4030, 5050, 6057], [4040, 5011, 6059],
            [4050, 5069, 6041],
        ]
    ),
    (
        .dqn(gradientSteps: 100),
        [
            [4010, 5121, 5996], [4020, 5147, 6020], [4030, 5107, 6057], [4040, 5140, 6051],
            [4050, 5144, 6099],
        ]
    ),
    (
        .dqn(gradientSteps: 200),
        [
            [4010, 5087, 5943], [4020, 5106, 5881], [4030, 5147, 5917], [4040, 5137, 5935],
            [4050, 5132, 5959],
        ]
    ),
]

private func fiveSeedRecord(_ datasets: [DatasetName]) -> SweepRecord {
    sweepRecord(
        datasets.flatMap { dataset in
            fiveSeeds.flatMap { strategy, correct in
                correct.enumerated().map { seed, correct in
                    trialRecord(
                        strategy, dataset: dataset, seed: UInt64(seed), isTimeSeeded: true,
                        correct: correct)
                }
            }
        })
}

/// SciPy's `ttest_rel` over the counts above.
@Test("strategies are compared by paired tests over the seeds they share")
func strategyComparisons() throws {
    let report = Report(record: fiveSeedRecord([.cifar10]))
    let comparisons = report.results[0].comparisons(timeSeeded: true)
    let areas = comparisons.filter { $0.measure == .area }
    #expect(areas.map(\.first.label) == ["random", "random", "dqn100"])
    #expect(areas.map(\.second.label) == ["dqn100", "dqn200", "dqn200"])
    let expected: [(t: Double, p: Double)] = [
        (-8.747352010318716, 0.0009412878460042732),
        (-2.717006445909755, 0.053150947488036254), (5.1652728838576145, 0.006673695825866565),
    ]
    for (found, expected) in zip(areas, expected) {
        #expect(abs(try #require(found.comparison.t) - expected.t) < 1e-9)
        #expect(abs(try #require(found.comparison.tProbability) - expected.p) < 1e-12)
    }
    // Six comparisons, of which the smallest p counts sixfold.
    #expect(comparisons.count == 6)
    #expect(abs(try #require(areas[0].adjustedProbability) - 6 * expected[0].p) < 1e-12)
    let text = report.render(.table)
    #expect(text.contains("6 comparisons"))
    #expect(text.contains("No Wilcoxon test where over 5 differing pairs"))
    #expect(report.results[0].comparisons(timeSeeded: false).isEmpty)
}

/// By hand from SciPy's `ttest_rel` per cycle: in cycle 2 both settings beat random
/// (t = 7.39, 7.08); in cycle 3 random and 100 steps beat 200 steps (t = 6.54, 7.00).
@Test("the penalty matrix counts significant cycles, summed over datasets", arguments: [1, 3])
func penaltyMatrix(datasetCount: Int) throws {
    let datasets = Array(DatasetName.allCases.prefix(datasetCount))
    let report = Report(record: fiveSeedRecord(datasets))
    let matrix = try #require(report.penaltyMatrices.first)
    #expect(report.penaltyMatrices.count == 1)
    let third = Ratio(Int128(datasetCount), 3)
    let none = Ratio(0)
    #expect(
        matrix.penalties == [[none, none, third], [third, none, third], [third, none, none]])
    #expect(matrix.comparisons == 9 * datasetCount)
    #expect(matrix.datasets == datasetCount)
    #expect(matrix.meanPenalty(of: 0) == Ratio(Int128(2 * datasetCount), 9))
}

@Test("points over random are averaged over the seeds that both have completed")
func pairedPoints() throws {
    var record = fiveSeedRecord([.cifar10])
    let place = try #require(record.trials.firstIndex { $0.id.rawValue == "cifar10-random-seed3" })
    record.trials[place].state = .failed
    let points = Report(record: record).results[0].pointsOverRandom(timeSeeded: true)
    #expect(points.map(\.strategy.label) == ["dqn100", "dqn200"])
    #expect(points[0].expected == 5)
    #expect(points[0].pairs.map(\.trial.configuration.seed) == [0, 1, 2, 4])
    // (102 + 110 + 57 + 75) / 4 images of 10,000.
    #expect(points[0].points(inCycle: 2)?.mean == Ratio(86, 100))
}

@Test("several runs are collected together, and a trial that two of them have counts once")
func severalRuns() throws {
    let runs = try publishedRuns()
    var seeds = runs
    seeds.name = "seeds"
    seeds.trials = runs.trials.filter { $0.isTimeSeeded }
    var steps = runs
    steps.name = "steps"
    // The first run was cut short; the second one has all of it.
    steps.trials[20].cycles.removeLast(3)
    steps.trials[20].state = .failed
    let report = Report(records: [steps, seeds])
    #expect(report.name == "steps + seeds")
    #expect(report.trials.count == 33)
    #expect(report.completeCount == 33)
    #expect(report.conflicts.isEmpty)
    seeds.trials[0].cycles[4].result.correct += 1
    let conflicting = Report(records: [runs, seeds])
    #expect(conflicting.trials.count == 33)
    #expect(conflicting.conflicts.count == 1)
    let text = conflicting.render(.table)
    #expect(text.contains("cifar10-dqn200-seed20251205222723 differs between runs from"))
    #expect(text.contains("80.788 ±"))
}
