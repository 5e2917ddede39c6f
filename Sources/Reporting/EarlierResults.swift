import SweepModel

/// A strategy's accuracies in this run beside those of earlier results, such as published ones.
public struct EarlierComparison: Sendable {
    /// A cycle that both have with the same number of labels; nil values are missing.
    public struct Cycle: Sendable {
        public var cycle: Int
        public var own: Ratio?
        public var earlier: Ratio?
        /// Whether the one's 95 % interval holds the other's mean: this run's if it has several
        /// runs, else the earlier one's; nil if neither has.
        public var isInside: Bool?

        /// This run's minus the earlier, in percentage points.
        public var difference: Ratio? {
            guard let own, let earlier else { return nil }
            return own - earlier
        }
    }

    public let strategy: Strategy
    /// The seed of single runs; nil of means.
    public let seed: UInt64?
    /// Complete runs of those asked for, here and earlier.
    public let ownRuns: String
    public let earlierRuns: String
    public let cycles: [Cycle]
}

extension DatasetResults {
    /// Runs of a fixed seed that both have, and means of strategies over several seeds.
    public func compared(with earlier: DatasetResults) -> [EarlierComparison] {
        let count = min(studyProtocol.cycles, earlier.studyProtocol.cycles)
        let cycles = stride(from: 1, through: count, by: 1).filter {
            labelled(inCycle: $0) == earlier.labelled(inCycle: $0)
        }
        guard !cycles.isEmpty else { return [] }
        let singles = fixedSeedResults.flatMap { row -> [EarlierComparison] in
            guard let other = earlier.fixedSeedResults.first(where: { $0.seed == row.seed })
            else { return [] }
            return row.trials.compactMap { trial in
                other.trial(trial.configuration.strategy).map {
                    comparison(trial, $0, cycles: cycles)
                }
            }
        }
        let means = seedGroups.compactMap { group -> EarlierComparison? in
            let others = earlier.seedGroups.filter { $0.strategy == group.strategy }
            let sameKind = others.first { $0.isTimeSeeded == group.isTimeSeeded }
            return (sameKind ?? others.first).map { comparison(group, $0, cycles: cycles) }
        }
        return singles + means
    }

    private func comparison(
        _ trial: TrialRecord, _ other: TrialRecord, cycles: [Int]
    ) -> EarlierComparison {
        EarlierComparison(
            strategy: trial.configuration.strategy, seed: trial.configuration.seed,
            ownRuns: trial.isComplete ? "1/1" : "0/1",
            earlierRuns: other.isComplete ? "1/1" : "0/1",
            cycles: cycles.map {
                EarlierComparison.Cycle(
                    cycle: $0, own: trial.accuracy(inCycle: $0),
                    earlier: other.accuracy(inCycle: $0), isInside: nil)
            })
    }

    private func comparison(
        _ group: SeedGroup, _ other: SeedGroup, cycles: [Int]
    ) -> EarlierComparison {
        EarlierComparison(
            strategy: group.strategy, seed: nil, ownRuns: group.fraction,
            earlierRuns: other.fraction,
            cycles: cycles.map { cycle in
                let own = group.accuracy(inCycle: cycle)
                let earlier = other.accuracy(inCycle: cycle)
                var isInside: Bool?
                if let own, let earlier {
                    isInside =
                        own.interval95.map { $0.contains(earlier.mean.double) }
                        ?? earlier.interval95.map { $0.contains(own.mean.double) }
                }
                return EarlierComparison.Cycle(
                    cycle: cycle, own: own?.mean, earlier: earlier?.mean, isInside: isInside)
            })
    }
}

extension Report {
    /// The results of this run with earlier ones of the same dataset, whatever their protocol; one
    /// entry per protocol of the earlier ones.
    var earlierComparisons: [(results: DatasetResults, comparisons: [EarlierComparison])] {
        guard let earlier else { return [] }
        let earlierResults = Report(record: earlier).results
        return results.flatMap { results in
            earlierResults.filter { $0.dataset == results.dataset }
                .map { (results, results.compared(with: $0)) }
                .filter { !$0.1.isEmpty }
        }
    }

