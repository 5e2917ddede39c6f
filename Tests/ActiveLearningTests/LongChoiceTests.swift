import SweepModel
import Testing

@testable import ActiveLearning

private var choosers: [any QueryStrategy] {
    [
        KCenterStrategy(poolTransform: .test), BADGEStrategy(poolTransform: .test),
        DQNStrategy(gradientSteps: 5, poolTransform: .test),
        WarmDQNStrategy(gradientSteps: 5),
    ]
}

/// Long choices say that they are at work: a process that says nothing for long is taken for hung.
@Test(
    "a choice asks between its steps whether to go on, and ends when it is not to", arguments: 0..<4
)
func longChoices(index: Int) throws {
    let scene = try StrategyScene(bandedImages(count: 200, seed: 1))
    /// - Parameter limit: questions that are answered with yes.
    func choose(limit: Int) throws(ExperimentError) -> Int {
        var count = 0
        var chooser = choosers[index]
        _ = try chooser.picks(
            for: scene.request(100, of: Array(0..<150), labelled: [190]) {
                count += 1
                return count > limit
            })
        return count
    }
    let asked = try choose(limit: .max)
    let batches = 10
    #expect(asked > batches, "\(asked) questions, those before every batch of 16 included")
    #expect(throws: ExperimentError.stopped(cycle: 1)) { try choose(limit: asked - 1) }
}
