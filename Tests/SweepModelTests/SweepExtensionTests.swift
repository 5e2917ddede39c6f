import SweepModel
import Testing

private let text = """
    name: s
    protocol: {width: 4}
    stages:
      - name: steps
        datasets: [fashionmnist]
        seeds: [0]
        strategies: [random, {dqn: {gradient_steps: [5, 10]}}]
      - name: times
        datasets: [fashionmnist]
        seeds: {time: 2}
        strategies: [{dqn: {gradient_steps: {best_of: steps}}}]
    """

private func sweep(_ changes: [(String, String)] = []) throws -> Sweep {
    let changed = changes.reduce(text) { $0.replacing($1.0, with: $1.1) }
    #expect(changes.isEmpty || changed != text)
    return try SweepFile.parse(changed, name: "s.yaml")
}

private let choices = [
    StepsChosen(stage: "times", dataset: .fashionmnist, gradientSteps: 5, tied: [5])
]

@Test(
    "a run goes on with a sweep file that asks for more",
    arguments: [
        [("random, ", "random, margin, ")], [("seeds: [0]", "seeds: [1, 0]")],
        [("[fashionmnist]", "[cifar10, fashionmnist]")],
        [("name: times", "name: times\n    priority: 5")],
        [("strategies: [{dqn: {gradient_steps: {", "strategies: [badge, {dqn: {gradient_steps: {")],
        [("stages:", "# Is it so?\nstages:")],
        [
            (
                "stages:",
                "stages:\n  - {name: more, datasets: [cifar100], seeds: {time: 2}, strategies: [badge]}"
            )
        ],
    ])
func extended(changes: [(String, String)]) throws {
    let changed = changes.filter { $0.0 != "seeds: [0]" }
    // More seeds of the source would have chosen otherwise, if it had chosen.
    try sweep(changes).checkExtension(of: sweep(), choices: changed.isEmpty ? [] : choices)
}

@Test(
    "a sweep file that takes something away, or would have decided otherwise, begins a run of its own",
    arguments: [
        ("width: 4", "width: 8", "its protocol is another one"),
        ("name: s\n", "name: t\n", "its name is s"),
        ("random, ", "", "its stage steps has other strategies"),
        ("[5, 10]", "[5, 20]", "its stage steps has other gradient steps of dqn"),
        ("seeds: [0]", "seeds: [1]", "its stage steps has other seeds"),
        ("{time: 2}", "{time: 3}", "its stage times has other seeds"),
        ("{time: 2}", "[0]", "its stage times has other seeds"),
        ("name: times", "name: time", "it has a stage times"),
        ("[fashionmnist]", "[cifar10]", "its stage steps has other datasets"),
        (
            "best_of: steps", "best_of: steps, criterion: final",
            "its stage times has another choice of gradient steps"
        ),
        (
            "[5, 10]", "[5, 10, 20]",
            "its stage times has chosen among the gradient steps of steps already"
        ),
        (
            "seeds: [0]", "seeds: [0, 1]",
            "its stage times has chosen among the gradient steps of steps already"
        ),
        (
            "stages:",
            "stages:\n  - {name: more, datasets: [cifar10], seeds: {time: 3}, strategies: [random]}",
            "it has 2 seeds from the clock"
        ),
    ])
func notExtended(old: String, new: String, reason: String) throws {
    let (before, now) = (try sweep(), try sweep([(old, new)]))
    #expect(throws: NoExtension(reason)) {
        try now.checkExtension(of: before, choices: choices)
    }
}

@Test("before anything is chosen, a stage may get more settings to choose from")
func extendedBeforeChoice() throws {
    try sweep([("[5, 10]", "[5, 10, 20]")]).checkExtension(of: sweep(), choices: [])
}

@Test("a trial that two stages list counts once")
func trialsOfTwoStages() throws {
    let more =
        "stages:\n  - {name: more, datasets: [fashionmnist], seeds: [0, 1], strategies: [random]}"
    let sweep = try sweep([("stages:", more)])
    #expect(sweep.listedTrialCount == 2 + 3 + 2)
    #expect(sweep.trialCount == 2 + 2 + 2)
}
