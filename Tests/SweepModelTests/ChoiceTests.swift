import Testing

@testable import SweepModel

/// Three settings at two seeds; the best one differs by criterion.
private let seeds: [[SettingRun]] = [
    [run(100, [10, 50, 60, 70]), run(200, [10, 52, 61, 60]), run(300, [10, 10, 61, 90])],
    [run(100, [10, 50, 60, 70]), run(200, [10, 52, 61, 60]), run(300, [10, 10, 61, 60])],
]

private func run(_ gradientSteps: Int, _ correct: [Int]) -> SettingRun {
    SettingRun(
        gradientSteps: gradientSteps,
        results: correct.enumerated().map { index, correct in
            CycleResult(
                cycle: index + 1, labelled: index, correct: correct, total: 100, testLoss: 0,
                trainLoss: 0, labelledDigest: index == 0 ? "shared" : "\(gradientSteps)",
                weightsDigest: "", query: nil, trainSeconds: 0, evaluateSeconds: 0,
                querySeconds: 0)
        })
}

@Suite("The choice of gradient steps")
struct ChoiceTests {
    @Test(
        "each criterion chooses its own, by hand",
        arguments: [
            // Cycle 1 is shared; of the others 200 wins four, 300 three, 100 one.
            (.wins, 200, [200]),
            // Twice the areas, 2 * sum - first - last: 300 + 300, 296 + 296, 242 + 212.
            (.area, 100, [100]),
            // In the last cycle 140, 120, 150.
            (.finalAccuracy, 300, [300]),
            // Twice the ranks in cycles 2 to 4 of both seeds: 100 has 4+6+4 and 4+6+2,
            // 200 has 2+3+6 and 2+3+5, 300 has 6+3+2 and 6+3+5.
            (.meanRank, 200, [200]),
        ] as [(ChoiceCriterion, Int, [Int])])
    func criteria(criterion: ChoiceCriterion, best: Int, tied: [Int]) {
        let choice = SettingChoice(seeds, by: criterion)
        #expect(choice.best == best && choice.tied == tied)
    }

    @Test("a tie goes to the smallest setting", arguments: ChoiceCriterion.allCases)
    func tie(criterion: ChoiceCriterion) {
        let runs = [[run(300, [10, 20]), run(100, [10, 20]), run(200, [10, 19])]]
        let choice = SettingChoice(runs, by: criterion)
        #expect(choice.best == 100 && choice.tied == [100, 300])
    }

    @Test("a sweep file names the criterion; wins are the default")
    func sweepFile() throws {
        func criterion(_ text: String) throws -> ChoiceCriterion? {
            try SweepFile.parse(
                """
                name: s
                stages:
                  - {name: a, datasets: [cifar10], seeds: [0], strategies: [dqn: {gradient_steps: [1, 2]}]}
                  - {name: b, datasets: [cifar10], seeds: [1], strategies: [dqn: {gradient_steps: {\(text)}}]}
                """, name: "s.yaml"
            ).stages[1].criterion
        }
        #expect(try criterion("best_of: a") == .wins)
        #expect(try criterion("best_of: a, criterion: mean_rank") == .meanRank)
        #expect(try criterion("best_of: a, criterion: aulc") == .area)
        let error = #expect(throws: SweepFileError.self) {
            _ = try criterion("best_of: a, criterion: ranks")
        }
        #expect(error?.line == 4 && error?.description.contains("ranks") ?? false)
    }

    @Test("a preset is a protocol of its own, or the ground for settings that differ")
    func presets() throws {
        func studyProtocol(_ text: String) throws -> StudyProtocol {
            try SweepFile.parse(
                """
                name: s
                protocol: \(text)
                stages: [{name: a, datasets: [fashionmnist], seeds: [0], strategies: [random]}]
                """, name: "s.yaml"
            ).studyProtocol
        }
        for preset in StudyProtocol.presets {
            #expect(try studyProtocol(preset.name) == preset.studyProtocol)
            var changed = preset.studyProtocol
            changed.epochs = 3
            changed.milestones = []
            let text = "{preset: \(preset.name), epochs: 3, milestones: []}"
            #expect(try studyProtocol(text) == changed)
        }
        #expect(throws: SweepFileError.self) { _ = try studyProtocol("{preset: laptops}") }
    }
}
