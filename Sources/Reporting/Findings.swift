import SweepModel

/// Methods that get a sentence each; more share one.
private let maximumSentences = 3

extension Report {
    /// What the results say, a sentence each with the numbers behind it; by dataset.
    var findings: [(title: String, sentences: [String])] {
        results.map { results in
            let sentences =
                choiceFindings(results) + journaledChoiceSentences(results)
                + randomFindings(results) + meanFindings(results)
                + pairedFindings(results) + comparisonFindings(results)
            return (results.title, sentences)
        }.filter { !$0.sentences.isEmpty }
    }

    /// Which step is best, and how surely.
    private func choiceFindings(_ results: DatasetResults) -> [String] {
        results.choices.map { choice in
            guard let wins = choice.wins, let criteria = choice.criteria else {
                let trials = choice.trials.flatMap { $0 }
                let missing = trials.count { !$0.isComplete }
                return "No gradient step of \(choice.strategyName) can be chosen at "
                    + "\(choice.seedWords) yet, as \(counted(missing, "trial")) of "
                    + "\(trials.count) \(missing == 1 ? "is" : "are") incomplete."
            }
            let most = counted(wins.wins.map(\.count).max() ?? 0, "win")
            let others = [
                ("area under the curve", criteria.bestByArea),
                ("mean rank", criteria.bestByMeanRank),
                ("final accuracy", criteria.bestByFinalAccuracy),
            ]
            let opposed = others.filter { $0.1 != wins.best }
                .map { "\($0.1) by \($0.0)" }
            let tie =
                wins.tied.count > 1
                ? "the smallest of \(wins.tied.count) settings that tie with \(most) each"
                : "with \(most)"
            let certainty =
                opposed.isEmpty
                ? wins.tied.count > 1
                    ? " Area, mean rank and final accuracy choose it too."
                    : " Every other criterion agrees."
                : " That is not sure: it would be \(joined(opposed))."
            return "\(wins.best) gradient steps is the choice for \(choice.strategyName) at "
                + "\(choice.seedWords), \(tie).\(certainty)"
        }
    }

    /// From which cycle on a method beats random, and where it does not.
    private func randomFindings(_ results: DatasetResults) -> [String] {
        let rows = results.fixedSeedResults
        guard rows.count == 1, let random = rows[0].random, random.isComplete,
            let randomArea = random.area
        else { return [] }
        let others = rows[0].trials.filter { $0.id != random.id && $0.isComplete }
        let chosen = results.choices.filter { !$0.isTimeSeeded }
            .compactMap { $0.best.flatMap(rows[0].trial) }
        let plain = others.filter { $0.configuration.strategy.gradientSteps == nil }
        var findings = (chosen + plain).flatMap { curveFindings($0, over: random) }
        let above = others.filter { ($0.area ?? randomArea) > randomArea }
        guard !others.isEmpty else { return findings }
        let area = decimals(randomArea, 3)
        findings.append(
            above.isEmpty
                ? "The area under random's curve, \(area), is not exceeded by any method."
                : "\(above.count) of \(counted(others.count, "method")) have a larger area under "
                    + "the curve than random's \(area).")
        return findings
    }

    private func curveFindings(_ trial: TrialRecord, over random: TrialRecord) -> [String] {
        let title = trial.configuration.strategy.title
        guard let last = trial.finalAccuracy, let randomLast = random.finalAccuracy,
            let area = trial.area, let randomArea = random.area
        else { return [] }
        let end = "\(decimals(last, 2)) % against \(decimals(randomLast, 2)) %"
        var findings: [String] = []
        if let first = trial.firstCycleAhead(of: random),
            let labels = trial.result(inCycle: first)?.labelled
        {
            findings.append(
                "\(title) is above random from cycle \(first) (\(grouped(labels)) labels) on and "
                    + "ends \(decimals(last - randomLast, 2)) points above it, at \(end).")
        } else {
            findings.append("\(title) does not end above random: \(end).")
        }
        let behind = (1...trial.cycles.count).compactMap { cycle in
            trial.points(over: random, inCycle: cycle).map { (cycle: cycle, points: $0) }
        }.filter { $0.points.numerator < 0 }
        if let worst = behind.min(by: { $0.points < $1.points }) {
            let cycles = joined(behind.map { "\($0.cycle)" })
            findings.append(
                "\(title) is below random in \(behind.count == 1 ? "cycle" : "cycles") \(cycles), "
                    + "by \(decimals(worst.points.magnitude, 2)) points "
                    + "\(behind.count == 1 ? "there" : "at worst (cycle \(worst.cycle))").")
        }
        let difference = area - randomArea
        findings.append(
            "Over the whole curve \(title) is \(decimals(difference.magnitude, 3)) points "
                + "\(difference.numerator < 0 ? "below" : "above") random (area "
                + "\(decimals(area, 3)) against \(decimals(randomArea, 3))).")
        return findings
    }

