/// Why a sweep cannot take the place of another one in a run that has begun.
public struct NoExtension: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

extension Sweep {
    /// Checks that a run of `other` can go on as this sweep: it has all trials of `other`, is paired with
    /// the same seeds from the clock, and nothing that was decided would be decided otherwise now.
    ///
    /// - Parameter choices: the gradient steps that the run's stages took.
    public func checkExtension(
        of other: Sweep, choices: [StepsChosen]
    ) throws(NoExtension) {
        guard name == other.name else { throw NoExtension("its name is \(other.name)") }
        guard studyProtocol == other.studyProtocol else {
            throw NoExtension("its protocol is another one")
        }
        for stage in other.stages {
            guard let own = stages.first(where: { $0.name == stage.name }) else {
                throw NoExtension("it has a stage \(stage.name)")
            }
            try own.checkExtension(of: stage)
        }
        guard timeSeedCount <= other.timeSeedCount else {
            throw NoExtension("it has \(other.timeSeedCount) seeds from the clock")
        }
        for choice in choices {
            guard let source = other.stages.first(where: { $0.name == choice.stage })?.source,
                let before = other.stages.first(where: { $0.name == source }),
                let now = stages.first(where: { $0.name == source })
            else { continue }
            guard now.seeds == before.seeds, now.learnedSteps == before.learnedSteps else {
                throw NoExtension(
                    "its stage \(choice.stage) has chosen among the gradient steps of "
                        + "\(source) already")
            }
        }
    }
}

extension Stage {
    fileprivate func checkExtension(of other: Stage) throws(NoExtension) {
        func check(_ holds: Bool, _ what: String) throws(NoExtension) {
            guard holds else { throw NoExtension("its stage \(name) has \(what)") }
        }
        try check(Set(datasets).isSuperset(of: other.datasets), "other datasets")
        switch (seeds, other.seeds) {
        case (.fixed(let seeds), .fixed(let others)):
            try check(Set(seeds).isSuperset(of: others), "other seeds")
        default: try check(seeds == other.seeds, "other seeds")
        }
        try check(plainStrategies.isSuperset(of: other.plainStrategies), "other strategies")
        for (learner, steps) in other.learnedSteps {
            try check(
                learnedSteps[learner]?.isSuperset(of: steps) ?? false,
                "other gradient steps of \(learner.rawValue)")
        }
        try check(
            other.source == nil
                || (source == other.source && criterion == other.criterion
                    && choosingLearner == other.choosingLearner),
            "another choice of gradient steps")
    }

    private var plainStrategies: Set<Strategy> {
        Set(strategies.compactMap { if case .plain(let strategy) = $0 { strategy } else { nil } })
    }

    /// The listed gradient steps of every learner.
    fileprivate var learnedSteps: [Learner: Set<Int>] {
        strategies.reduce(into: [:]) { steps, axis in
            if case .learned(let learner, .fixed(let counts)) = axis {
                steps[learner, default: []].formUnion(counts)
            }
        }
    }
}
