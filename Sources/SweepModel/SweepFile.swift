import Yams

/// What is wrong with a sweep file, where, and what to do.
public struct SweepFileError: Error, Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// Counted from 1; nil where the whole file is meant.
    public var line: Int?
    public var column: Int?
    public var message: String
    public var hint: String?

    public var description: String {
        let place = [line, column].compactMap { $0.map { ":\($0)" } }.joined()
        return "\(file)\(place): \(message)"
    }
}

/// Reads a sweep file: YAML, every key and word checked, so that a slip costs seconds, not a night.
public struct SweepFile: CheckedYAMLFile {
    /// Expanding to more trials than this is taken for a mistake.
    public static let maximumTrialCount = 100_000
    public static let maximumByteCount = 1 << 20

    package let name: String

    /// - Parameters:
    ///   - text: the file's content.
    ///   - name: its path, for messages.
    public static func parse(_ text: String, name: String) throws(SweepFileError) -> Sweep {
        try SweepFile(name: name).sweep(text)
    }

    private func sweep(_ text: String) throws(SweepFileError) -> Sweep {
        guard text.utf8.count <= Self.maximumByteCount else {
            throw error("is \(text.utf8.count) bytes long; a sweep file has at most 1 MiB", at: nil)
        }
        let root = try compose(text, example: "sweeps/quick.yaml")
        let fields = try YAMLMapping(
            root, what: "a sweep", keys: ["name", "protocol", "stages"], file: self)
        let name = try sweepName(fields.required("name"))
        let (studyProtocol, isPrecisionAutomatic) =
            try fields["protocol"].map(studyProtocol) ?? (StudyProtocol(), false)
        let stagesNode = try fields.required("stages")
        let stages = try stages(stagesNode)
        for dataset in Set(stages.flatMap(\.datasets)).sorted(by: { $0.rawValue < $1.rawValue }) {
            try checkCounts(of: dataset, studyProtocol, at: fields["protocol"] ?? root)
        }
        var sweep = Sweep(name: name, studyProtocol: studyProtocol, stages: stages)
        sweep.isPrecisionAutomatic = isPrecisionAutomatic
        let trialCount = sweep.listedTrialCount
        guard trialCount <= Self.maximumTrialCount else {
            throw error(
                "expands to \(trialCount) trials; at most \(Self.maximumTrialCount) are possible",
                at: stagesNode)
        }
        return sweep
    }

    /// The name becomes a folder's: it may hold nothing that a shell or a path would trip over.
    private func sweepName(_ node: Node) throws(SweepFileError) -> String {
        let text = try word(node, what: "the name")
        let isAllowed = text.unicodeScalars.allSatisfy { scalar in
            ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
                || ("0"..."9").contains(scalar) || scalar == "-" || scalar == "_"
        }
        guard isAllowed, !text.isEmpty, text.utf8.count <= 64 else {
            throw error(
                "the name '\(text)' is not usable for a folder", at: node,
                hint: "use 1 to 64 letters, digits, '-' and '_'")
        }
        return text
    }

    private func stages(_ node: Node) throws(SweepFileError) -> [Stage] {
        var stages: [Stage] = []
        for item in try sequence(node, what: "stages") {
            let stage = try stage(item, after: stages)
            if stages.contains(where: { $0.name == stage.name }) {
                throw error("two stages are named '\(stage.name)'", at: item)
            }
            stages.append(stage)
        }
        return stages
    }

    private func stage(_ node: Node, after earlier: [Stage]) throws(SweepFileError) -> Stage {
        let fields = try YAMLMapping(
            node, what: "a stage", keys: ["name", "datasets", "seeds", "strategies", "priority"],
            file: self)
        let name = try word(fields.required("name"), what: "the stage's name")
        let datasets = try unique(fields.required("datasets"), what: "datasets") {
            node throws(SweepFileError) in
            try choice(node, of: DatasetName.self, what: "dataset")
        }
        let seeds = try seedAxis(fields.required("seeds"))
        var strategies: [StrategyAxis] = []
        for item in try sequence(fields.required("strategies"), what: "strategies") {
            let axis = try strategyAxis(item, datasets: datasets, after: earlier)
            try checkDistinct(axis, from: strategies, at: item)
            strategies.append(axis)
        }
        let priority = try fields["priority"].map { node throws(SweepFileError) in
            try integer(node, what: "priority", in: Stage.priorities)
        }
        return Stage(
            name: name, datasets: datasets, seeds: seeds, strategies: strategies,
            priority: priority ?? 0)
    }

