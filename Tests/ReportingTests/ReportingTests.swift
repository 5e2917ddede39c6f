import Foundation
import SweepModel
import Testing

@testable import Reporting

/// The time-seeded mean rows of the study, as published.
private let publishedMeans: [(dataset: DatasetName, steps: Int, means: [String])] = [
    (
        .cifar10, 200,
        [
            "46.378", "56.352", "66.186", "74.178", "80.788", "84.486", "86.074", "87.538",
            "88.854", "89.632",
        ]
    ),
    (
        .cifar100, 100,
        [
            "19.820", "28.390", "38.708", "45.446", "51.328", "55.796", "59.000", "61.956",
            "64.278", "66.124",
        ]
    ),
    (
        .fashionmnist, 100,
        [
            "81.898", "85.786", "88.302", "89.816", "90.958", "91.812", "92.650", "93.208",
            "93.474", "93.844",
        ]
    ),
]

@Test("the study's five runs average to the published rows", arguments: publishedMeans)
func publishedMeanRows(dataset: DatasetName, steps: Int, means: [String]) throws {
    let results = try publishedResults(dataset)
    let group = try #require(results.seedGroups.first)
    #expect(results.seedGroups.count == 1)
    #expect(group.strategy == .dqn(gradientSteps: steps))
    #expect(group.fraction == "5/5")
    let found = (1...10).map { decimals(group.accuracy(inCycle: $0)!.mean, 3) }
    #expect(found == means)
    let text = Report(record: try publishedRuns()).render(.table)
    for mean in means { #expect(text.contains(" \(mean) ± ")) }
}

/// Wins for 100, 200, 300, 400 and 500 steps and the step by wins, area, mean rank and final
/// accuracy, counted from the study's published tables.
@Test(
    "the study's wins and choices",
    arguments: [
        (DatasetName.cifar10, [0, 2, 2, 2, 2], [200, 200, 200, 500]),
        (.cifar100, [2, 2, 2, 2, 0], [100, 200, 200, 100]),
        (.fashionmnist, [5, 1, 1, 0, 1], [100, 100, 100, 100]),
    ])
func publishedChoices(dataset: DatasetName, wins: [Int], choices: [Int]) throws {
    let choice = try #require(try publishedResults(dataset).choices.first)
    #expect(choice.wins?.wins.map(\.count) == wins)
    let criteria = try #require(choice.criteria)
    let found = [
        choice.wins!.best, criteria.bestByArea, criteria.bestByMeanRank,
        criteria.bestByFinalAccuracy,
    ]
    #expect(found == choices)
    #expect(choice.sharedCycles == 2)
}

/// The best area of DQN and that of random, from the study's published tables.
@Test(
    "the study's areas under the curve",
    arguments: [
        (DatasetName.cifar10, "75.870", "75.893"), (.cifar100, "48.736", "50.342"),
        (.fashionmnist, "91.170", "89.713"),
    ])
func publishedAreas(dataset: DatasetName, dqn: String, random: String) throws {
    let results = try publishedResults(dataset)
    let areas = results.fixedSeedResults[0].trials.map { trial in
        LearningCurve(gradientSteps: 0, correct: trial.cycles.map(\.result.correct))
            .area(of: 10_000)
    }
    #expect(decimals(areas.dropLast().max()!, 3) == dqn)
    #expect(decimals(areas.last!, 3) == random)
}

@Test("over several seeds the cycles of all of them count, and areas and ranks are averaged")
func choiceOverSeeds() throws {
    let curves: [(UInt64, Int, [Int])] = [
        (0, 100, [1000, 2000, 3000]), (0, 200, [1000, 2100, 2900]),
        (1, 100, [1100, 2000, 3000]), (1, 200, [1100, 2200, 3000]),
    ]
    let trials = curves.map { seed, steps, correct in
        trialRecord(
            .dqn(gradientSteps: steps), seed: seed, correct: correct, digests: ["first \(seed)"])
    }
    let results = Report(record: sweepRecord(trials)).results[0]
    #expect(results.choices.count == 1)
    let choice = try #require(results.choices.first)
    #expect(choice.seeds == [0, 1])
    #expect(choice.sharedCycles == 1)
    // Without cycle 1: 100 steps win (0, 3) and tie in (1, 3); 200 steps win (0, 2) and (1, 2).
    #expect(choice.wins?.wins.map(\.count) == [2, 3])
    #expect(choice.best == .dqn(gradientSteps: 200))
    let criteria = try #require(choice.criteria)
    // 2·6000 − 4000 + 2·6100 − 4100, and 2·6000 − 3900 + 2·6300 − 4100.
    #expect(criteria.doubledAreas == [16100, 16600])
    // Ranks 1.5, 2, 1, 1.5, 2, 1.5 and 1.5, 1, 2, 1.5, 1, 1.5.
    #expect(criteria.doubledRankSums == [19, 17])
    #expect(criteria.bestByFinalAccuracy == 100)
    let text = Report(record: sweepRecord(trials)).render(.table)
    #expect(text.contains("CIFAR-10, 2 fixed seeds: best gradient step of dqn"))
}

@Test("cycle 1 is one cell for all strategies, cycle 2 for all gradient steps, as published")
func publishedSharedCells() throws {
    for dataset in DatasetName.allCases {
        let trials = try publishedResults(dataset).fixedSeedResults[0].trials
        let shared = zip(trials.dropFirst(), trials).map { $0.sharedCycles(with: $1) }
        #expect(shared == [2, 2, 2, 2, 1])
    }
}

@Test("trials whose labelled sets part ways share no later cell, even if they meet again")
func sharingEndsWithTheHistory() {
    let first = trialRecord(correct: [10, 20, 30], digests: ["a", "b", "c"])
    let second = trialRecord(
        .dqn(gradientSteps: 200), correct: [10, 20, 30], digests: ["a", "x", "c"])
    let other = trialRecord(
        .dqn(gradientSteps: 200), seed: 1, correct: [10, 20, 30], digests: ["a", "b", "c"])
    #expect(first.sharedCycles(with: second) == 1)
    #expect(first.sharedCycles(with: other) == 0)
}

@Test("a group with a failed run is 4/5, names it and why, and counts complete runs only")
func incompleteGroup() throws {
    var trials = (1...5).map {
        trialRecord(seed: $0, isTimeSeeded: true, correct: [1000, 2000, 3000 + Int($0)])
    }
    trials[3] = trialRecord(
        seed: 4, isTimeSeeded: true, state: .failed, correct: [9000, 9000],
        failure: "out of memory\u{1B}[31m\nat node7")
    let report = Report(record: sweepRecord(trials))
    let group = try #require(report.results[0].seedGroups.first)
    #expect(group.fraction == "4/5")
    #expect(!group.isComplete)
    // Over seeds 1, 2, 3 and 5: the failed run's 90 % is in no cycle's mean.
    #expect(
        (1...3).map { decimals(group.accuracy(inCycle: $0)!.mean, 4) }
            == ["10.0000", "20.0000", "30.0275"])
    for format in [ReportFormat.table, .markdown] {
        let text = report.render(format)
        #expect(text.contains("4/5"))
        #expect(text.contains("failed after 2 of 3 cycles: out of memory"))
        #expect(!text.contains("5/5"))
        #expect(!text.unicodeScalars.contains("\u{1B}"))
    }
    #expect(report.render(.table).contains("Missing: cifar10-dqn100-seed4, failed"))
    #expect(report.render(.json).contains(#""expected":5"#))
}

