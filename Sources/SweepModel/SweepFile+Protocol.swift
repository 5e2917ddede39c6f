import Yams

extension StudyProtocol {
    /// The protocols that a sweep file can name.
    public static let presets: [(name: String, studyProtocol: StudyProtocol)] = [
        ("paper", .paper), ("laptop", .laptop), ("quick", .quick),
    ]

    /// The study's own settings: its pool goes through the train transform.
    public static var paper: StudyProtocol {
        var studyProtocol = StudyProtocol()
        studyProtocol.poolTransform = .train
        return studyProtocol
    }

    /// The study in about fifty minutes on two Zen 4 cores: a quarter of its width, a fifth of its
    /// pool and its labels, a tenth of its epochs.
    public static var laptop: StudyProtocol {
        var studyProtocol = paper
        studyProtocol.width = 16
        studyProtocol.epochs = 20
        studyProtocol.batchSize = 64
        studyProtocol.learningRate = 0.05
        studyProtocol.milestones = [16]
        studyProtocol.initial = 200
        studyProtocol.addendum = 200
        studyProtocol.poolLimit = 10_000
        return studyProtocol
    }

    /// The study in a minute or two: three short cycles, a small pool, a fifth of the test images.
    public static var quick: StudyProtocol {
        var studyProtocol = StudyProtocol()
        studyProtocol.width = 8
        studyProtocol.epochs = 12
        studyProtocol.batchSize = 32
        studyProtocol.learningRate = 0.05
        studyProtocol.milestones = [9]
        studyProtocol.cycles = 3
        studyProtocol.initial = 200
        studyProtocol.addendum = 200
        studyProtocol.poolLimit = 3_000
        studyProtocol.testLimit = 2_000
        return studyProtocol
    }
}

extension SweepFile {
    /// A preset's name, or a mapping of settings that differ from the defaults or from a `preset`.
    ///
    /// - Returns: the protocol, and whether its precision is still to be chosen.
    func studyProtocol(
        _ node: Node
    ) throws(SweepFileError) -> (StudyProtocol, isPrecisionAutomatic: Bool) {
        guard node.mapping != nil else {
            return (try preset(node), false)
        }
        let fields = try YAMLMapping(
            node, what: "the protocol",
            keys: ["preset"] + StudyProtocol.CodingKeys.allCases.map(\.rawValue), file: self)
        var studyProtocol = try fields["preset"].map(preset) ?? StudyProtocol()
        try readTraining(fields, into: &studyProtocol)
        try readSelection(fields, into: &studyProtocol)
        // Before the pair is made, which would hold the protocol as it was.
        let isPrecisionAutomatic = try readEngine(fields, into: &studyProtocol)
        return (studyProtocol, isPrecisionAutomatic)
    }

    private func preset(_ node: Node) throws(SweepFileError) -> StudyProtocol {
        let name = try word(node, what: "the protocol")
        guard let preset = StudyProtocol.presets.first(where: { $0.name == name }) else {
            throw unknown(
                "protocol", name, among: StudyProtocol.presets.map(\.name), at: node)
        }
        return preset.studyProtocol
    }

    /// A cycle's report names every pick, and must fit into a message.
    private static let maximumAddendum = 20_000

    private func readTraining(
        _ fields: YAMLMapping, into studyProtocol: inout StudyProtocol
    ) throws(SweepFileError) {
        try set(&studyProtocol.epochs, fields["epochs"], "epochs", in: 1...100_000)
        try set(&studyProtocol.batchSize, fields["batch_size"], "batch_size", in: 1...4_096)
        try set(&studyProtocol.cycles, fields["cycles"], "cycles", in: 1...10_000)
        try set(&studyProtocol.width, fields["width"], "width", in: 1...512)
        try set(&studyProtocol.learningRate, fields["learning_rate"], "learning_rate", in: 0...100)
        try set(&studyProtocol.gamma, fields["gamma"], "gamma", in: 0...1)
        try set(&studyProtocol.momentum, fields["momentum"], "momentum", in: 0...1)
        try set(&studyProtocol.weightDecay, fields["weight_decay"], "weight_decay", in: 0...1)
        guard let milestones = fields["milestones"] else { return }
        studyProtocol.milestones = []
        for item in try sequence(milestones, what: "milestones", isEmptyAllowed: true) {
            let epoch = try integer(item, what: "a milestone", in: 1...100_000)
            guard epoch > studyProtocol.milestones.last ?? 0 else {
                throw error("milestones must rise; \(epoch) does not", at: item)
            }
            studyProtocol.milestones.append(epoch)
        }
    }