    private func seedAxis(_ node: Node) throws(SweepFileError) -> SeedAxis {
        if node.mapping != nil {
            let fields = try YAMLMapping(node, what: "seeds", keys: ["time"], file: self)
            return .time(count: try integer(fields.required("time"), what: "time", in: 1...10_000))
        }
        return .fixed(
            try unique(node, what: "seeds") { node throws(SweepFileError) in
                UInt64(try integer(node, what: "a seed", in: 0...Int(UInt32.max)))
            })
    }

    private func strategyAxis(
        _ node: Node, datasets: [DatasetName], after earlier: [Stage]
    ) throws(SweepFileError) -> StrategyAxis {
        guard let mapping = node.mapping else {
            let name = try strategyName(node)
            guard let strategy = Strategy(name: name, gradientSteps: nil) else {
                throw error(
                    "strategy '\(name)' needs its gradient steps", at: node,
                    hint: "write: \(name): {gradient_steps: [100, 200]}")
            }
            return .plain(strategy)
        }
        guard mapping.count == 1, let (key, value) = mapping.first else {
            throw error("a strategy is one word, or one word with its settings", at: node)
        }
        let name = try strategyName(key)
        guard let learner = Learner(rawValue: name) else {
            throw error("strategy '\(name)' has no settings", at: value)
        }
        let settings = try YAMLMapping(value, what: name, keys: ["gradient_steps"], file: self)
        let steps = try settings.required("gradient_steps")
        if steps.mapping != nil {
            let source = try YAMLMapping(
                steps, what: "gradient_steps", keys: ["best_of", "criterion"], file: self)
            let stage = try sourceStage(
                source.required("best_of"), of: learner, datasets: datasets, after: earlier)
            let criterion = try source["criterion"].map { node throws(SweepFileError) in
                try choice(node, of: ChoiceCriterion.self, what: "criterion")
            }
            return .learned(learner, .bestOf(stage: stage, by: criterion ?? .wins))
        }
        let counts = try unique(steps, what: "gradient_steps") { node throws(SweepFileError) in
            try integer(node, what: "gradient_steps", in: 0...1_000_000)
        }
        return .learned(learner, .fixed(counts))
    }

    private func strategyName(_ node: Node) throws(SweepFileError) -> String {
        let name = try word(node, what: "a strategy")
        guard Strategy.names.contains(name) else {
            throw unknown("strategy", name, among: Strategy.names, at: node)
        }
        return name
    }

    private func sourceStage(
        _ node: Node, of learner: Learner, datasets: [DatasetName], after earlier: [Stage]
    ) throws(SweepFileError) -> String {
        let name = try word(node, what: "best_of")
        guard let source = earlier.first(where: { $0.name == name }) else {
            throw unknown("earlier stage", name, among: earlier.map(\.name), at: node)
        }
        let hasSteps = source.strategies.contains { axis in
            if case .learned(learner, .fixed) = axis { true } else { false }
        }
        guard hasSteps else {
            throw error(
                "stage '\(name)' tries no gradient steps of \(learner.rawValue) to choose from",
                at: node,
                hint: "give it a strategy such as \(learner.rawValue): {gradient_steps: [100, 200]}"
            )
        }
        guard !source.seeds.isTime else {
            throw error(
                "stage '\(name)' has time seeds; choose from one with fixed seeds", at: node)
        }
        for dataset in datasets where !source.datasets.contains(dataset) {
            throw error(
                "stage '\(name)' does not run '\(dataset.rawValue)', so it has no best step for it",
                at: node, hint: "add '\(dataset.rawValue)' to the datasets of '\(name)'")
        }
        return name
    }

    private func checkDistinct(
        _ axis: StrategyAxis, from earlier: [StrategyAxis], at node: Node
    ) throws(SweepFileError) {
        for other in earlier {
            switch (axis, other) {
            case (.plain(let strategy), .plain(let other)) where strategy == other:
                throw error(
                    "'\(strategy.name)' is listed twice: its trials would be the same", at: node)
            case (
                .learned(let learner, .fixed(let steps)),
                .learned(let otherLearner, .fixed(let others))
            ) where learner == otherLearner:
                for count in steps where others.contains(count) {
                    throw error(
                        "\(learner.rawValue) with \(count) gradient steps is listed twice: its "
                            + "trials would be the same", at: node)
                }
            case (.learned(let learner, _), .learned(let other, _)) where learner == other:
                throw error(
                    "a stage takes its gradient steps from a list or from an earlier stage, not both",
                    at: node)
            case (.learned(let learner, .bestOf), .learned(let other, .bestOf)):
                throw error(
                    "a stage takes the best gradient steps of one strategy, not of both "
                        + "\(other.rawValue) and \(learner.rawValue)", at: node,
                    hint: "move \(learner.rawValue) to a stage of its own")
            default: break
            }
        }
    }
}
