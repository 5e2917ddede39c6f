import SweepModel

extension TrialRecord {
    /// The area under its curve by the trapezoid rule, divided by the cycles it spans: a mean
    /// accuracy in percent, exact. nil while a cycle is missing.
    public var area: Ratio? {
        guard isComplete, let total = cycles.first?.result.total, total > 0,
            cycles.allSatisfy({ $0.result.total == total })
        else { return nil }
        return LearningCurve(gradientSteps: 0, correct: cycles.map(\.result.correct)).area(
            of: total)
    }

    /// In percent, of a trial that is complete.
    public var finalAccuracy: Ratio? {
        isComplete ? accuracy(inCycle: configuration.studyProtocol.cycles) : nil
    }

    /// Percentage points from the cycle before to this one.
    public func gain(inCycle cycle: Int) -> Ratio? {
        guard let before = accuracy(inCycle: cycle - 1), let after = accuracy(inCycle: cycle)
        else { return nil }
        return after - before
    }

    /// Percentage points from the first cycle to the last, of a trial that is complete.
    public var totalGain: Ratio? {
        guard let last = finalAccuracy, let first = accuracy(inCycle: 1) else { return nil }
        return last - first
    }

    /// The labels of the first cycle with at least this accuracy in percent; nil if there is none.
    public func labels(toReach accuracy: Ratio) -> Int? {
        cycles.first { cycle in
            cycle.result.total > 0
                && Ratio(percent: cycle.result.correct, of: cycle.result.total) >= accuracy
        }?.result.labelled
    }

    /// Percentage points over another trial in a cycle.
    public func points(over other: TrialRecord, inCycle cycle: Int) -> Ratio? {
        guard let own = accuracy(inCycle: cycle), let others = other.accuracy(inCycle: cycle)
        else { return nil }
        return own - others
    }

    /// The accuracy as a multiple of another trial's in a cycle.
    public func ratio(to other: TrialRecord, inCycle cycle: Int) -> Ratio? {
        guard let own = accuracy(inCycle: cycle), let others = other.accuracy(inCycle: cycle),
            others.numerator > 0
        else { return nil }
        return Ratio(own.numerator * others.denominator, own.denominator * others.numerator)
    }

    /// The first cycle from which on the accuracy is above another trial's in every cycle; nil if
    /// it is not in the last, or while one of the two is incomplete.
    public func firstCycleAhead(of other: TrialRecord) -> Int? {
        guard isComplete, other.isComplete else { return nil }
        var first: Int?
        for cycle in stride(from: cycles.count, through: 1, by: -1) {
            guard let points = points(over: other, inCycle: cycle), points.numerator > 0
            else { break }
            first = cycle
        }
        return first
    }
}

extension LearningCurve {
    /// The area under the curve by the trapezoid rule, divided by the cycles it spans: a mean
    /// accuracy in percent. Exact.
    ///
    /// - Parameter total: the test images that `correct` counts of.
    public func area(of total: Int) -> Ratio {
        Ratio(100 * Int128(doubledArea), 2 * Int128(max(correct.count - 1, 1)) * Int128(total))
    }
}

/// Trials of one dataset, protocol and seed.
public struct SeedResults: Sendable {
    public let seed: UInt64
    public let isTimeSeeded: Bool
    /// Strategies in the order of the sweep, those of one name together and by gradient steps.
    public let trials: [TrialRecord]

    /// What every other strategy is measured against.
    public var random: TrialRecord? { trials.first { $0.configuration.strategy == .random } }

    public func trial(_ strategy: Strategy) -> TrialRecord? {
        trials.first { $0.configuration.strategy == strategy }
    }

    /// Accuracies in percent that are worth asking the labels for: multiples of 10 that some trial
    /// reaches and not every one has from the start.
    public var levels: [Ratio] {
        (1...10).map { Ratio(Int128(10 * $0)) }.filter { level in
            let isReached = trials.contains { $0.labels(toReach: level) != nil }
            let isGiven = trials.allSatisfy { trial in
                trial.accuracy(inCycle: 1).map { $0 >= level } ?? true
            }
            return isReached && !isGiven
        }
    }
}

/// How a strategy compares with random over runs that share their seeds.
public struct PointsOverRandom: Sendable {
    public let strategy: Strategy
    public let isTimeSeeded: Bool
    /// Runs of the strategy that were asked for.
    public let expected: Int
    /// Pairs of a complete run of the strategy and a complete random run of the same seed.
    public let pairs: [(trial: TrialRecord, random: TrialRecord)]
    private let statistics: [SampleStatistics?]

    init(
        strategy: Strategy, isTimeSeeded: Bool, expected: Int,
        pairs: [(trial: TrialRecord, random: TrialRecord)], cycles: Int
    ) {
        self.strategy = strategy
        self.isTimeSeeded = isTimeSeeded
        self.expected = expected
        self.pairs = pairs
        statistics = (0..<cycles).map { index in
            SampleStatistics(
                pairs.indices.compactMap {
                    pairs[$0].trial.points(over: pairs[$0].random, inCycle: index + 1)
                })
        }
    }

    /// Percentage points by which the strategy is above random; nil without a pair.
    public func points(inCycle cycle: Int) -> SampleStatistics? {
        statistics.indices.contains(cycle - 1) ? statistics[cycle - 1] : nil
    }
}
