import SweepModel

extension Report {
    /// Mean ± sd by cycle over seeds.
    func meanTable(
        _ results: DatasetResults, _ groups: [SeedGroup], title: String, kind: String
    ) -> Table {
        var table = groupTable(results, groups) { statistics in
            let deviation = statistics.standardDeviation.map { "± \(decimals($0, 3))" }
            return Table.Cell(decimals(statistics.mean, 3), detail: deviation)
        }
        table.caption = "\(title): mean ± sd of the test accuracy in % over \(kind)"
        if groups.allSatisfy(\.isComplete) {
            for cycle in 0..<results.studyProtocol.cycles {
                let means = groups.map { $0.accuracy(inCycle: cycle + 1)?.mean }
                table.markBest(column: cycle + 2, values: means, by: <)
            }
        }
        table.notes += disputeNotes(groups.flatMap(\.completeTrials))
        for group in groups where !group.isComplete {
            table.notes.append(
                "\(group.strategy.title) is incomplete: \(group.fraction) runs count.")
            table.notes += missingNotes(group.trials)
        }
        return table
    }

    /// The 95 % interval of the mean by cycle; nil where every group has a single run.
    func intervalTable(
        _ results: DatasetResults, _ groups: [SeedGroup], title: String, kind: String
    ) -> Table? {
        let groups = groups.filter { $0.completeTrials.count > 1 }
        guard !groups.isEmpty else { return nil }
        var table = groupTable(results, groups) { statistics in
            statistics.interval95.map {
                Table.Cell(
                    decimals($0.lowerBound, 3), detail: "to \(decimals($0.upperBound, 3))")
            } ?? Table.Cell(missingMark)
        }
        table.caption = "\(title): 95 % t-interval of the mean over \(kind)"
        return table
    }

    private func groupTable(
        _ results: DatasetResults, _ groups: [SeedGroup], cell: (SampleStatistics) -> Table.Cell
    ) -> Table {
        let cycles = results.studyProtocol.cycles
        return Table(
            caption: "",
            columns: [stubColumn, .init(title: "runs", alignment: .leading)]
                + cycleColumns(results),
            stubCount: 2,
            rows: groups.map { group in
                [Table.Cell(group.strategy.title), Table.Cell(group.markedFraction)]
                    + stride(from: 1, through: cycles, by: 1).map { cycle in
                        group.accuracy(inCycle: cycle).map(cell) ?? Table.Cell(missingMark)
                    }
            })
    }

    /// What the curves of each group come to, over its runs.
    func spreadTable(_ groups: [SeedGroup], title: String, kind: String) -> Table? {
        guard groups.contains(where: { !$0.completeTrials.isEmpty }) else { return nil }
        func text(_ values: [Ratio?], _ group: SeedGroup) -> String {
            guard let statistics = SampleStatistics(values.compactMap { $0 })
            else { return missingMark }
            let mean = decimals(statistics.mean, 3)
            guard let deviation = statistics.standardDeviation, let half = statistics.halfWidth95
            else { return mean }
            return "\(mean) ± \(decimals(deviation, 3)) (± \(decimals(half, 3)))"
        }
        return Table(
            caption: "\(title): mean ± sd (± half of the 95 % interval) over \(kind)",
            columns: [
                .init(title: "method", alignment: .leading),
                .init(title: "runs", alignment: .leading),
                .init(title: "last"), .init(title: "gain"), .init(title: "area"),
            ],
            stubCount: 2,
            rows: groups.map { group in
                let trials = group.completeTrials
                return [
                    Table.Cell(group.strategy.title), Table.Cell(group.markedFraction),
                    Table.Cell(text(trials.map(\.finalAccuracy), group)),
                    Table.Cell(text(trials.map(\.totalGain), group)),
                    Table.Cell(text(trials.map(\.area), group)),
                ]
            })
    }

    /// Mean points over random, paired by seed; nil where there is no pair or a single fixed seed.
    func pairedPointsTable(
        _ results: DatasetResults, timeSeeded: Bool, title: String, kind: String
    ) -> Table? {
        let rows = results.pointsOverRandom(timeSeeded: timeSeeded).filter {
            !$0.pairs.isEmpty && (timeSeeded || $0.expected > 1)
        }
        guard !rows.isEmpty else { return nil }
        return Table(
            caption: "\(title): mean percentage points over random (± half of the 95 % interval), "
                + "paired over \(kind)",
            columns: [stubColumn, .init(title: "pairs", alignment: .leading)]
                + cycleColumns(results),
            stubCount: 2,
            rows: rows.map { row in
                let cells = stride(from: 1, through: results.studyProtocol.cycles, by: 1).map {
                    cycle in
                    guard let points = row.points(inCycle: cycle)
                    else { return Table.Cell(missingMark) }
                    return Table.Cell(
                        decimals(points.mean, 3),
                        detail: points.halfWidth95.map { "± \(decimals($0, 3))" })
                }
                return [
                    Table.Cell(row.strategy.title),
                    Table.Cell("\(row.pairs.count)/\(row.expected)"),
                ] + cells
            })
    }

