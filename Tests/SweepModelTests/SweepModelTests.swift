import Foundation
import Testing

@testable import SweepModel

@Test("the learning rate drops at each milestone")
func learningRateMilestones() {
    var studyProtocol = StudyProtocol()
    #expect(studyProtocol.learningRate(inEpoch: 159) == 0.1)
    #expect(abs(studyProtocol.learningRate(inEpoch: 160) - 0.01) < 1e-15)
    studyProtocol.milestones = [2, 4]
    #expect(abs(studyProtocol.learningRate(inEpoch: 4) - 0.001) < 1e-15)
}

@Test("wins are counted in the cycles that settings do not share, over all seeds")
func winsInSharedCycles() {
    func run(_ steps: Int, _ correct: [Int], _ sets: [String]) -> SettingRun {
        SettingRun(
            gradientSteps: steps,
            results: zip(correct, sets).enumerated().map { index, found in
                CycleResult(
                    cycle: index + 1, labelled: index, correct: found.0, total: 100, testLoss: 0,
                    trainLoss: 0, labelledDigest: found.1, weightsDigest: "", query: nil,
                    trainSeconds: 0, evaluateSeconds: 0, querySeconds: 0)
            })
    }
    let first = [
        run(100, [10, 20, 25], ["a", "b", "c"]), run(200, [10, 20, 24], ["a", "b", "d"]),
    ]
    let second = [
        run(200, [11, 23, 29], ["e", "f", "g"]), run(100, [11, 23, 29], ["e", "x", "g"]),
    ]
    let one = GradientStepWins(seeds: [first])
    #expect(one.sharedCycles == 2)
    #expect(one.wins.map(\.count) == [1, 0])
    // The second seed's labelled sets part in cycle 2, so that only cycle 1 is left out.
    for seeds in [[first, second], [second, first]] {
        let both = GradientStepWins(seeds: seeds)
        #expect(both.sharedCycles == 1)
        #expect(both.wins.map(\.count) == [4, 3])
        #expect(both.best == 100)
    }
}

@Test("a tie in wins goes to the fewest gradient steps and is reported")
func tieGoesToFewestSteps() {
    let wins = GradientStepWins([
        LearningCurve(gradientSteps: 200, correct: [10, 20, 25]),
        LearningCurve(gradientSteps: 100, correct: [10, 20, 24]),
        LearningCurve(gradientSteps: 300, correct: [10, 19, 25]),
    ])
    #expect(wins.wins.map(\.count) == [2, 3, 2])
    #expect(wins.best == 200)
    let tie = GradientStepWins([
        LearningCurve(gradientSteps: 200, correct: [10, 25]),
        LearningCurve(gradientSteps: 100, correct: [10, 25]),
    ])
    #expect(tie.best == 100)
    #expect(tie.tied == [100, 200])
}

@Test("an automatic precision is open until a submission settles it")
func automaticPrecision() throws {
    let text = """
        name: s
        protocol: {precision: auto, width: 8}
        stages: [{name: a, datasets: [cifar10], seeds: [0], strategies: [random]}]
        """
    let sweep = try SweepFile.parse(text, name: "s.yaml")
    #expect(sweep.isPrecisionAutomatic && sweep.studyProtocol.precision == .float32)
    var submission = SweepSubmitted(name: "s", text: text, timeSeeds: [])
    // As journals of version 0.1 have it.
    #expect(sweep.submitted(as: submission) == sweep)
    submission.engine = .onednn
    submission.precision = .bfloat16
    let settled = sweep.submitted(as: submission)
    #expect(!settled.isPrecisionAutomatic && settled.studyProtocol.precision == .bfloat16)
    #expect(settled.studyProtocol.width == 8)
}

@Test("a strategy's name, steps and form in the journal lead back to it")
func strategyNames() throws {
    let strategies = Strategy.plain + Learner.allCases.map { $0.strategy(gradientSteps: 7) }
    #expect(strategies.map(\.name) == Strategy.names)
    #expect(Set(strategies.map(\.label)).count == strategies.count)
    for strategy in strategies {
        #expect(Strategy(name: strategy.name, gradientSteps: strategy.gradientSteps) == strategy)
        let data = try JSONEncoder().encode(strategy)
        #expect(try JSONDecoder().decode(Strategy.self, from: data) == strategy)
    }
    #expect(Strategy(name: "dqn", gradientSteps: nil) == nil)
    #expect(Strategy(name: "margins", gradientSteps: 3) == nil)
    for text in [#"{"name":"dqn_warm"}"#, #"{"name":"margins"}"#] {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(Strategy.self, from: Data(text.utf8))
        }
    }
}

@Test("a query of a journal from before there were all its numbers still reads")
func olderQuery() throws {
    let text = #"{"picks":[3,1],"hit_rate":0.5,"class_counts":[1,1],"mean_q":0.25}"#
    let query = try JSONDecoder().decode(QueryResult.self, from: Data(text.utf8))
    #expect(query == QueryResult(picks: [3, 1], hitRate: 0.5, classCounts: [1, 1], meanQ: 0.25))
    #expect(query.auc == nil && query.classEntropy == nil && query.lambda == nil)
}
