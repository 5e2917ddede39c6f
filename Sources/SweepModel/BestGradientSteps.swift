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

/// A complete run of one setting of gradient steps at one seed.
public struct SettingRun: Sendable {
    public var gradientSteps: Int
    /// By cycle, from cycle 1 on.
    public var results: [CycleResult]

    public init(gradientSteps: Int, results: [CycleResult]) {
        self.gradientSteps = gradientSteps
        self.results = results
    }

    /// The first cycles in which all runs of a seed have the same network.
    static func sharedCycles(_ runs: [SettingRun]) -> Int {
        runs.dropFirst().map { run in
            zip(run.results, runs[0].results).prefix { $0.isSameState(as: $1) }.count
        }.min() ?? 0
    }
}

/// What makes a setting of gradient steps the best one. Ties go to the smallest setting with each.
public enum ChoiceCriterion: String, Codable, CaseIterable, Hashable, Sendable {
    /// Most cycles in which no other setting is better, as the study has it.
    case wins
    /// The largest area under the learning curve.
    case area = "aulc"
    /// The most correct images in the last cycle.
    case finalAccuracy = "final"
    /// The lowest mean rank over the cycles.
    case meanRank = "mean_rank"
}

/// The setting that a criterion chooses.
public struct SettingChoice: Hashable, Sendable {
    /// The smallest of the best.
    public let best: Int
    /// All that are best, smallest first; more than one is a tie.
    public let tied: [Int]

    /// - Parameter seeds: at least one, each with a run per setting; all runs have the same number of
    ///   cycles.
    public init(_ seeds: [[SettingRun]], by criterion: ChoiceCriterion) {
        let criteria = GradientStepCriteria(
            seeds.map { runs in
                runs.map {
                    LearningCurve(
                        gradientSteps: $0.gradientSteps, correct: $0.results.map(\.correct))
                }
            })
        tied =
            switch criterion {
            case .wins: GradientStepWins(seeds: seeds).tied
            case .area: criteria.settings(withLeast: criteria.doubledAreas.map(-))
            case .finalAccuracy: criteria.settings(withLeast: criteria.finalCorrect.map(-))
            case .meanRank: criteria.settings(withLeast: criteria.doubledRankSums)
            }
        best = tied[0]
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
    /// The first cycles, which all settings have in common at every seed: they decide nothing and
    /// count no win.
    public var sharedCycles = 0

    /// The wins over the cycles of several seeds, all of whose runs are complete. This is the one
    /// place that decides between settings: a sweep's next stage and every table ask here.
    ///
    /// - Parameter seeds: at least one, each with a run per setting; all runs have the same number of
    ///   cycles.
    public init(seeds: [[SettingRun]]) {
        precondition(!seeds.isEmpty && !seeds[0].isEmpty, "a choice needs at least one run")
        let shared = seeds.map(SettingRun.sharedCycles).min()!
        var curves: [LearningCurve] = []
        for run in seeds.joined() {
            let correct = run.results.dropFirst(shared).map(\.correct)
            if let index = curves.firstIndex(where: { $0.gradientSteps == run.gradientSteps }) {
                curves[index].correct += correct
            } else {
                curves.append(LearningCurve(gradientSteps: run.gradientSteps, correct: correct))
            }
        }
        self.init(curves)
        sharedCycles = shared
    }

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
            && first.sharedCycles == second.sharedCycles
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
    public let gradientSteps: [Int]
    /// Twice the area under each setting's curve, summed over the seeds.
    public let doubledAreas: [Int]
    /// Twice the sum over cycles and seeds of a setting's rank, 1 being the best; equal counts share
    /// the mean of their ranks, which is why the sum is doubled.
    public let doubledRankSums: [Int]
    /// Correct images in the last cycle, summed over the seeds.
    public let finalCorrect: [Int]

    /// - Parameter seeds: at least one, each with a curve per setting; all curves have the same
    ///   number of cycles, which is not 0.
    public init(_ seeds: [[LearningCurve]]) {
        precondition(!seeds.isEmpty && !seeds[0].isEmpty, "a comparison needs at least one curve")
        let seeds = seeds.map { $0.sorted { $0.gradientSteps < $1.gradientSteps } }
        let settings = seeds[0].map(\.gradientSteps)
        let cycleCount = seeds[0][0].correct.count
        precondition(cycleCount > 0, "a comparison needs at least one cycle")
        precondition(
            seeds.allSatisfy { curves in
                curves.map(\.gradientSteps) == settings
                    && curves.allSatisfy { $0.correct.count == cycleCount }
            }, "seeds differ in settings, or curves in length")
        func sums(_ value: ([LearningCurve], LearningCurve) -> Int) -> [Int] {
            settings.indices.map { index in
                seeds.reduce(0) { $0 + value($1, $1[index]) }
            }
        }
        gradientSteps = settings
        doubledAreas = sums { $1.doubledArea }
        doubledRankSums = sums { GradientStepCriteria.doubledRankSum(of: $1, among: $0) }
        finalCorrect = sums { $1.correct[cycleCount - 1] }
    }

    /// The smallest setting with the largest area under its curve.
    public var bestByArea: Int { settings(withLeast: doubledAreas.map(-))[0] }
    /// The smallest setting with the lowest mean rank.
    public var bestByMeanRank: Int { settings(withLeast: doubledRankSums)[0] }
    /// The smallest setting with the most correct images in the last cycle.
    public var bestByFinalAccuracy: Int { settings(withLeast: finalCorrect.map(-))[0] }

    /// The settings whose value is the least, smallest setting first.
    func settings(withLeast values: [Int]) -> [Int] {
        let least = values.min()!
        return zip(gradientSteps, values).filter { $0.1 == least }.map(\.0)
    }

    private static func doubledRankSum(
        of curve: LearningCurve, among curves: [LearningCurve]
    ) -> Int {
        curve.correct.indices.reduce(0) { sum, cycle in
            let better = curves.count { $0.correct[cycle] > curve.correct[cycle] }
            let equal = curves.count { $0.correct[cycle] == curve.correct[cycle] }
            return sum + 2 * better + equal + 1
        }
    }
}