@Test("no best step is named while one of the settings is incomplete")
func noChoiceYet() throws {
    let report = Report(
        record: sweepRecord([
            trialRecord(.dqn(gradientSteps: 100), correct: [10, 20, 30]),
            trialRecord(.dqn(gradientSteps: 200), state: .running, correct: [10, 20]),
        ]))
    let choice = try #require(report.results[0].choices.first)
    #expect(choice.wins == nil)
    let text = report.render(.table)
    #expect(text.contains("No choice yet."))
    #expect(text.contains("cifar10-dqn200-seed0, running, 2 of 3 cycles"))
    #expect(text.contains("1 of 2 trials complete (1 running)."))
}

@Test("runs of different protocols, engines or precisions are never averaged")
func protocolsApart() throws {
    let trials = [
        trialRecord(seed: 1, isTimeSeeded: true, correct: [10, 20, 30]),
        trialRecord(seed: 2, isTimeSeeded: true, correct: [20, 30, 40]) { $0.epochs = 20 },
        trialRecord(seed: 3, isTimeSeeded: true, correct: [30, 40, 50]) { $0.engine = .openblas },
        trialRecord(seed: 4, isTimeSeeded: true, correct: [40, 50, 60]) {
            $0.precision = .bfloat16
        },
    ]
    let report = Report(record: sweepRecord(trials))
    #expect(
        report.results.map { $0.seedGroups.map(\.fraction) } == [
            ["1/1"], ["1/1"], ["1/1"], ["1/1"],
        ])
    #expect(
        report.results.map(\.title) == [
            "CIFAR-10 (epochs 200, engine onednn, precision float32)",
            "CIFAR-10 (epochs 20, engine onednn, precision float32)",
            "CIFAR-10 (epochs 200, engine openblas, precision float32)",
            "CIFAR-10 (epochs 200, engine onednn, precision bfloat16)",
        ])
}

@Test("every format gives the same bytes again, and the terminal table stays within 100 columns")
func deterministicFormats() throws {
    for format in ReportFormat.allCases {
        #expect(
            Report(record: try publishedRuns()).render(format)
                == Report(record: try publishedRuns()).render(format))
    }
    var runs = try publishedRuns()
    runs.trials[20].state = .failed
    runs.trials[20].failure = "節点 七 " + String(repeating: "the disk is full; ", count: 20)
    for line in Report(record: runs).render(.table).split(separator: "\n") {
        #expect(displayWidth(String(line)) <= 100, "\(line)")
    }
}

