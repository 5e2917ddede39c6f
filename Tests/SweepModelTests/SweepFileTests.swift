import Testing

@testable import SweepModel

private let paper = """
    # Which gradient step is best, and what do five time-seeded runs average to?
    name: paper
    protocol: paper
    stages:
      - name: gradient-steps
        datasets: [cifar10, cifar100, fashionmnist]
        seeds: [0]
        strategies:
          - random
          - dqn: {gradient_steps: [100, 200, 300, 400, 500]}
      - name: time-seeds
        datasets: [cifar10, cifar100, fashionmnist]
        seeds: {time: 5}
        strategies:
          - dqn: {gradient_steps: {best_of: gradient-steps}}
    """

@Test("the study's sweep is 18 trials, and 15 that depend on them")
func paperSweep() throws {
    let sweep = try SweepFile.parse(paper, name: "paper.yaml")
    #expect(sweep.stages.map { $0.trialCountPerDataset * $0.datasets.count } == [18, 15])
    #expect(sweep.timeSeedCount == 5)
    #expect(sweep.studyProtocol.poolTransform == .train)
    #expect(sweep.stages[1].source == "gradient-steps")
    let trials = sweep.stages[1].trials(
        of: .cifar100, studyProtocol: sweep.studyProtocol, timeSeeds: [10, 11, 12, 13, 14],
        bestGradientSteps: 300)
    #expect(trials.map(\.id.rawValue) == (10...14).map { "cifar100-dqn300-seed\($0)" })
    #expect(trials[0].labelledCount(inCycle: 10) == 20_000)
}

@Test("a stage's priority is read, and 0 without one")
func stagePriority() throws {
    let text = paper.replacing("name: time-seeds", with: "name: time-seeds\n    priority: -10")
    let sweep = try SweepFile.parse(text, name: "a.yaml")
    #expect(sweep.stages.map(\.priority) == [0, -10])
    let error = #expect(throws: SweepFileError.self) {
        try SweepFile.parse(text.replacing("-10", with: "1001"), name: "a.yaml")
    }
    #expect(error?.message == "priority is '1001'; it is a whole number from -1000 to 1000")
}

@Test("a protocol's settings are read, and the study's are the defaults")
func protocolSettings() throws {
    let text = paper.replacing(
        "protocol: paper",
        with: """
            protocol:
              width: 8
              epochs: 12
              milestones: [9]
              learning_rate: 0.05
              reset: true
            """)
    let studyProtocol = try SweepFile.parse(text, name: "a.yaml").studyProtocol
    #expect(studyProtocol.width == 8 && studyProtocol.epochs == 12)
    #expect(studyProtocol.milestones == [9] && studyProtocol.learningRate == 0.05)
    #expect(studyProtocol.reset && studyProtocol.batchSize == 128)
    #expect(studyProtocol.poolTransform == .test)
}

@Test("engine and precision in a mapping are heeded, and checked against each other")
func enginesAndPrecisions() throws {
    func studyProtocol(_ engine: String, _ precision: String) throws -> StudyProtocol {
        let settings = "protocol: {engine: \(engine), precision: \(precision)}"
        let text = paper.replacing("protocol: paper", with: settings)
        return try SweepFile.parse(text, name: "a.yaml").studyProtocol
    }
    #expect(try studyProtocol("openblas", "float32").engine == .openblas)
    #expect(try studyProtocol("onednn", "bfloat16").precision == .bfloat16)
    #expect(throws: SweepFileError.self) { try studyProtocol("openblas", "bfloat16") }
}

