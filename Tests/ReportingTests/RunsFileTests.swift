import SweepModel
import Testing

@testable import Reporting

private let header = "dataset,method,gradient_steps,seed,started,cycle,labelled,test_accuracy\n"

@Test("accuracies in percent become the counts they are")
func exactCounts() throws {
    let runs = try publishedRuns()
    #expect(runs.trials.count == 33)
    #expect(runs.trials[0].cycles.map(\.result.correct).prefix(3) == [4615, 5483, 5778])
    #expect(runs.trials.allSatisfy { $0.isComplete })
    #expect(runs.trials.count { $0.isTimeSeeded } == 15)
    #expect(Set(runs.trials.map(\.id)).count == 33)
}

@Test(
    "a row that cannot be read is an error with its line",
    arguments: [
        ("cifar1O,random,,0,,1,1000,46.15", "unknown dataset 'cifar1O'"),
        ("cifar10,randon,,0,,1,1000,46.15", "unknown strategy 'randon'"),
        ("cifar10,dqn,x,0,,1,1000,46.15", "'x' in column 'gradient_steps' is not a whole number"),
        ("cifar10,random,,zero,,1,1000,46.15", "'zero' in column 'seed'"),
        ("cifar10,random,,time,,1,1000,46.15", "'' in column 'started'"),
        ("cifar10,random,,0,,1,1000,46.155", "46.155 % of 10000 test images is not a count"),
        ("cifar10,random,,0,,1,1000,100.01", "100.01 % of 10000 test images is not a count"),
        ("cifar10,random,,0,,1,1000,high", "'high' in column 'test_accuracy' is not a number"),
        ("cifar10,random,,0,,1,1000", "7 fields where the header has 8"),
        ("cifar10,random,,0,,2,1000,46.15", "cycle 2 of this run, but no cycle 1"),
        ("\"cifar10,random", "a quoted field is not closed"),
    ])
func lineNumberedErrors(row: String, problem: String) throws {
    let error = try #require(throws: RunsFileError.self) {
        try SweepRecord(runs: header + "\n" + row + "\n", file: "runs.csv")
    }
    #expect(error.description.hasPrefix("runs.csv:3: "))
    #expect(error.problem.contains(problem), "\(error.problem)")
}

@Test("a cycle twice, a label count off the steps and a missing column are errors")
func contradictoryRows() throws {
    let rows = "cifar10,random,,0,,1,1000,46\ncifar10,random,,0,,2,2000,50\n"
    for (text, line, problem) in [
        (header + rows + "cifar10,random,,0,,2,2000,51\n", 4, "is also in line 3"),
        (header + rows + "cifar10,random,,0,,3,3001,51\n", 4, "where other rows mean 3000"),
        ("dataset,method,seed,cycle,labelled\n", 1, "no column 'correct' or 'test_accuracy'"),
        (header, 1, "no run follows the header"), ("", 1, "the file has no rows"),
    ] {
        let error = try #require(throws: RunsFileError.self) {
            try SweepRecord(runs: text, file: "runs.csv")
        }
        #expect(error.line == line)
        #expect(error.problem.contains(problem), "\(error.problem)")
    }
}

@Test("a run that ends early is incomplete")
func shortRun() throws {
    let rows =
        "cifar10,random,,0,,1,1000,46\r\ncifar10,random,,0,,2,2000,50\r\n"
        + "cifar10,dqn,100,0,,1,1000,46\r\n"
    let record = try SweepRecord(runs: header + rows, file: "runs.csv")
    #expect(record.trials.map(\.isComplete) == [true, false])
    #expect(record.trials[1].incompleteness == "failed after 1 of 2 cycles: runs.csv has no more")
}

@Test("the long form reads back as the trials that wrote it, protocol included")
func longFormReadsBack() throws {
    let trials = [
        trialRecord(correct: [10, 20, 30]) {
            $0.epochs = 20
            $0.milestones = [16, 18]
            $0.initial = 500
            $0.addendum = 100
            $0.poolLimit = 5000
            $0.testLimit = 400
            $0.poolTransform = .train
            $0.reset = true
            $0.learningRate = 0.05
        },
        trialRecord(.random, seed: 1_760_000_000, isTimeSeeded: true, correct: [11, 21, 31]),
    ]
    let record = sweepRecord(trials)
    let text = Report(record: record).render(.csv)
    let read = try SweepRecord(runs: text, file: "results.csv")
    #expect(read.trials.map(\.configuration) == trials.map(\.configuration))
    #expect(read.trials.map(\.isTimeSeeded) == [false, true])
    #expect(read.trials.map(\.stage) == trials.map(\.stage))
    #expect(read.trials.map { $0.cycles.map(\.result.correct) } == [[10, 20, 30], [11, 21, 31]])
    #expect(Report(record: read).render(.csv) == text)
}

@Test("a trial without a result has a row in the long form, so that it is not forgotten")
func longFormNamesEveryTrial() throws {
    let trials = (1...5).map { seed in
        trialRecord(
            seed: seed, isTimeSeeded: true, state: seed == 5 ? .failed : .done,
            correct: seed == 5 ? [] : [10, 20, 30])
    }
    let text = Report(record: sweepRecord(trials)).render(.csv)
    let read = try SweepRecord(runs: text, file: "results.csv")
    #expect(read.trials.map(\.id) == trials.map(\.id))
    #expect(read.trials[4].cycles.isEmpty)
    #expect(Report(record: read).results[0].seedGroups[0].fraction == "4/5")
}

@Test("every setting and every strategy that exists can be read from a file")
func knownSettings() throws {
    var studyProtocol = StudyProtocol()
    for setting in studyProtocol.settings {
        guard let value = setting.value else { continue }
        let problem = studyProtocol.apply(departures: "\(setting.name)=\(value)")
        #expect(problem == nil, "add '\(setting.name)' to StudyProtocol.apply in ProtocolSettings")
    }
    #expect(studyProtocol == StudyProtocol())
    for name in Strategy.names {
        let text = header + "cifar10,\(name),100,0,,1,1000,46\n"
        #expect(throws: Never.self, "add '\(name)' to the reader in RunsFile.swift") {
            try SweepRecord(runs: text, file: "runs.csv")
        }
    }
}
