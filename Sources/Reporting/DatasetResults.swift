import SweepModel

/// The trials of one dataset under one protocol: what may be compared and averaged.
public struct DatasetResults: Sendable {
    public let dataset: DatasetName
    public let studyProtocol: StudyProtocol
    /// In the order of the sweep.
    public let trials: [TrialRecord]

    /// The fixed seeds in ascending order.
    public var fixedSeeds: [UInt64] {
        let seeds = trials.filter { !$0.isTimeSeeded }.map(\.configuration.seed).sorted()
        return seeds.enumerated().filter { $0 == 0 || seeds[$0 - 1] != $1 }.map(\.element)
    }

    /// The labels of a cycle counted from 1.
    public func labelled(inCycle cycle: Int) -> Int {
        let configuration = TrialConfiguration(
            dataset: dataset, strategy: .random, seed: 0, studyProtocol: studyProtocol)
        return configuration.labelledCount(inCycle: cycle)
    }

    /// The trials at a fixed seed: strategies in the order of the sweep, those of one name together
    /// and by gradient steps.
    public func trials(atSeed seed: UInt64) -> [TrialRecord] {
        byStrategy(trials.filter { !$0.isTimeSeeded && $0.configuration.seed == seed })
    }

    /// One per strategy and kind of seeds, those with time seeds first; a strategy with a single
    /// fixed seed has none.
    public var seedGroups: [SeedGroup] {
        [true, false].flatMap { isTimeSeeded in
            let members = byStrategy(trials.filter { $0.isTimeSeeded == isTimeSeeded })
            return members.chunked { $0.configuration.strategy == $1.configuration.strategy }
                .filter { isTimeSeeded || $0.count > 1 }
                .map { SeedGroup(trials: $0, isTimeSeeded: isTimeSeeded) }
        }
    }

    /// The choices of gradient steps: one per fixed seed and strategy that has several settings.
    public var choices: [GradientStepChoice] {
        fixedSeeds.flatMap { seed in
            trials(atSeed: seed)
                .filter { $0.configuration.strategy.gradientSteps != nil }
                .chunked { $0.configuration.strategy.name == $1.configuration.strategy.name }
                .filter { $0.count > 1 }
                .map { GradientStepChoice(seed: seed, trials: $0) }
        }
    }

    private func byStrategy(_ trials: [TrialRecord]) -> [TrialRecord] {
        var names: [String] = []
        for trial in trials where !names.contains(trial.configuration.strategy.name) {
            names.append(trial.configuration.strategy.name)
        }
        let keyed = trials.enumerated().map { index, trial in
            let strategy = trial.configuration.strategy
            let name = names.firstIndex(of: strategy.name)!
            return (trial, [name, strategy.gradientSteps ?? 0, index])
        }
        return keyed.sorted { $0.1.lexicographicallyPrecedes($1.1) }.map(\.0)
    }
}

/// Runs of one strategy that differ in their seed alone.
public struct SeedGroup: Sendable {
    public let trials: [TrialRecord]
    public let isTimeSeeded: Bool
    /// The trials that have a result in every cycle: the only ones that count.
    public let completeTrials: [TrialRecord]

    init(trials: [TrialRecord], isTimeSeeded: Bool) {
        self.trials = trials
        self.isTimeSeeded = isTimeSeeded
        completeTrials = trials.filter(\.isComplete)
    }

    public var strategy: Strategy { trials[0].configuration.strategy }
    public var isComplete: Bool { completeTrials.count == trials.count }
    /// Complete of expected runs: `4/5`.
    public var fraction: String { "\(completeTrials.count)/\(trials.count)" }
    public var missingTrials: [TrialRecord] { trials.filter { !$0.isComplete } }

    /// Accuracy in percent over the complete trials, which are the same ones in every cycle; nil if
    /// there is none.
    public func accuracy(inCycle cycle: Int) -> SampleStatistics? {
        SampleStatistics(completeTrials.compactMap { $0.accuracy(inCycle: cycle) })
    }
}

/// Which setting of gradient steps is best at a fixed seed.
public struct GradientStepChoice: Sendable {
    public let seed: UInt64
    public let trials: [TrialRecord]
    /// nil while a trial is incomplete: a choice over some of the settings would not be one.
    public let wins: GradientStepWins?
    /// What other criteria say, over all cycles; nil while a trial is incomplete.
    public let criteria: GradientStepCriteria?
    /// The first cycles, which all settings have in common: they decide nothing and count no win.
    public let sharedCycles: Int

    init(seed: UInt64, trials: [TrialRecord]) {
        self.seed = seed
        self.trials = trials
        let cycles = trials[0].configuration.studyProtocol.cycles
        let sharedCycles = trials.dropFirst().map { $0.sharedCycles(with: trials[0]) }.min() ?? 0
        self.sharedCycles = sharedCycles
        guard cycles > 0, trials.allSatisfy(\.isComplete) else {
            wins = nil
            criteria = nil
            return
        }
        let curves = trials.map { trial in
            LearningCurve(
                gradientSteps: trial.configuration.strategy.gradientSteps ?? 0,
                correct: trial.cycles.map(\.result.correct))
        }
        wins = GradientStepWins(
            curves.map { curve in
                LearningCurve(
                    gradientSteps: curve.gradientSteps,
                    correct: Array(curve.correct.dropFirst(sharedCycles)))
            })
        criteria = GradientStepCriteria(curves)
    }

    public var strategyName: String { trials[0].configuration.strategy.name }
}

extension Array {
    /// Splits where neighbours do not belong together.
    func chunked(_ belongTogether: (Element, Element) -> Bool) -> [[Element]] {
        var chunks: [[Element]] = []
        for element in self {
            if let last = chunks.last?.last, belongTogether(last, element) {
                chunks[chunks.count - 1].append(element)
            } else {
                chunks.append([element])
            }
        }
        return chunks
    }
}