/// What to replace in the study's sweep, with what, and the message and place that must come.
private let mistakes: [(String, String, String, Int)] = [
    ("cifar10,", "cifar1O,", "unknown dataset 'cifar1O' (did you mean 'cifar10'?)", 6),
    (
        "datasets: [cifar10, cifar100, fashionmnist]\n    seeds: [0]",
        "dataset: [cifar10]\n    seeds: [0]", "unknown key 'dataset' (did you mean 'datasets'?)", 6
    ),
    ("protocol: paper", "protocol: papr", "unknown protocol 'papr' (did you mean 'paper'?)", 3),
    ("- random", "- randm", "unknown strategy 'randm' (did you mean 'random'?)", 9),
    ("- random", "- random\n      - random", "'random' is listed twice", 10),
    ("- random", "- dqn", "strategy 'dqn' needs its gradient steps", 9),
    ("- random", "- dqn_warm", "strategy 'dqn_warm' needs its gradient steps", 9),
    ("- random", "- k_centre", "unknown strategy 'k_centre' (did you mean 'k_center'?)", 9),
    ("- random", "- margins", "unknown strategy 'margins' (did you mean 'margin'?)", 9),
    ("- random", "- badge\n      - badge", "'badge' is listed twice", 10),
    ("- random", "- badge: {gradient_steps: [5]}", "strategy 'badge' has no settings", 9),
    ("- random", "- dqn_warm: {steps: [5]}", "unknown key 'steps'", 9),
    ("- random", "- dqn: {gradient_steps: [100]}", "dqn with 100 gradient steps is listed", 10),
    (
        "- dqn: {gradient_steps: {best_of: gradient-steps}}",
        "- dqn_warm: {gradient_steps: {best_of: gradient-steps}}",
        "stage 'gradient-steps' tries no gradient steps of dqn_warm to choose from", 15
    ),
    ("seeds: [0]", "seeds: [0, 0]", "seeds has '0' twice", 7),
    ("seeds: [0]", "seeds: []", "seeds is empty", 7),
    ("seeds: [0]", "seeds: [-1]", "a seed is '-1'; it is a whole number from 0", 7),
    ("seeds: [0]", "seeds: {times: 5}", "unknown key 'times' (did you mean 'time'?)", 7),
    ("{time: 5}", "{time: 0}", "time is '0'", 13),
    (
        "best_of: gradient-steps", "best_of: gradient-step",
        "unknown earlier stage 'gradient-step' (did you mean 'gradient-steps'?)", 15
    ),
    ("200, 300, 400, 500]", "100]", "gradient_steps has '100' twice", 10),
    ("200, 300, 400, 500]", "x]", "gradient_steps is 'x'", 10),
    ("name: time-seeds", "name: gradient-steps", "two stages are named 'gradient-steps'", 11),
    ("name: paper", "name: a b", "the name 'a b' is not usable for a folder", 2),
    ("name: paper", "name: ../x", "not usable for a folder", 2),
    ("protocol: paper", "protocol: {epochs: 0}", "epochs is '0'", 3),
    ("protocol: paper", "protocol: {width: 8, width: 9}", "", 3),
    ("protocol: paper", "protocol: {cycles: 100}", "100 cycles of 'cifar10' need 100000 labels", 3),
    ("protocol: paper", "protocol: {milestones: [5, 5]}", "milestones must rise", 3),
    ("protocol: paper", "protocol: {test_limit: 10001}", "has 10000 test images", 3),
    ("protocol: paper", "protocol: {precision: float23}", "did you mean 'float32'?", 3),
    ("protocol: paper", "protocol: {precision: aut}", "did you mean 'auto'?", 3),
    ("protocol: paper", "protocol: {addendum: 20001}", "addendum is '20001'", 3),
    ("protocol: paper", "protocol: {reset: maybe}", "it is true or false", 3),
    ("stages:", "stages: 3 #", "is not valid YAML", 5),
    ("name: paper\n", "", "a sweep lacks the key 'name'", 2),
    ("    seeds: [0]\n", "", "a stage lacks the key 'seeds'", 5),
    ("seeds: [0]", "seeds: [0", "is not valid YAML", 8),
]

