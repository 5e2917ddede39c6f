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