    var earlierBlocks: [Block] {
        guard let earlier else { return [] }
        let name = singleLine(earlier.name)
        let compared = earlierComparisons
        var blocks: [Block] = [.heading(level: 2, "Beside \(name)")]
        if compared.isEmpty {
            blocks.append(
                .paragraph(
                    "No run of \(name) has the dataset, strategy and seeds of one of these, "
                        + "with as many labels in a cycle."))
        }
        for (results, comparisons) in compared {
            let singles = comparisons.filter { $0.seed != nil }
            let means = comparisons.filter { $0.seed == nil }
            let title = results.title
            if !singles.isEmpty {
                blocks.append(
                    .table(
                        earlierTable(
                            singles, results, name: name,
                            caption: "\(title), single runs beside \(name): test accuracy in %",
                            places: 2)))
            }
            if !means.isEmpty {
                blocks.append(
                    .table(
                        earlierTable(
                            means, results, name: name,
                            caption: "\(title), means beside \(name): test accuracy in %",
                            places: 3)))
            }
        }
        return blocks
    }

    private func earlierTable(
        _ comparisons: [EarlierComparison], _ results: DatasetResults, name: String,
        caption: String, places: Int
    ) -> Table {
        let all = cycleColumns(results)
        let cycles = comparisons[0].cycles.map(\.cycle)
        var table = Table(
            caption: caption,
            columns: [stubColumn, .init(title: "of", alignment: .leading)]
                + cycles.map { all[$0 - 1] },
            stubCount: 2, rows: [])
        func row(_ stub: [String], _ texts: [String?]) -> [Table.Cell] {
            (stub + texts.map { $0 ?? missingMark }).map { Table.Cell($0) }
        }
        func signed(_ value: Ratio) -> String {
            value.numerator > 0 ? "+" + decimals(value, places) : decimals(value, places)
        }
        for comparison in comparisons {
            let seed = comparison.seed.map { ", seed \($0)" } ?? ""
            let isMean = comparison.seed == nil
            let ownRuns = isMean ? " (\(comparison.ownRuns))" : ""
            let earlierRuns = isMean ? " (\(comparison.earlierRuns))" : ""
            table.rows += [
                row(
                    [comparison.strategy.title + seed, "this run\(ownRuns)"],
                    comparison.cycles.map { $0.own.map { decimals($0, places) } }),
                row(
                    ["", "\(name)\(earlierRuns)"],
                    comparison.cycles.map { $0.earlier.map { decimals($0, places) } }),
                row(["", "difference"], comparison.cycles.map { $0.difference.map(signed) }),
            ]
            guard comparison.cycles.contains(where: { $0.isInside != nil }) else { continue }
            table.rows.append(
                row(
                    ["", "inside 95 %"],
                    comparison.cycles.map { $0.isInside.map { $0 ? "yes" : "no" } }))
        }
        table.notes = [summary(comparisons, places: places)]
        return table
    }

    /// How far the results are apart, in a sentence.
    private func summary(_ comparisons: [EarlierComparison], places: Int) -> String {
        let cells = comparisons.flatMap { comparison in
            comparison.cycles.compactMap { cycle in
                cycle.difference.map { (comparison.strategy.title, cycle.cycle, $0) }
            }
        }
        guard let largest = cells.max(by: { $0.2.magnitude < $1.2.magnitude }),
            let mean = SampleStatistics(cells.map(\.2.magnitude))?.mean
        else { return "Nothing can be compared yet." }
        let inside = comparisons.flatMap { $0.cycles.compactMap(\.isInside) }
        let insideText =
            inside.isEmpty
            ? "A single run has no interval."
            : "\(inside.count { $0 }) of \(counted(inside.count, "mean")) are inside the interval."
        return
            "The mean size of \(counted(cells.count, "difference")) is \(decimals(mean, places)) "
            + "points, the largest is \(decimals(largest.2, places)) (\(largest.0), cycle "
            + "\(largest.1)). \(insideText)"
    }
}