    private func meanFindings(_ results: DatasetResults) -> [String] {
        [true, false].flatMap { isTimeSeeded -> [String] in
            let kind = isTimeSeeded ? "time seeds" : "fixed seeds"
            let groups = results.seedGroups.filter { $0.isTimeSeeded == isTimeSeeded }
            let incomplete = groups.filter { !$0.isComplete }.map { group in
                let names = group.missingTrials.prefix(maximumSentences).map { trial in
                    "\(singleLine(trial.id.rawValue)) (\(trial.incompleteness ?? ""))"
                }
                let more = group.missingTrials.count - names.count
                return "Only \(group.fraction) runs of \(group.strategy.title) over \(kind) are "
                    + "complete, so that there is no mean of all yet; missing: "
                    + "\(names.joined(separator: ", "))\(more > 0 ? " and \(more) more" : "")."
            }
            let ends = groups.filter(\.isComplete).compactMap { group in
                SampleStatistics(group.completeTrials.compactMap(\.finalAccuracy))
                    .map { (group: group, statistics: $0) }
            }.sorted { $0.statistics.mean > $1.statistics.mean }
            guard ends.count > maximumSentences else {
                return ends.map { end in
                    "\(end.group.strategy.title) ends at \(interval(end.statistics)), over "
                        + "\(counted(end.statistics.count, "run")) with \(kind)."
                } + incomplete
            }
            let list = ends.map { end in
                let deviation = end.statistics.standardDeviation
                return "\(end.group.strategy.title) at \(decimals(end.statistics.mean, 3)) %"
                    + (deviation.map { " ± \(decimals($0, 3))" } ?? "")
            }
            let sentences = [
                "The means over \(kind) (± sd) end, from the highest to the lowest, with "
                    + "\(joined(list))."
            ]
            return sentences + incomplete
        }
    }

    /// The mean with its spread, as a sentence says it.
    private func interval(_ statistics: SampleStatistics) -> String {
        let mean = "\(decimals(statistics.mean, 3)) %"
        guard let deviation = statistics.standardDeviation, let interval = statistics.interval95
        else { return mean }
        return "\(mean) ± \(decimals(deviation, 3)) (95 % interval of the mean "
            + "\(decimals(interval.lowerBound, 3)) to \(decimals(interval.upperBound, 3)))"
    }

    /// From which cycle on the mean over paired seeds is above random, and how surely.
    private func pairedFindings(_ results: DatasetResults) -> [String] {
        let cycles = results.studyProtocol.cycles
        return [true, false].flatMap { isTimeSeeded -> [String] in
            let rows = results.pointsOverRandom(timeSeeded: isTimeSeeded)
                .filter { $0.pairs.count > 1 && $0.pairs.count == $0.expected }
            return rows.compactMap { pairedFinding($0, cycles: cycles) }
        }
    }

    private func pairedFinding(_ row: PointsOverRandom, cycles: Int) -> String? {
        guard let end = row.points(inCycle: cycles), let half = end.halfWidth95 else { return nil }
        let points = (1...cycles).map { row.points(inCycle: $0) }
        let ahead = firstOfTail(points) { $0.mean.numerator > 0 }
        let sure = firstOfTail(points) { ($0.interval95?.lowerBound ?? 0) > 0 }
        let title = row.strategy.title
        let size = "\(decimals(end.mean, 3)) ± \(decimals(half, 3)) points"
        let paired = "over \(row.pairs.count) paired seeds"
        guard let ahead else { return "\(title) does not end above random \(paired): \(size)." }
        let surely =
            sure == ahead
            ? ", by more than the 95 % interval"
            : sure.map { ", from cycle \($0) on by more than the 95 % interval" }
                ?? ", though by no more than the 95 % interval"
        return
            "\(title) is above random from cycle \(ahead) on \(paired)\(surely); it ends \(size) "
            + "above."
    }

    /// The first cycle, counted from 1, from which on a condition always holds.
    private func firstOfTail(
        _ points: [SampleStatistics?], where condition: (SampleStatistics) -> Bool
    ) -> Int? {
        let tail = points.reversed().prefix { $0.map(condition) ?? false }.count
        return tail == 0 ? nil : points.count - tail + 1
    }

    private func comparisonFindings(_ results: DatasetResults) -> [String] {
        [true, false].flatMap { isTimeSeeded -> [String] in
            let comparisons = results.comparisons(timeSeeded: isTimeSeeded)
            guard !comparisons.isEmpty else { return [] }
            let significant = comparisons.filter { ($0.adjustedProbability ?? 1) < 0.05 }
            let names = significant.prefix(maximumSentences).map { entry in
                let mean = entry.comparison.statistics.mean
                let (better, worse) =
                    mean.numerator > 0 ? (entry.first, entry.second) : (entry.second, entry.first)
                return "\(better.title) over \(worse.title) by "
                    + "\(decimals(mean.magnitude, 3)) points of "
                    + "\(entry.measure.rawValue) (p \(probability(entry.adjustedProbability ?? 1)))"
            }
            let more = significant.count - names.count
            let list = names.isEmpty ? "" : ": " + names.joined(separator: "; ")
            return [
                "\(significant.count) of \(counted(comparisons.count, "paired comparison")) over "
                    + "\(isTimeSeeded ? "time seeds" : "fixed seeds") "
                    + "\(significant.count == 1 ? "is" : "are") significant at 5 % after Holm's "
                    + "adjustment\(list)\(more > 0 ? "; and \(more) more" : "")."
            ]
        }
    }

    /// Words as a sentence lists them: `a, b and c`.
    func joined(_ words: [String]) -> String {
        guard words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " and " + words[words.count - 1]
    }
}
