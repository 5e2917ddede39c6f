/// Two strategies compared over runs that share their seed.
public struct PairedComparison: Hashable, Sendable {
    /// First minus second, pair by pair; exact, so that ties are ties.
    public let differences: [Ratio]
    public let statistics: SampleStatistics

    /// - Parameter differences: nil is returned if there are none.
    public init?(differences: [Ratio]) {
        guard let statistics = SampleStatistics(differences) else { return nil }
        self.differences = differences
        self.statistics = statistics
    }

    /// t of the paired test; infinite if all differences are the same and not 0, and nil of a
    /// single pair or if all are 0.
    public var t: Double? {
        guard let error = statistics.standardError else { return nil }
        let mean = statistics.mean.double
        if error == 0 { return mean == 0 ? nil : mean > 0 ? .infinity : -.infinity }
        return mean / error
    }

    /// Two-sided p of the paired t-test.
    public var tProbability: Double? {
        t.map { StudentT(degreesOfFreedom: differences.count - 1).twoSidedProbability($0) }
    }

    /// Why no Wilcoxon test is shown; nil if one is.
    public var wilcoxonObstacle: String? {
        let count = nonzeroCount
        guard count <= Self.mostWilcoxonPairs else {
            return "over more than \(Self.mostWilcoxonPairs) pairs the exact one is not computed"
        }
        guard count < Self.fewestWilcoxonPairs else { return nil }
        let smallest = decimals(Ratio(2, Int128(1) << Int128(max(count, 1))), 4)
        return count == 0
            ? "all differences are 0"
            : "over \(count) differing \(count == 1 ? "pair" : "pairs") its p is never below "
                + "\(smallest)"
    }

    /// With fewer pairs no outcome has a two-sided p below 0.05.
    public static let fewestWilcoxonPairs = 6

    /// Its work grows with the cube of the pairs; over so many t is as good as exact.
    public static let mostWilcoxonPairs = 100

    /// Two-sided p of Wilcoxon's signed-rank test, exact given the sizes of the differences:
    /// differences of 0 are left out, equal ones share their mean rank, and every assignment of
    /// signs is as likely as every other. 1 if all are 0.
    ///
    /// nil of more differing pairs than `mostWilcoxonPairs`.
    public var wilcoxonProbability: Double? {
        guard nonzeroCount <= Self.mostWilcoxonPairs else { return nil }
        let doubledRanks = Self.doubledRanks(differences.filter { $0.numerator != 0 })
        let total = doubledRanks.reduce(0) { $0 + $1.rank }
        let positive = doubledRanks.reduce(0) { $0 + ($1.isPositive ? $1.rank : 0) }
        let extreme = min(positive, total - positive)
        // The probability of every sum of positive ranks, one rank after the other; halving at each
        // rank keeps it a probability, where counts would overflow.
        var probabilities = [Double](repeating: 0, count: total + 1)
        probabilities[0] = 1
        var reached = 0
        for (rank, _) in doubledRanks {
            reached += rank
            for sum in stride(from: reached, through: 0, by: -1) {
                let raised = sum >= rank ? probabilities[sum - rank] : 0
                probabilities[sum] = (probabilities[sum] + raised) / 2
            }
        }
        return min(1, 2 * probabilities[0...extreme].reduce(0, +))
    }

    private var nonzeroCount: Int { differences.count { $0.numerator != 0 } }

    /// Twice the ranks of the differences by size, an integer even where equals share a mean rank.
    private static func doubledRanks(_ differences: [Ratio]) -> [(rank: Int, isPositive: Bool)] {
        let (numerators, _) = Ratio.overCommonDenominator(differences)
        let sorted = numerators.sorted { $0.magnitude < $1.magnitude }
        var ranks: [(rank: Int, isPositive: Bool)] = []
        for equals in sorted.chunked({ $0.magnitude == $1.magnitude }) {
            let doubled = 2 * ranks.count + equals.count + 1
            ranks += equals.map { (doubled, $0 > 0) }
        }
        return ranks
    }
}

/// Probabilities of several tests, adjusted so that the chance of one false finding among them
/// stays below the level (Holm 1979).
func holmAdjusted(_ probabilities: [Double]) -> [Double] {
    let order = probabilities.indices.sorted { (probabilities[$0], $0) < (probabilities[$1], $1) }
    var adjusted = probabilities
    var largest = 0.0
    for (rank, index) in order.enumerated() {
        largest = max(largest, min(1, probabilities[index] * Double(order.count - rank)))
        adjusted[index] = largest
    }
    return adjusted
}