@Test("the JSON is one value that Foundation reads, with every cycle")
func wholeJSON() throws {
    let text = Report(record: try publishedRuns()).render(.json)
    let value = try #require(
        try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(value["schema"] as? Int == 1)
    let trials = try #require(value["trials"] as? [[String: Any]])
    #expect(trials.count == 33)
    let cycles = trials.compactMap { $0["cycles"] as? [[String: Any]] }.flatMap { $0 }
    #expect(cycles.count == 330)
    #expect(cycles[0]["correct"] as? Int == 4615)
    #expect(cycles[0]["accuracy"] as? Double == 46.15)
    let datasets = try #require(value["datasets"] as? [[String: Any]])
    let means = try #require(datasets[0]["means"] as? [[String: Any]])
    #expect(means[0]["n"] as? Int == 5)
    #expect(means[0]["complete"] as? Bool == true)
    let first = try #require((means[0]["cycles"] as? [[String: Any]])?.first)
    #expect(first["mean"] as? Double == 46.378)
}

@Test("text from outside cannot break a CSV row or a JSON string")
func hostileText() throws {
    var trial = trialRecord(correct: [10, 20, 30])
    let host = "a,\"b\"\n\u{1}\\c"
    for index in trial.cycles.indices { trial.cycles[index].host = host }
    let report = Report(record: sweepRecord([trial]))
    let rows = try commaSeparatedRows(report.render(.csv), file: "results.csv")
    #expect(rows.count == 4)
    #expect(Set(rows.map(\.fields.count)) == [30])
    #expect(rows[1].fields[15] == host)
    let value = try JSONSerialization.jsonObject(with: Data(report.render(.json).utf8))
    let trials = try #require((value as? [String: Any])?["trials"] as? [[String: Any]])
    let cycles = try #require(trials[0]["cycles"] as? [[String: Any]])
    #expect(cycles[0]["host"] as? String == host)
}

/// Every number that a query may have, and one of a file from before there were all of them.
private func queriedTrial() -> TrialRecord {
    var trial = trialRecord(.dqnWarm(gradientSteps: 100), correct: [10, 20, 30])
    trial.cycles[0].result.query = QueryResult(
        picks: [7, 3, 5], hitRate: 2.0 / 3, classCounts: [2, 0, 1], classEntropy: 0.636514168294813,
        meanQ: 0.25, firstLoss: 0.5, lastLoss: 0.125, auc: 0.75, lambda: 0.2)
    trial.cycles[1].result.query = QueryResult(
        picks: [1, 2], hitRate: 0.5, classCounts: [1, 1, 0])
    return trial
}

@Test("the JSON has every cycle's query: what a strategy bought and how sure it was")
func queriesInJSON() throws {
    let text = Report(record: sweepRecord([queriedTrial()])).render(.json)
    let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
    let trials = try #require((value as? [String: Any])?["trials"] as? [[String: Any]])
    let cycles = try #require(trials[0]["cycles"] as? [[String: Any]])
    let query = try #require(cycles[0]["query"] as? [String: Any])
    #expect(query["hit_rate"] as? Double == 2.0 / 3)
    #expect(query["class_counts"] as? [Int] == [2, 0, 1])
    #expect(query["class_entropy"] as? Double == 0.636514168294813)
    #expect(query["mean_q"] as? Double == 0.25)
    #expect(query["first_loss"] as? Double == 0.5 && query["last_loss"] as? Double == 0.125)
    #expect(query["auc"] as? Double == 0.75 && query["lambda"] as? Double == 0.2)
    let older = try #require(cycles[1]["query"] as? [String: Any])
    #expect(older["auc"] is NSNull && older["hit_rate"] as? Double == 0.5)
    #expect(cycles[2]["query"] is NSNull)
}

@Test("the long form has the queries, and reads them back but for the picks")
func queriesInLongForm() throws {
    let text = Report(record: sweepRecord([queriedTrial()])).render(.csv)
    let read = try SweepRecord(runs: text, file: "results.csv")
    let queries = read.trials[0].cycles.map(\.result.query)
    var expected = queriedTrial().cycles.map(\.result.query)
    expected[0]?.picks = []
    expected[1]?.picks = []
    #expect(queries == expected)
    #expect(Report(record: read).render(.csv) == text)
    let broken = text.replacing(",2 0 1,", with: ",2 x 1,")
    #expect(broken != text)
    let error = #expect(throws: RunsFileError.self) {
        try SweepRecord(runs: broken, file: "results.csv")
    }
    #expect(error?.problem == "'x' in column 'class_counts' is not a count")
}
