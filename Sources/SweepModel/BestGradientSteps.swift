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
        precondition(curves.allSatisfy { $0.correct.count == cycleCount }, "curves differ in length")
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
