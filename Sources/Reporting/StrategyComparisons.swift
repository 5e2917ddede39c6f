import SweepModel

/// What two strategies are compared by.
public enum ComparisonMeasure: String, CaseIterable, Sendable {
    case area = "area under the curve"
    case finalAccuracy = "final accuracy"

    func value(of trial: TrialRecord) -> Ratio? {
        switch self {
        case .area: trial.area
        case .finalAccuracy: trial.finalAccuracy
        }
    }
}

/// Two strategies compared over the seeds that both have a complete run for.
public struct StrategyComparison: Sendable {
    public let first: Strategy
    public let second: Strategy
    public let measure: ComparisonMeasure
    /// First minus second, in percentage points.
    public let comparison: PairedComparison
    /// p of the paired t-test, adjusted for all comparisons of the table (Holm 1979).
    public let adjustedProbability: Double?
}

extension DatasetResults {
    func compared(timeSeeded: Bool) -> [StrategyComparison] {
        let strategies = strategies(timeSeeded: timeSeeded)
        let rows = seedResults.filter { $0.isTimeSeeded == timeSeeded }
        // By measure, strategy and seed.
        let values = ComparisonMeasure.allCases.map { measure in
            strategies.map { strategy in
                rows.map { $0.trial(strategy).flatMap(measure.value) }
            }
        }
        var found: [(Strategy, Strategy, ComparisonMeasure, PairedComparison)] = []
        for first in strategies.indices {
            for second in strategies.indices where second > first {
                for (measure, values) in zip(ComparisonMeasure.allCases, values) {
                    let differences = zip(values[first], values[second]).compactMap {
                        own, others -> Ratio? in
                        guard let own, let others else { return nil }
                        return own - others
                    }
                    guard differences.count > 1,
                        let comparison = PairedComparison(differences: differences)
                    else { continue }
                    found.append((strategies[first], strategies[second], measure, comparison))
                }
            }
        }
        // A comparison without a t (no difference anywhere) is one that was made.
        let adjusted = holmAdjusted(found.map { $0.3.tProbability ?? 1 })
        return zip(found, adjusted).map { entry, probability in
            StrategyComparison(
                first: entry.0, second: entry.1, measure: entry.2, comparison: entry.3,
                adjustedProbability: entry.3.tProbability == nil ? nil : probability)
        }
    }
}

/// How often each strategy beats each other one (Ash et al. 2020, arXiv:1906.03671, section 4):
/// per dataset, the fraction of the cycles in which a paired t-test at the 95 % level finds the
/// row's strategy above the column's, summed over the datasets.
public struct PenaltyMatrix: Sendable {
    public let studyProtocol: StudyProtocol
    public let isTimeSeeded: Bool
    public let strategies: [Strategy]
    /// `penalties[i][j]`: how often strategy i beats strategy j.
    public let penalties: [[Ratio]]
    /// t-tests made, at 5 % each and not adjusted.
    public let comparisons: Int
    /// Datasets that contribute; no penalty is larger.
    public let datasets: Int
    /// The fewest and the most seeds of a comparison.
    public let seeds: ClosedRange<Int>

    /// The mean penalty of a column: how often a strategy is beaten, lower being better.
    public func meanPenalty(of index: Int) -> Ratio {
        penalties.reduce(Ratio(0)) { $0 + $1[index] } / strategies.count
    }

    /// nil if no two strategies have two seeds in common.
    init?(_ results: [DatasetResults], timeSeeded: Bool) {
        guard let first = results.first else { return nil }
        let strategies = results.reduce(into: [Strategy]()) { all, results in
            for strategy in results.strategies(timeSeeded: timeSeeded)
            where !all.contains(strategy) { all.append(strategy) }
        }
        var tally = PenaltyTally(strategies: strategies)
        for results in results { tally.count(results, timeSeeded: timeSeeded) }
        guard let fewest = tally.seedCounts.min(), let most = tally.seedCounts.max()
        else { return nil }
        studyProtocol = first.studyProtocol
        isTimeSeeded = timeSeeded
        self.strategies = strategies
        penalties = tally.penalties
        comparisons = tally.comparisons
        datasets = tally.datasets
        seeds = fewest...most
    }
}

private struct PenaltyTally {
    let strategies: [Strategy]
    var penalties: [[Ratio]]
    var comparisons = 0
    var datasets = 0
    /// Seeds of each pair of strategies that was compared.
    var seedCounts: [Int] = []

    init(strategies: [Strategy]) {
        self.strategies = strategies
        penalties = Array(
            repeating: Array(repeating: Ratio(0), count: strategies.count),
            count: strategies.count)
    }

    mutating func count(_ results: DatasetResults, timeSeeded: Bool) {
        let rows = results.seedResults.filter { $0.isTimeSeeded == timeSeeded }
        let cycles = results.studyProtocol.cycles
        let before = comparisons
        // Accuracies by strategy, seed and cycle, of complete trials.
        let curves = strategies.map { strategy in
            rows.map { row -> [Ratio]? in
                guard let trial = row.trial(strategy), trial.isComplete, cycles > 0
                else { return nil }
                return (1...cycles).compactMap { trial.accuracy(inCycle: $0) }
            }
        }
        for i in strategies.indices {
            for j in strategies.indices where j > i {
                let pairs = zip(curves[i], curves[j]).compactMap { own, others in
                    own.flatMap { own in others.map { (own: own, others: $0) } }
                }.filter { $0.own.count == cycles && $0.others.count == cycles }
                guard pairs.count > 1 else { continue }
                seedCounts.append(pairs.count)
                comparisons += cycles
                for cycle in 0..<cycles {
                    let differences = pairs.map { $0.own[cycle] - $0.others[cycle] }
                    guard let t = PairedComparison(differences: differences)?.t,
                        abs(t) > StudentT.quantile95(degreesOfFreedom: differences.count - 1)
                    else { continue }
                    let (winner, loser) = t > 0 ? (i, j) : (j, i)
                    penalties[winner][loser] = penalties[winner][loser] + Ratio(1, Int128(cycles))
                }
            }
        }
        if comparisons > before { datasets += 1 }
    }
}
