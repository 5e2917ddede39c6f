import SweepModel

/// Which setting of gradient steps is best, over the seeds that all settings have.
public struct GradientStepChoice: Sendable {
    public let isTimeSeeded: Bool
    public let seeds: [UInt64]
    /// By seed, and for each by gradient steps.
    public let trials: [[TrialRecord]]
    /// Over the cycles of all seeds; nil while a trial is incomplete: a choice over some of the
    /// settings would not be one.
    public let wins: GradientStepWins?
    /// What other criteria say, over all cycles; nil while a trial is incomplete.
    public let criteria: GradientStepCriteria?
    /// nil with a single setting, or where no seed has all of them.
    init?(among settings: [Strategy], _ rows: [SeedResults]) {
        guard settings.count > 1 else { return nil }
        let complete = rows.filter { row in settings.allSatisfy { row.trial($0) != nil } }
        guard let first = complete.first else { return nil }
        isTimeSeeded = first.isTimeSeeded
        seeds = complete.map(\.seed)
        trials = complete.map { row in settings.compactMap(row.trial) }
        let cycles = trials[0][0].configuration.studyProtocol.cycles
        guard cycles > 0, trials.joined().allSatisfy({ $0.isComplete }) else {
            wins = nil
            criteria = nil
            return
        }
        let curves = trials.map { trials in
            trials.map { trial in
                LearningCurve(
                    gradientSteps: trial.configuration.strategy.gradientSteps ?? 0,
                    correct: trial.cycles.map(\.result.correct))
            }
        }
        criteria = GradientStepCriteria(curves)
        wins = GradientStepWins(
            seeds: trials.map { trials in
                trials.map { trial in
                    SettingRun(
                        gradientSteps: trial.configuration.strategy.gradientSteps ?? 0,
                        results: trial.cycles.map(\.result))
                }
            })
    }

    /// The first cycles, which all settings have in common at every seed: they decide nothing and
    /// count no win.
    public var sharedCycles: Int { wins?.sharedCycles ?? 0 }

    public var strategyName: String { trials[0][0].configuration.strategy.name }

    /// The strategy with the chosen setting; nil while there is no choice.
    public var best: Strategy? {
        wins.flatMap { wins in
            trials[0].map(\.configuration.strategy).first { $0.gradientSteps == wins.best }
        }
    }

    /// `seed 0`, `5 time seeds`.
    var seedWords: String {
        guard seeds.count > 1 else { return "seed \(seeds[0])" }
        return "\(seeds.count) \(isTimeSeeded ? "time" : "fixed") seeds"
    }

    /// The choice in a sentence; nil while there is none.
    var verdict: String? {
        guard let wins else { return nil }
        let most = wins.wins.map(\.count).max() ?? 0
        guard wins.tied.count > 1 else {
            return "Choice: \(wins.best) gradient steps, with the most wins (\(most))."
        }
        let tied = wins.tied.map(String.init).joined(separator: ", ")
        return "Choice: \(wins.best) gradient steps, the smallest of the \(wins.tied.count) that "
            + "tie with \(counted(most, "win")) each (\(tied))."
    }

    /// What the other criteria say; nil while there is no choice.
    var otherVerdicts: String? {
        criteria.map {
            "By other criteria: area under the curve \($0.bestByArea), mean rank "
                + "\($0.bestByMeanRank), final accuracy \($0.bestByFinalAccuracy)."
        }
    }
}