    private func readSelection(
        _ fields: YAMLMapping, into studyProtocol: inout StudyProtocol
    ) throws(SweepFileError) {
        for (path, key) in [
            (\StudyProtocol.initial, "initial"), (\.addendum, "addendum"),
            (\.poolLimit, "pool_limit"), (\.testLimit, "test_limit"),
        ] {
            guard let node = fields[key] else { continue }
            let limit = key == "addendum" ? Self.maximumAddendum : 10_000_000
            studyProtocol[keyPath: path] = try integer(node, what: key, in: 1...limit)
        }
        if let node = fields["reset"] {
            guard let isReset = node.bool else {
                throw error("reset is '\(node.text)'; it is true or false", at: node)
            }
            studyProtocol.reset = isReset
        }
        if let node = fields["pool_transform"] {
            studyProtocol.poolTransform = try choice(
                node, of: PoolTransform.self, what: "transform")
        }
    }

    /// - Returns: whether the precision is still to be chosen.
    private func readEngine(
        _ fields: YAMLMapping, into studyProtocol: inout StudyProtocol
    ) throws(SweepFileError) -> Bool {
        if let node = fields["engine"] {
            studyProtocol.engine = try choice(node, of: EngineName.self, what: "engine")
        }
        guard let node = fields["precision"] else { return false }
        let name = try word(node, what: "a precision")
        guard let setting = PrecisionSetting(rawValue: name) else {
            throw unknown("precision", name, among: PrecisionSetting.allNames, at: node)
        }
        guard case .fixed(let precision) = setting else { return true }
        guard studyProtocol.engine.offers(precision) else {
            throw error(
                "engine '\(studyProtocol.engine.rawValue)' does not compute in \(precision.rawValue)",
                at: node,
                hint: "write precision: float32, or engine: \(EngineName.offering(precision))")
        }
        studyProtocol.precision = precision
        return false
    }

    /// The labels that all cycles need must be in the pool.
    func checkCounts(
        of dataset: DatasetName, _ studyProtocol: StudyProtocol, at node: Node
    ) throws(SweepFileError) {
        let trial = TrialConfiguration(
            dataset: dataset, strategy: .random, seed: 0, studyProtocol: studyProtocol)
        let needed = trial.initialCount + (studyProtocol.cycles - 1) * trial.addendumCount
        guard needed <= trial.poolCount else {
            throw error(
                "\(studyProtocol.cycles) cycles of '\(dataset.rawValue)' need \(needed) labels, but "
                    + "its pool has \(trial.poolCount) images", at: node,
                hint: "lower cycles, initial or addendum, or raise pool_limit")
        }
        if let limit = studyProtocol.testLimit, limit > dataset.fullTestCount {
            throw error(
                "test_limit is \(limit), but '\(dataset.rawValue)' has \(dataset.fullTestCount) test "
                    + "images", at: node)
        }
        if let limit = studyProtocol.poolLimit, limit > dataset.fullPoolCount {
            throw error(
                "pool_limit is \(limit), but the pool of '\(dataset.rawValue)' has "
                    + "\(dataset.fullPoolCount) images", at: node)
        }
    }

    private func set(
        _ value: inout Int, _ node: Node?, _ what: String, in range: ClosedRange<Int>
    ) throws(SweepFileError) {
        if let node { value = try integer(node, what: what, in: range) }
    }

    private func set(
        _ value: inout Double, _ node: Node?, _ what: String, in range: ClosedRange<Double>
    ) throws(SweepFileError) {
        if let node { value = try number(node, what: what, in: range) }
    }
}
