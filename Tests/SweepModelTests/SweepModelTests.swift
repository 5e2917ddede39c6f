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
