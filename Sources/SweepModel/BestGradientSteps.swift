/// The accuracies of one setting of gradient steps, cycle by cycle.
public struct LearningCurve: Hashable, Sendable {
    public var gradientSteps: Int
    /// Correct test images per cycle, from cycle 1 on.
    public var correct: [Int]

    public init(gradientSteps: Int, correct: [Int]) {
        self.gradientSteps = gradientSteps
        self.correct = correct
    }
}

/// Which setting of gradient steps won how many cycles.
public struct GradientStepWins: Hashable, Sendable {
    /// By gradient steps, smallest first.
    public var wins: [(gradientSteps: Int, count: Int)]
    /// The smallest of those with the most wins.
    public var best: Int
    /// Those with the most wins, smallest first; more than one is a tie.
    public var tied: [Int]

    /// In every cycle each setting that attains the maximum gets a win; most wins; a tie goes to
    /// the smallest setting. Counts are compared, not rounded percentages.
    ///
    /// - Parameter curves: at least one; all with the same number of cycles.
    public init(_ curves: [LearningCurve]) {
        precondition(!curves.isEmpty, "a choice needs at least one curve")
        let cycleCount = curves[0].correct.count
        precondition(
            curves.allSatisfy { $0.correct.count == cycleCount }, "curves differ in length")
        let curves = curves.sorted { $0.gradientSteps < $1.gradientSteps }
        var counts = Array(repeating: 0, count: curves.count)
        for cycle in 0..<cycleCount {
            let maximum = curves.map { $0.correct[cycle] }.max()!
            for (index, curve) in curves.enumerated() where curve.correct[cycle] == maximum {
                counts[index] += 1
            }
        }
        let most = counts.max()!
        wins = zip(curves, counts).map { ($0.gradientSteps, $1) }
        tied = zip(curves, counts).filter { $0.1 == most }.map(\.0.gradientSteps)
        best = tied[0]
    }

    public static func == (first: GradientStepWins, second: GradientStepWins) -> Bool {
        first.best == second.best && first.tied == second.tied
            && first.wins.elementsEqual(second.wins, by: ==)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(best)
        hasher.combine(tied)
    }
}

extension LearningCurve {
    /// Twice the area under the curve by the trapezoid rule with a cycle as the unit, in images.
    /// Doubled so that it stays an integer: areas are compared exactly.
    public var doubledArea: Int {
        guard correct.count > 1 else { return 2 * (correct.first ?? 0) }
        return 2 * correct.reduce(0, +) - correct[0] - correct[correct.count - 1]
    }
}

/// What other criteria than wins say about the settings of gradient steps. They are shown beside
/// the choice, because wins over ten cycles tie easily.
public struct GradientStepCriteria: Hashable, Sendable {
    /// The settings, smallest first.
    public var curves: [LearningCurve]
    /// Twice the sum over cycles of a setting's rank, 1 being the best; equal counts share the mean
    /// of their ranks, which is why the sum is doubled.
    public var doubledRankSums: [Int]
    /// The smallest setting with the largest area under its curve.
    public var bestByArea: Int
    /// The smallest setting with the lowest mean rank.
    public var bestByMeanRank: Int
    /// The smallest setting with the most correct images in the last cycle.
    public var bestByFinalAccuracy: Int

    /// - Parameter curves: at least one; all with the same number of cycles, which is not 0.
    public init(_ curves: [LearningCurve]) {
        precondition(!curves.isEmpty, "a comparison needs at least one curve")
        let cycleCount = curves[0].correct.count
        precondition(cycleCount > 0, "a comparison needs at least one cycle")
        precondition(
            curves.allSatisfy { $0.correct.count == cycleCount }, "curves differ in length")
        let curves = curves.sorted { $0.gradientSteps < $1.gradientSteps }
        let rankSums = curves.map { curve in
            (0..<cycleCount).reduce(0) { sum, cycle in
                let better = curves.count { $0.correct[cycle] > curve.correct[cycle] }
                let equal = curves.count { $0.correct[cycle] == curve.correct[cycle] }
                return sum + 2 * better + equal + 1
            }
        }
        self.curves = curves
        doubledRankSums = rankSums
        let indices = curves.indices
        // `min(by:)` keeps the first of equals, so that a tie goes to the smallest setting.
        let area = indices.min { curves[$0].doubledArea > curves[$1].doubledArea }!
        let rank = indices.min { rankSums[$0] < rankSums[$1] }!
        let final = indices.min { curves[$0].correct.last! > curves[$1].correct.last! }!
        bestByArea = curves[area].gradientSteps
        bestByMeanRank = curves[rank].gradientSteps
        bestByFinalAccuracy = curves[final].gradientSteps
    }
}
