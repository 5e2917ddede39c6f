import SweepModel

extension Report {
    /// Method by cycle at a seed.
    func seedTable(_ results: DatasetResults, _ row: SeedResults, title: String) -> Table {
        let cycles = results.studyProtocol.cycles
        var table = Table(
            caption: "\(title): test accuracy in % by cycle and number of labels",
            columns: [stubColumn] + cycleColumns(results),
            rows: cycleRows(row.trials, cycles: 1..<cycles + 1) { trial, cycle in
                trial.accuracy(inCycle: cycle).map { trial.marked(decimals($0, 2), cycle: cycle) }
            })
        for cycle in stride(from: 1, through: cycles, by: 1) {
            table.markBest(
                column: cycle, values: row.trials.map { $0.accuracy(inCycle: cycle) }, by: <)
        }
        table.notes = disputeNotes(row.trials) + missingNotes(row.trials)
        return table
    }

    /// Rows of a value by cycle; those of cycles that a trial shares with the one above are one
    /// cell.
    private func cycleRows(
        _ trials: [TrialRecord], cycles: Range<Int>, text: (TrialRecord, Int) -> String?
    ) -> [[Table.Cell]] {
        trials.enumerated().map { row, trial in
            let shared = row > 0 ? trial.sharedCycles(with: trials[row - 1]) : 0
            let cells = cycles.map { cycle in
                text(trial, cycle).map {
                    Table.Cell($0, continuesAbove: cycle <= shared, trial: trial.configuration)
                } ?? Table.Cell(missingMark, trial: trial.configuration)
            }
            return [Table.Cell(trial.configuration.strategy.title, trial: trial.configuration)]
                + cells
        }
    }

    /// Percentage points over random at a seed; nil without a random run or anything beside it.
    func pointsTable(_ results: DatasetResults, _ row: SeedResults, title: String) -> Table? {
        guard let random = row.random, row.trials.count > 1 else { return nil }
        let others = row.trials.filter { $0.id != random.id }
        let cycles = results.studyProtocol.cycles
        var table = Table(
            caption: "\(title): percentage points over random",
            columns: [stubColumn] + cycleColumns(results),
            rows: cycleRows(others, cycles: 1..<cycles + 1) { trial, cycle in
                trial.points(over: random, inCycle: cycle).map {
                    random.marked(trial.marked(decimals($0, 2), cycle: cycle), cycle: cycle)
                }
            })
        table.notes = disputeNotes(row.trials) + missingNotes([random])
        return table
    }

    /// The accuracy as a multiple of random's, which the study's figure does not show although its
    /// axis is called relative.
    func ratioTable(_ results: DatasetResults, _ row: SeedResults, title: String) -> Table? {
        guard let random = row.random, row.trials.count > 1 else { return nil }
        let others = row.trials.filter { $0.id != random.id }
        let cycles = results.studyProtocol.cycles
        return Table(
            caption: "\(title): accuracy as a multiple of random's",
            columns: [stubColumn] + cycleColumns(results),
            rows: cycleRows(others, cycles: 1..<cycles + 1) { trial, cycle in
                trial.ratio(to: random, inCycle: cycle).map { decimals($0, 3) }
            })
    }

    /// Percentage points from cycle to cycle; nil with a single cycle.
    func gainTable(_ results: DatasetResults, _ row: SeedResults, title: String) -> Table? {
        let cycles = results.studyProtocol.cycles
        guard cycles > 1 else { return nil }
        return Table(
            caption: "\(title): percentage points gained since the cycle before",
            columns: [stubColumn] + cycleColumns(results, from: 2),
            rows: cycleRows(row.trials, cycles: 2..<cycles + 1) { trial, cycle in
                trial.gain(inCycle: cycle).map { decimals($0, 2) }
            })
    }

    /// What each curve comes to as a whole.
    func curveTable(_ row: SeedResults, title: String) -> Table {
        let levels = accuracyLevels ?? row.levels
        var table = Table(
            caption: "\(title): the curves as a whole, and the labels needed to reach an accuracy",
            columns: [
                .init(title: "method", alignment: .leading), .init(title: "last"),
                .init(title: "gain"), .init(title: "area"), .init(title: "ahead from"),
            ] + levels.map { .init(title: "\(levelText($0)) %") }
                + (row.random?.finalAccuracy == nil ? [] : [.init(title: "random's last")]),
            rows: row.trials.map { curveCells($0, row, levels: levels) })
        table.markBest(column: 1, values: row.trials.map(\.finalAccuracy), by: <)
        table.markBest(column: 3, values: row.trials.map(\.area), by: <)
        for (index, level) in levels.enumerated() {
            table.markBest(
                column: 5 + index, values: row.trials.map { $0.labels(toReach: level) }, by: >)
        }
        table.notes = [
            "gain: points from the first cycle to the last; area: under the curve by the trapezoid "
                + "rule, over the cycles it spans; ahead from: the first cycle from which on the "
                + "method stays above random."
        ]
        return table
    }

