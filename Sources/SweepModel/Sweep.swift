/// A sweep as its file says it: what to run, before anything is known of what it will find.
public struct Sweep: Hashable, Sendable {
    public var name: String
    public var studyProtocol: StudyProtocol
    /// Whether the file leaves the precision to be chosen where the sweep is submitted; until then
    /// the protocol's is float32.
    public var isPrecisionAutomatic = false
    /// At least one; a later stage may use what an earlier one found.
    public var stages: [Stage]

    public init(name: String, studyProtocol: StudyProtocol, stages: [Stage]) {
        self.name = name
        self.studyProtocol = studyProtocol
        self.stages = stages
    }

    /// The sweep with what a command line, or the choice of a precision, made of its file.
    public func computing(engine: EngineName?, precision: Precision?) -> Sweep {
        var sweep = self
        if let engine { sweep.studyProtocol.engine = engine }
        if let precision {
            sweep.studyProtocol.precision = precision
            sweep.isPrecisionAutomatic = false
        }
        return sweep
    }

    /// The sweep as it was submitted.
    public func submitted(as submission: SweepSubmitted) -> Sweep {
        computing(engine: submission.engine, precision: submission.precision)
    }

    /// Seeds to be drawn from the clock when the sweep is submitted: as many as the stage that
    /// asks for most; stages share them, so that their runs can be paired.
    public var timeSeedCount: Int {
        stages.map(\.timeSeedCount).max() ?? 0
    }

    /// The same sweep with so many more seeds in every stage that has seeds from the clock.
    public func extended(bySeeds count: Int) -> Sweep {
        var sweep = self
        for index in sweep.stages.indices {
            guard case .time(let seeds) = sweep.stages[index].seeds else { continue }
            sweep.stages[index].seeds = .time(count: seeds + count)
        }
        return sweep
    }

    /// What the user wanted last for the trial, or what the file says of its stage.
    public func priority(of trial: TrialHistory) -> Int {
        trial.priority ?? stages.first { $0.name == trial.added.stage }?.priority ?? 0
    }

    /// How many trials the stages list. One that two of them list is counted twice.
    public var listedTrialCount: Int {
        stages.reduce(0) { $0 + $1.trialCountPerDataset * $1.datasets.count }
    }

    /// How many trials there are. Where seeds or gradient steps are still to be known, those that two
    /// stages will turn out to have in common are counted twice.
    public var trialCount: Int {
        // No fixed seed is as large, and no setting of gradient steps is negative.
        let firstSeed = UInt64(UInt32.max) + 1
        let seeds = (0..<UInt64(timeSeedCount)).map { firstSeed + $0 }
        var trials: Set<TrialConfiguration> = []
        for (index, stage) in stages.enumerated() {
            for dataset in stage.datasets {
                trials.formUnion(
                    stage.trials(
                        of: dataset, studyProtocol: studyProtocol, timeSeeds: seeds,
                        bestGradientSteps: -1 - index))
            }
        }
        return trials.count
    }
}

/// A product of datasets, seeds and strategies.
public struct Stage: Hashable, Sendable {
    public var name: String
    public var datasets: [DatasetName]
    public var seeds: SeedAxis
    public var strategies: [StrategyAxis]
    /// Waiting trials of a higher one are started first.
    public var priority: Int

    public static let priorities = -1_000...1_000

    public init(
        name: String, datasets: [DatasetName], seeds: SeedAxis, strategies: [StrategyAxis],
        priority: Int = 0
    ) {
        self.name = name
        self.datasets = datasets
        self.seeds = seeds
        self.strategies = strategies
        self.priority = priority
    }

    /// The seeds that it takes from the clock.
    public var timeSeedCount: Int { if case .time(let count) = seeds { count } else { 0 } }

    /// The stage whose best gradient steps this one uses, if any.
    public var source: String? { choosing?.source }

    /// What makes gradient steps the best ones; nil without a source.
    public var criterion: ChoiceCriterion? { choosing?.criterion }

    /// The learner whose gradient steps this stage takes from its source; nil without a source.
    public var choosingLearner: Learner? { choosing?.learner }

    private var choosing: (learner: Learner, source: String, criterion: ChoiceCriterion)? {
        for case .learned(let learner, .bestOf(let stage, let criterion)) in strategies {
            return (learner, stage, criterion)
        }
        return nil
    }

    /// The trials of one dataset, in the order of the file: strategies within seeds.
    ///
    /// - Parameters:
    ///   - timeSeeds: the sweep's seeds from the clock.
    ///   - bestGradientSteps: what `best_of` stands for; required if the stage has a source.
    public func trials(
        of dataset: DatasetName, studyProtocol: StudyProtocol, timeSeeds: [UInt64],
        bestGradientSteps: Int?
    ) -> [TrialConfiguration] {
        let seeds: [UInt64] =
            switch seeds {
            case .fixed(let seeds): seeds
            case .time(let count): Array(timeSeeds.prefix(count))
            }
        let strategies = strategies.flatMap { axis -> [Strategy] in
            switch axis {
            case .plain(let strategy): return [strategy]
            case .learned(let learner, .fixed(let steps)):
                return steps.map { learner.strategy(gradientSteps: $0) }
            case .learned(let learner, .bestOf):
                precondition(bestGradientSteps != nil, "the best step is chosen before expanding")
                return [learner.strategy(gradientSteps: bestGradientSteps!)]
            }
        }
        return seeds.flatMap { seed in
            strategies.map { strategy in
                TrialConfiguration(
                    dataset: dataset, strategy: strategy, seed: seed, studyProtocol: studyProtocol)
            }
        }
    }

    /// The trials of one dataset, also where the best gradient steps are not known yet.
    public var trialCountPerDataset: Int {
        let seedCount =
            switch seeds {
            case .fixed(let seeds): seeds.count
            case .time(let count): count
            }
        let strategyCount = strategies.reduce(0) { count, axis in
            switch axis {
            case .plain, .learned(_, .bestOf): count + 1
            case .learned(_, .fixed(let steps)): count + steps.count
            }
        }
        return seedCount * strategyCount
    }
}

public enum SeedAxis: Hashable, Sendable {
    case fixed([UInt64])
    /// So many distinct seeds from the clock.
    case time(count: Int)

    public var isTime: Bool { if case .time = self { true } else { false } }
}

public enum StrategyAxis: Hashable, Sendable {
    /// A strategy without settings.
    case plain(Strategy)
    case learned(Learner, GradientStepAxis)
}

public enum GradientStepAxis: Hashable, Sendable {
    case fixed([Int])
    /// The setting that the named stage found best, per dataset.
    case bestOf(stage: String, by: ChoiceCriterion = .wins)
}