@Test("a mistake is named with its line and the nearest word", arguments: mistakes.indices)
func mistakeIsNamed(index: Int) throws {
    let (old, new, message, line) = mistakes[index]
    let text = paper.replacing(old, with: new, maxReplacements: 1)
    #expect(text != paper)
    let error = #expect(throws: SweepFileError.self) {
        try SweepFile.parse(text, name: "sweeps/a.yaml")
    }
    guard let error else { return }
    #expect(error.description.contains(message), "\(error)")
    #expect(error.line == line, "\(error)")
    #expect(error.description.hasPrefix("sweeps/a.yaml:\(line)"))
}

@Test(
    "an empty file, a list, a huge file: a clear error",
    arguments: [
        ("", "is empty"), ("- a", "a sweep is a mapping"), ("a: &x [*x]", ""),
        ("#", "at most 1 MiB"),
    ])
func foreignFile(text: String, message: String) {
    // Made here: as an argument it would fill the log.
    let text = text == "#" ? String(repeating: "#", count: 1 << 21) : text
    let error = #expect(throws: SweepFileError.self) { try SweepFile.parse(text, name: "a") }
    #expect(error?.description.contains(message) ?? false)
}

@Test("a second stage that asks for a dataset its source lacks is refused")
func sourceLacksDataset() {
    let text = paper.replacing(
        "[cifar10, cifar100, fashionmnist]", with: "[cifar10]", maxReplacements: 1)
    let error = #expect(throws: SweepFileError.self) { try SweepFile.parse(text, name: "a") }
    #expect(error?.message.contains("does not run 'cifar100'") ?? false)
}

@Test("every strategy can be named, alone or with its gradient steps")
func everyStrategy() throws {
    let text = paper.replacing(
        "- random",
        with: """
            - random
                  - entropy
                  - least_confidence
                  - margin
                  - k_center
                  - badge
                  - dqn_warm: {gradient_steps: [0, 50]}
            """)
    let sweep = try SweepFile.parse(text, name: "all.yaml")
    let trials = sweep.stages[0].trials(
        of: .cifar10, studyProtocol: sweep.studyProtocol, timeSeeds: [], bestGradientSteps: nil)
    #expect(
        trials.map(\.strategy.label) == [
            "random", "entropy", "least_confidence", "margin", "k_center", "badge", "dqn_warm0",
            "dqn_warm50", "dqn100", "dqn200", "dqn300", "dqn400", "dqn500",
        ])
    #expect(sweep.stages[0].trialCountPerDataset == 13)
    #expect(Set(trials.map(\.strategy.name)) == Set(Strategy.names))
    #expect(Set(trials.map(\.strategy.title)).count == 13)
}

@Test("a stage takes the best steps of the strategy that it names, and of one alone")
func bestOfTwoLearners() throws {
    let both = paper.replacing(
        "- random", with: "- dqn_warm: {gradient_steps: [100, 200]}", maxReplacements: 1)
    let warm = both.replacing(
        "- dqn: {gradient_steps: {best_of", with: "- dqn_warm: {gradient_steps: {best_of")
    let sweep = try SweepFile.parse(warm, name: "a")
    #expect(sweep.stages[1].source == "gradient-steps")
    #expect(sweep.stages[1].choosingLearner == .dqnWarm)
    let trials = sweep.stages[1].trials(
        of: .cifar10, studyProtocol: sweep.studyProtocol, timeSeeds: [7], bestGradientSteps: 200)
    #expect(trials.map(\.id.rawValue) == ["cifar10-dqn_warm200-seed7"])
    let error = #expect(throws: SweepFileError.self) {
        try SweepFile.parse(
            both
                + "\n          - dqn_warm: {gradient_steps: {best_of: gradient-steps}}"
                .replacing("          -", with: "      -"), name: "a")
    }
    #expect(
        error?.message
            == "a stage takes the best gradient steps of one strategy, not of both dqn and dqn_warm"
    )
    #expect(error?.hint == "move dqn_warm to a stage of its own")
}
