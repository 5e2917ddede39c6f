import SweepModel

extension Report {
    /// The report in reading order.
    var blocks: [Block] {
        var blocks: [Block] = [.heading(level: 1, singleLine(name)), .paragraph(stateOfTrials)]
        for stage in stages where !trials.contains(where: { $0.stage == stage }) {
            blocks.append(
                .paragraph("Stage \(stage) has no trials of its own yet."))
        }
        for results in results {
            let title = title(of: results)
            blocks.append(.heading(level: 2, title))
            for seed in results.fixedSeeds {
                blocks.append(.table(seedTable(results, title: title, seed: seed)))
            }
            for choice in results.choices {
                blocks.append(.table(choiceTable(choice, title: title)))
            }
            for isTimeSeeded in [true, false] {
                let groups = results.seedGroups.filter { $0.isTimeSeeded == isTimeSeeded }
                guard !groups.isEmpty else { continue }
                blocks.append(.table(meanTable(results, groups: groups, title: title)))
            }
        }
        if completeCount < trials.count {
            blocks.append(.heading(level: 2, "Trials"))
            blocks.append(.table(trialTable))
        }
        return blocks
    }

    private var stateOfTrials: String {
        let states = TrialState.allCases.compactMap { state in
            let count = trials.count { $0.state == state }
            return count > 0 && state != .done ? "\(count) \(state.rawValue)" : nil
        }
        let others = states.isEmpty ? "" : " (\(states.joined(separator: ", ")))"
        return "\(completeCount) of \(counted(trials.count, "trial")) complete\(others)."
    }

    /// Method by cycle at a fixed seed.
    private func seedTable(_ results: DatasetResults, title: String, seed: UInt64) -> Table {
        let trials = results.trials(atSeed: seed)
        let cycles = results.studyProtocol.cycles
        var table = Table(
            caption: "\(title), seed \(seed): test accuracy in % by cycle and number of labels",
            columns: [.init(title: "cycle", subtitle: "labels", alignment: .leading)]
                + cycleColumns(results),
            rows: [])
        for (row, trial) in trials.enumerated() {
            var cells = [Table.Cell(trial.configuration.strategy.title, trial: trial.id)]
            let sharedCycles = row > 0 ? trial.sharedCycles(with: trials[row - 1]) : 0
            for cycle in stride(from: 1, through: cycles, by: 1) {
                guard let accuracy = trial.accuracy(inCycle: cycle) else {
                    cells.append(Table.Cell(missingMark, trial: trial.id))
                    continue
                }
                cells.append(
                    Table.Cell(
                        decimals(accuracy, 2), continuesAbove: cycle <= sharedCycles,
                        trial: trial.id))
            }
            table.rows.append(cells)
        }
        for cycle in stride(from: 1, through: cycles, by: 1) {
            table.markBest(
                column: cycle, values: trials.map { $0.accuracy(inCycle: cycle) }, by: <)
        }
        table.notes = missingNotes(trials)
        return table
    }

    private func cycleColumns(_ results: DatasetResults) -> [Table.Column] {
        (0..<results.studyProtocol.cycles).map {
            Table.Column(title: "\($0 + 1)", subtitle: "\(results.labelled(inCycle: $0 + 1))")
        }
    }

    /// The settings of gradient steps by every criterion.
    private func choiceTable(_ choice: GradientStepChoice, title: String) -> Table {
        var table = Table(
            caption: "\(title), seed \(choice.seed): best gradient step of \(choice.strategyName)",
            columns: [
                .init(title: "gradient steps"), .init(title: "wins"),
                .init(title: "area under the curve"), .init(title: "mean rank"),
                .init(title: "final accuracy"),
            ],
            rows: [])
        guard let wins = choice.wins, let criteria = choice.criteria else {
            table.rows = choice.trials.map { trial in
                [Table.Cell("\(trial.configuration.strategy.gradientSteps ?? 0)", trial: trial.id)]
                    + Array(repeating: Table.Cell(missingMark), count: 4)
            }
            table.notes = ["No choice yet."] + missingNotes(choice.trials)
            return table
        }
        let total = choice.trials[0].cycles[0].result.total
        let areas = criteria.curves.map { $0.area(of: total) }
        let cycles = criteria.curves[0].correct.count
        let ranks = criteria.doubledRankSums.map { Ratio(Int128($0), Int128(2 * cycles)) }
        let finals = criteria.curves.map { Ratio(percent: $0.correct[cycles - 1], of: total) }
        for (row, curve) in criteria.curves.enumerated() {
            table.rows.append([
                Table.Cell("\(curve.gradientSteps)", trial: choice.trials[row].id),
                Table.Cell("\(wins.wins[row].count)"), Table.Cell(decimals(areas[row], 3)),
                Table.Cell(decimals(ranks[row], 2)), Table.Cell(decimals(finals[row], 2)),
            ])
        }
        table.markBest(column: 1, values: wins.wins.map(\.count), by: <)
        table.markBest(column: 2, values: areas, by: <)
        table.markBest(column: 3, values: ranks, by: >)
        table.markBest(column: 4, values: finals, by: <)
        table.notes = [verdict(wins), verdict(criteria)]
        if choice.sharedCycles > 0 {
            let cycles = choice.sharedCycles == 1 ? "cycle 1" : "cycles 1 to \(choice.sharedCycles)"
            table.notes.append("All settings share \(cycles), where no win is counted.")
        }
        return table
    }