    /// Paired tests between strategies; nil without any.
    func comparisonTable(
        _ comparisons: [StrategyComparison], title: String, kind: String
    ) -> Table? {
        guard !comparisons.isEmpty else { return nil }
        var obstacles: [String] = []
        let rows = comparisons.map { entry in
            let statistics = entry.comparison.statistics
            let half = statistics.halfWidth95.map { decimals($0, 3) } ?? missingMark
            var wilcoxon = missingMark
            if let obstacle = entry.comparison.wilcoxonObstacle {
                let note = "No Wilcoxon test where \(obstacle)."
                if !obstacles.contains(note) { obstacles.append(note) }
            } else {
                wilcoxon = entry.comparison.wilcoxonProbability.map(probability) ?? missingMark
            }
            return [
                Table.Cell(entry.first.title), Table.Cell(entry.second.title),
                Table.Cell(entry.measure == .area ? "area" : "last"),
                Table.Cell("\(statistics.count)"),
                Table.Cell("\(decimals(statistics.mean, 3)) ± \(half)"),
                Table.Cell(entry.comparison.t.map { decimals($0, 2) } ?? missingMark),
                Table.Cell(entry.comparison.tProbability.map(probability) ?? missingMark),
                Table.Cell(entry.adjustedProbability.map(probability) ?? missingMark),
                Table.Cell(wilcoxon),
            ]
        }
        return Table(
            caption: "\(title): paired tests over \(kind), first minus second in points",
            columns: [
                .init(title: "first", alignment: .leading),
                .init(title: "second", alignment: .leading),
                .init(title: "of", alignment: .leading), .init(title: "pairs"),
                .init(title: "difference"), .init(title: "t"), .init(title: "p"),
                .init(title: "p (Holm)"), .init(title: "p (Wilcoxon)"),
            ],
            stubCount: 3, rows: rows,
            notes: [
                "\(counted(comparisons.count, "comparison")); the difference has half of its 95 % "
                    + "interval beside it, and p (Holm) is adjusted for their number."
            ] + obstacles)
    }

    /// A probability with as many decimals as say something.
    func probability(_ value: Double) -> String {
        value < 0.0001 ? "< 0.0001" : decimals(value, 4)
    }

    func penaltyTable(_ matrix: PenaltyMatrix) -> Table {
        let kind = matrix.isTimeSeeded ? "time seeds" : "fixed seeds"
        let all = protocols.count == 1 ? "" : " of protocol \(protocolNumber(matrix.studyProtocol))"
        var rows = matrix.penalties.enumerated().map { index, penalties in
            [Table.Cell(matrix.strategies[index].title)]
                + penalties.enumerated().map { column, penalty in
                    Table.Cell(column == index ? missingMark : decimals(penalty, 2))
                }
        }
        let means = matrix.strategies.indices.map { matrix.meanPenalty(of: $0) }
        rows.append([Table.Cell("mean of the column")] + means.map { Table.Cell(decimals($0, 2)) })
        let seeds =
            matrix.seeds.lowerBound == matrix.seeds.upperBound
            ? "\(matrix.seeds.lowerBound)"
            : "\(matrix.seeds.lowerBound) to \(matrix.seeds.upperBound)"
        return Table(
            caption: "How often the row's method beats the column's\(all), over \(kind)",
            columns: [.init(title: "", alignment: .leading)]
                + matrix.strategies.map { .init(title: $0.title) },
            rows: rows,
            notes: [
                "Fraction of the cycles in which a paired t-test over \(seeds) seeds finds the row "
                    + "above the column at the 95 % level, summed over "
                    + "\(counted(matrix.datasets, "dataset")) (Ash et al. 2020).",
                "\(counted(matrix.comparisons, "comparison")), not adjusted: one in twenty is "
                    + "significant by chance. A low mean of the column is good.",
            ])
    }

    /// Counted from 1, as the report lists protocols.
    func protocolNumber(_ studyProtocol: StudyProtocol) -> Int {
        (protocols.firstIndex(of: studyProtocol) ?? 0) + 1
    }
}