    /// A level with no more decimals than it has, up to two.
    private func levelText(_ level: Ratio) -> String {
        let places = level.denominator == 1 ? 0 : (level * Ratio(10)).denominator == 1 ? 1 : 2
        return decimals(level, places)
    }

    private func curveCells(
        _ trial: TrialRecord, _ row: SeedResults, levels: [Ratio]
    ) -> [Table.Cell] {
        func text(_ value: Ratio?, _ places: Int) -> String {
            value.map { decimals($0, places) } ?? missingMark
        }
        let ahead = row.random.flatMap { random in
            trial.id == random.id ? nil : trial.firstCycleAhead(of: random)
        }
        var texts = [
            text(trial.finalAccuracy, 2), text(trial.totalGain, 2), text(trial.area, 3),
            ahead.map { "\($0)" } ?? missingMark,
        ]
        texts += levels.map { level in
            trial.labels(toReach: level).map { "\($0)" } ?? missingMark
        }
        if let last = row.random?.finalAccuracy {
            texts.append(trial.labels(toReach: last).map { "\($0)" } ?? missingMark)
        }
        return [Table.Cell(trial.configuration.strategy.title, trial: trial.configuration)]
            + texts.map { Table.Cell($0, trial: trial.configuration) }
    }

    /// The settings of gradient steps by every criterion.
    func choiceTable(_ choice: GradientStepChoice, title: String) -> Table {
        var table = Table(
            caption: "\(title), \(choice.seedWords): best gradient step of \(choice.strategyName)",
            columns: [
                .init(title: "gradient steps"), .init(title: "wins"),
                .init(title: "area under the curve"), .init(title: "mean rank"),
                .init(title: "final accuracy"),
            ],
            rows: [])
        guard let wins = choice.wins, let criteria = choice.criteria else {
            table.rows = choice.trials[0].map { trial in
                [Table.Cell("\(trial.configuration.strategy.gradientSteps ?? 0)")]
                    + Array(repeating: Table.Cell(missingMark), count: 4)
            }
            table.notes = ["No choice yet."] + missingNotes(choice.trials.flatMap { $0 })
            return table
        }
        let cycles = choice.trials[0][0].cycles.count
        let comparisons = Int128(2 * cycles * choice.seeds.count)
        let settings = criteria.gradientSteps.indices
        let areas = settings.map { index in
            SampleStatistics(choice.trials.compactMap { $0[index].area })?.mean
        }
        let ranks = criteria.doubledRankSums.map { Ratio(Int128($0), comparisons) }
        let finals = settings.map { index in
            SampleStatistics(choice.trials.compactMap { $0[index].finalAccuracy })?.mean
        }
        let places = choice.seeds.count > 1 ? 3 : 2
        for row in settings {
            table.rows.append([
                Table.Cell(
                    "\(criteria.gradientSteps[row])",
                    trial: choice.seeds.count > 1 ? nil : choice.trials[0][row].configuration),
                Table.Cell("\(wins.wins[row].count)"),
                Table.Cell(areas[row].map { decimals($0, 3) } ?? missingMark),
                Table.Cell(decimals(ranks[row], 2)),
                Table.Cell(finals[row].map { decimals($0, places) } ?? missingMark),
            ])
        }
        table.markBest(column: 1, values: wins.wins.map(\.count), by: <)
        table.markBest(column: 2, values: areas, by: <)
        table.markBest(column: 3, values: ranks, by: >)
        table.markBest(column: 4, values: finals, by: <)
        table.notes =
            [choice.verdict, choice.otherVerdicts].compactMap { $0 }
            + disputeNotes(choice.trials.flatMap { $0 })
        if choice.sharedCycles > 0 {
            let cycles = choice.sharedCycles == 1 ? "cycle 1" : "cycles 1 to \(choice.sharedCycles)"
            table.notes.append("All settings share \(cycles), where no win is counted.")
        }
        return table
    }
}