    private func verdict(_ wins: GradientStepWins) -> String {
        guard wins.tied.count > 1 else {
            return "Choice: \(wins.best) gradient steps, which won the most cycles."
        }
        let tied = wins.tied.map(String.init).joined(separator: ", ")
        return "Choice: \(wins.best) gradient steps, the smallest of \(wins.tied.count) that tie "
            + "in wins (\(tied))."
    }

    private func verdict(_ criteria: GradientStepCriteria) -> String {
        "By other criteria: area under the curve \(criteria.bestByArea), mean rank "
            + "\(criteria.bestByMeanRank), final accuracy \(criteria.bestByFinalAccuracy)."
    }

    /// Mean ± sd by cycle over seeds.
    private func meanTable(
        _ results: DatasetResults, groups: [SeedGroup], title: String
    ) -> Table {
        let kind = groups[0].isTimeSeeded ? "time seeds" : "fixed seeds"
        var table = Table(
            caption: "\(title), mean ± sd of the test accuracy in % over \(kind)",
            columns: [
                .init(title: "cycle", subtitle: "labels", alignment: .leading),
                .init(title: "runs", alignment: .leading),
            ] + cycleColumns(results),
            stubCount: 2, rows: [])
        for group in groups {
            var cells = [Table.Cell(group.strategy.title), Table.Cell(group.fraction)]
            for cycle in 0..<results.studyProtocol.cycles {
                cells.append(Table.Cell(meanText(group.accuracy(inCycle: cycle + 1))))
            }
            table.rows.append(cells)
            guard !group.isComplete else { continue }
            table.notes.append(
                "\(group.strategy.title) is incomplete: \(group.fraction) runs count.")
            table.notes += missingNotes(group.trials)
        }
        if groups.allSatisfy(\.isComplete) {
            for cycle in 0..<results.studyProtocol.cycles {
                let means = groups.map { $0.accuracy(inCycle: cycle + 1)?.mean }
                table.markBest(column: cycle + 2, values: means, by: <)
            }
        }
        return table
    }

    private func meanText(_ statistics: SampleStatistics?) -> String {
        guard let statistics else { return missingMark }
        let mean = decimals(statistics.mean, 3)
        guard let deviation = statistics.standardDeviation else { return mean }
        return "\(mean) ± \(decimals(deviation, 3))"
    }

    private func missingNotes(_ trials: [TrialRecord]) -> [String] {
        trials.compactMap { trial in
            trial.incompleteness.map { "Missing: \(singleLine(trial.id.rawValue)), \($0)." }
        }
    }

    /// Where every trial stands.
    private var trialTable: Table {
        let titles = ["trial", "state", "cycles", "attempts", "host"]
        var columns = titles.map { Table.Column(title: $0, alignment: .leading) }
        columns[2].alignment = .trailing
        columns[3].alignment = .trailing
        columns.append(.init(title: "what is missing", alignment: .leading, isProse: true))
        return Table(
            caption: "State of every trial", columns: columns,
            rows: trials.map { trial in
                [
                    Table.Cell(singleLine(trial.id.rawValue), trial: trial.id),
                    Table.Cell(trial.state.rawValue),
                    Table.Cell("\(trial.cycles.count)/\(trial.configuration.studyProtocol.cycles)"),
                    Table.Cell("\(trial.attempts)"), Table.Cell(trial.lastHost ?? ""),
                    Table.Cell(trial.incompleteness ?? ""),
                ]
            })
    }
}

extension LearningCurve {
    /// The area under the curve by the trapezoid rule, divided by the cycles it spans: a mean
    /// accuracy in percent. Exact.
    ///
    /// - Parameter total: the test images that `correct` counts of.
    public func area(of total: Int) -> Ratio {
        Ratio(100 * Int128(doubledArea), 2 * Int128(max(correct.count - 1, 1)) * Int128(total))
    }
}
