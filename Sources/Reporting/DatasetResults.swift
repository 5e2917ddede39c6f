import SweepModel

/// The trials of one dataset under one protocol: what may be compared and averaged.
public struct DatasetResults: Sendable {
    public let dataset: DatasetName
    public let studyProtocol: StudyProtocol
    /// The dataset's name, with the settings in which the protocols of the report differ.
    public let title: String
    /// In the order of the sweep.
    public let trials: [TrialRecord]
    /// One per seed: fixed ones in ascending order, then those drawn from the clock.
    public let seedResults: [SeedResults]
    /// One per strategy and kind of seeds, those with time seeds first; a strategy with a single
    /// fixed seed has none.
    public let seedGroups: [SeedGroup]
    private let fixedStrategies: [Strategy]
    private let timeSeededStrategies: [Strategy]
    // What several tables, figures and sentences are made of is computed once.
    private var fixedPoints: [PointsOverRandom] = []
    private var timeSeededPoints: [PointsOverRandom] = []
    private var fixedComparisons: [StrategyComparison] = []
    private var timeSeededComparisons: [StrategyComparison] = []

    init(
        dataset: DatasetName, studyProtocol: StudyProtocol, title: String, trials: [TrialRecord]
    ) {
        self.dataset = dataset
        self.title = title
        self.studyProtocol = studyProtocol
        self.trials = trials
        let byStrategy = DatasetResults.byStrategy(trials)
        let fixed = byStrategy.filter { !$0.isTimeSeeded }
            .chunked { $0.configuration.strategy == $1.configuration.strategy }
        let timeSeeded = byStrategy.filter(\.isTimeSeeded)
            .chunked { $0.configuration.strategy == $1.configuration.strategy }
        fixedStrategies = fixed.map { $0[0].configuration.strategy }
        timeSeededStrategies = timeSeeded.map { $0[0].configuration.strategy }
        seedGroups =
            timeSeeded.map { SeedGroup(trials: $0, isTimeSeeded: true) }
            + fixed.filter { $0.count > 1 }.map { SeedGroup(trials: $0, isTimeSeeded: false) }
        seedResults = [(fixed, false), (timeSeeded, true)].flatMap { members, isTimeSeeded in
            DatasetResults.bySeed(members.flatMap { $0 }).map {
                SeedResults(
                    seed: $0[0].configuration.seed, isTimeSeeded: isTimeSeeded, trials: $0)
            }
        }
        fixedPoints = points(timeSeeded: false)
        timeSeededPoints = points(timeSeeded: true)
        fixedComparisons = compared(timeSeeded: false)
        timeSeededComparisons = compared(timeSeeded: true)
    }

    /// The labels of a cycle counted from 1.
    public func labelled(inCycle cycle: Int) -> Int {
        let configuration = TrialConfiguration(
            dataset: dataset, strategy: .random, seed: 0, studyProtocol: studyProtocol)
        return configuration.labelledCount(inCycle: cycle)
    }

    public var fixedSeedResults: [SeedResults] { seedResults.filter { !$0.isTimeSeeded } }

    /// Strategies in the order of the sweep, those of one name together and by gradient steps.
    public func strategies(timeSeeded: Bool) -> [Strategy] {
        timeSeeded ? timeSeededStrategies : fixedStrategies
    }

    /// The choices of gradient steps: one per kind of seeds and strategy that has several settings,
    /// over all its seeds.
    public var choices: [GradientStepChoice] {
        [false, true].flatMap { isTimeSeeded in
            let rows = seedResults.filter { $0.isTimeSeeded == isTimeSeeded }
            return strategies(timeSeeded: isTimeSeeded).filter { $0.gradientSteps != nil }
                .chunked { $0.name == $1.name }
                .compactMap { GradientStepChoice(among: $0, rows) }
        }
    }

    /// Every strategy against random over the seeds that it shares with random runs.
    public func pointsOverRandom(timeSeeded: Bool) -> [PointsOverRandom] {
        timeSeeded ? timeSeededPoints : fixedPoints
    }

    /// Every pair of strategies that has at least two seeds in common, by every measure.
    public func comparisons(timeSeeded: Bool) -> [StrategyComparison] {
        timeSeeded ? timeSeededComparisons : fixedComparisons
    }

    private func points(timeSeeded: Bool) -> [PointsOverRandom] {
        let rows = seedResults.filter { $0.isTimeSeeded == timeSeeded }
        guard rows.contains(where: { $0.random != nil }) else { return [] }
        return strategies(timeSeeded: timeSeeded).filter { $0 != .random }.map { strategy in
            let trials = rows.map { ($0.trial(strategy), $0.random) }
            let pairs = trials.compactMap { trial, random -> (TrialRecord, TrialRecord)? in
                guard let trial, let random, trial.isComplete, random.isComplete
                else { return nil }
                return (trial, random)
            }
            return PointsOverRandom(
                strategy: strategy, isTimeSeeded: timeSeeded,
                expected: trials.count { $0.0 != nil }, pairs: pairs,
                cycles: studyProtocol.cycles)
        }
    }

    private static func byStrategy(_ trials: [TrialRecord]) -> [TrialRecord] {
        var names: [String] = []
        for trial in trials where !names.contains(trial.configuration.strategy.name) {
            names.append(trial.configuration.strategy.name)
        }
        let keyed = trials.enumerated().map { index, trial in
            let strategy = trial.configuration.strategy
            let name = names.firstIndex(of: strategy.name)!
            return (place: index, key: (name, strategy.gradientSteps ?? 0, index))
        }
        return keyed.sorted { $0.key < $1.key }.map { trials[$0.place] }
    }

    /// By ascending seed; the order within a seed is kept.
    private static func bySeed(_ trials: [TrialRecord]) -> [[TrialRecord]] {
        trials.indices
            .sorted { (trials[$0].configuration.seed, $0) < (trials[$1].configuration.seed, $1) }
            .map { trials[$0] }
            .chunked { $0.configuration.seed == $1.configuration.seed }
    }
}

/// Runs of one strategy that differ in their seed alone.
public struct SeedGroup: Sendable {
    public let trials: [TrialRecord]
    public let isTimeSeeded: Bool
    /// The trials that have a result in every cycle: the only ones that count.
    public let completeTrials: [TrialRecord]
    private let accuracies: [SampleStatistics?]

    init(trials: [TrialRecord], isTimeSeeded: Bool) {
        self.trials = trials
        self.isTimeSeeded = isTimeSeeded
        let complete = trials.filter(\.isComplete)
        completeTrials = complete
        let cycles = trials.first?.configuration.studyProtocol.cycles ?? 0
        accuracies = (0..<cycles).map { index in
            SampleStatistics(
                complete.indices.compactMap { complete[$0].accuracy(inCycle: index + 1) })
        }
    }

    public var strategy: Strategy { trials[0].configuration.strategy }
    public var isComplete: Bool { completeTrials.count == trials.count }
    /// Complete of expected runs: `4/5`.
    public var fraction: String { "\(completeTrials.count)/\(trials.count)" }
    /// The same with a mark if a run that counts has a cycle with two results.
    var markedFraction: String {
        completeTrials.contains { !$0.disputes.isEmpty } ? fraction + disputeMark : fraction
    }
    public var missingTrials: [TrialRecord] { trials.filter { !$0.isComplete } }

    /// Accuracy in percent over the complete trials, which are the same ones in every cycle; nil if
    /// there is none.
    public func accuracy(inCycle cycle: Int) -> SampleStatistics? {
        accuracies.indices.contains(cycle - 1) ? accuracies[cycle - 1] : nil
    }
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
