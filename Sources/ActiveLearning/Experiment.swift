import Classifier
import Datasets
import SweepModel

/// One trial: cycles of training on the labelled images, evaluating on the test images, and buying
/// more labels.
public struct Experiment {
    /// Creates what executes a network, with its first state: `OneDNNEngine.init`, say.
    public typealias MakeEngine =
        (ResNet18, NetworkState) throws(ClassifierError) -> any ClassifierEngine

    public let configuration: TrialConfiguration
    public let pool: ImageSet
    public let test: ImageSet

    let makeEngine: MakeEngine
    let store: ClassifierStore?

    /// - Parameters:
    ///   - pool: the configuration's `poolCount` images.
    ///   - test: the configuration's `testCount` images.
    ///   - store: where classifiers are taken from and kept for other trials; nil for nowhere. No
    ///     result depends on it.
    ///   - makeEngine: called once per run.
    public init(
        configuration: TrialConfiguration, pool: ImageSet, test: ImageSet,
        store: ClassifierStore? = nil, makeEngine: @escaping MakeEngine
    ) throws(ExperimentError) {
        try configuration.check()
        for (images, part, count) in [
            (pool, "pool", configuration.poolCount), (test, "test", configuration.testCount),
        ] where images.name != configuration.dataset || images.count != count {
            throw .wrongImages(
                expected: "\(count) \(part) images of \(configuration.dataset.title)",
                found: "\(images.count) of \(images.name.title)")
        }
        self.configuration = configuration
        self.pool = pool
        self.test = test
        self.store = store
        self.makeEngine = makeEngine
    }

    /// The network's shape.
    public var network: ResNet18 {
        ResNet18(width: configuration.studyProtocol.width, classes: pool.classCount)
    }

    /// Runs the cycles that are left.
    ///
    /// - Parameter checkpoint: where an earlier run of the same configuration stood, so that the
    ///   results are bit for bit those of a run without interruption; nil starts anew.
    /// - Returns: the state after the last cycle, with every cycle's result.
    public func run(
        from checkpoint: ExperimentCheckpoint? = nil,
        observer: ExperimentObserver = ExperimentObserver()
    ) throws(ExperimentError) -> ExperimentCheckpoint {
        if let checkpoint {
            precondition(
                checkpoint.configuration == configuration,
                "a checkpoint of another configuration is refused when it is loaded")
        }
        let cycleCount = configuration.studyProtocol.cycles
        if let checkpoint, checkpoint.results.count == cycleCount { return checkpoint }

        var run = try ExperimentRun(
            experiment: self, engine: try engine(from: checkpoint), observer: observer,
            checkpoint: checkpoint)
        while true {
            let result = try run.runCycle()
            let checkpoint = try run.checkpoint()
            observer.onCycle(result, checkpoint)
            if result.cycle == cycleCount { return checkpoint }
        }
    }

    private func engine(
        from checkpoint: ExperimentCheckpoint?
    ) throws(ExperimentError) -> any ClassifierEngine {
        do {
            return try makeEngine(network, checkpoint?.network ?? initialNetwork(cycle: 1))
        } catch {
            throw .classifier(error)
        }
    }

    /// A new network, whose parameters depend on the seed and the cycle alone.
    func initialNetwork(cycle: Int) -> NetworkState {
        var stream = RandomStream(
            seed: configuration.seed, purpose: .initialisation, cycle: cycle)
        return network.initialState { stream.uniform() }
    }
}

extension TrialConfiguration {
    /// Throws on the first setting that no experiment can have.
    func check() throws(ExperimentError) {
        let study = studyProtocol
        let positives = [
            ("pool_limit", poolCount), ("test_limit", testCount), ("initial", initialCount),
            ("addendum", addendumCount), ("epochs", study.epochs), ("cycles", study.cycles),
            ("batch_size", study.batchSize), ("width", study.width),
        ]
        for (name, value) in positives where value < 1 {
            throw .invalidSetting(name: name, value: "\(value)", requirement: "at least 1")
        }
        guard initialCount <= poolCount else {
            throw .invalidSetting(
                name: "initial", value: "\(initialCount)",
                requirement: "at most the pool's \(poolCount) images")
        }
        if let gradientSteps = strategy.gradientSteps, gradientSteps < 0 {
            throw .invalidSetting(
                name: "gradient_steps", value: "\(gradientSteps)", requirement: "at least 0")
        }
        let rates = [
            ("learning_rate", study.learningRate), ("gamma", study.gamma),
            ("momentum", study.momentum), ("weight_decay", study.weightDecay),
        ]
        for (name, value) in rates where !(value.isFinite && value >= 0) {
            throw .invalidSetting(
                name: name, value: "\(value)", requirement: "a finite number of at least 0")
        }
    }
}
