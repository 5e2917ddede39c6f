import SweepModel

/// Trials whose states are all listed; of more, those that are not complete are.
private let maximumListedTrials = 100

/// Fixed seeds that text shows a table for; more are a sample, whose means say more.
private let maximumSeedTables = 10

extension Report {
    /// The title, how far the trials are, and what a reader must know before the rest.
    var headBlocks: [Block] {
        let savings = [SharedCycles(trials).sentence].compactMap { $0 }
        return [.heading(level: 1, singleLine(name))]
            + ([stateOfTrials] + savings + remarks).map(Block.paragraph)
    }

    var findingBlocks: [Block] {
        let findings = findings
        guard !findings.isEmpty else { return [] }
        return [.heading(level: 2, "Findings")]
            + findings.flatMap { [.heading(level: 3, $0.title), .list($0.sentences)] }
    }

    var tableBlocks: [Block] {
        var blocks = results.flatMap { datasetBlocks($0, level: 2) }
        let matrices = penaltyMatrices
        if !matrices.isEmpty {
            blocks.append(.heading(level: 2, "Who beats whom"))
            blocks += matrices.map { .table(penaltyTable($0)) }
        }
        blocks += earlierBlocks
        if completeCount < trials.count {
            blocks.append(.heading(level: 2, "Trials"))
            blocks.append(.table(stateTable))
        }
        return blocks
    }

    func datasetBlocks(_ results: DatasetResults, level: Int) -> [Block] {
        let title = results.title
        return [.heading(level: level, title)] + fixedSeedBlocks(results, title: title)
            + manySeedBlocks(results, title: title)
    }

    var stateOfTrials: String {
        let states = TrialState.allCases.compactMap { state in
            let count = trials.count { $0.state == state }
            return count > 0 && state != .done ? "\(count) \(state.rawValue)" : nil
        }
        let others = states.isEmpty ? "" : " (\(states.joined(separator: ", ")))"
        return "\(completeCount) of \(counted(trials.count, "trial")) complete\(others)."
    }

    /// What a reader must know before the tables.
    var remarks: [String] {
        stages.filter { stage in !trials.contains { $0.stage == stage } }
            .map { "Stage \(singleLine($0)) has no trials of its own yet." }
            + conflicts + disputeRemarks
    }

    private func fixedSeedBlocks(_ results: DatasetResults, title: String) -> [Block] {
        let seeds = results.fixedSeedResults
        let choices = results.choices.map { Block.table(choiceTable($0, title: title)) }
        var blocks: [Block] = []
        for row in seeds.prefix(maximumSeedTables) {
            let title = "\(title), seed \(row.seed)"
            blocks.append(.table(seedTable(results, row, title: title)))
            // With a single seed the choice stands below the table that it is read from.
            if seeds.count == 1 { blocks += choices }
            blocks += [
                pointsTable(results, row, title: title), ratioTable(results, row, title: title),
                gainTable(results, row, title: title), curveTable(row, title: title),
            ].compactMap { $0 }.map(Block.table)
        }
        if seeds.count > maximumSeedTables {
            blocks.append(
                .paragraph(
                    "\(seeds.count - maximumSeedTables) more seeds are in the JSON and CSV output.")
            )
        }
        return seeds.count == 1 ? blocks : blocks + choices
    }

    private func manySeedBlocks(_ results: DatasetResults, title: String) -> [Block] {
        var tables: [Table?] = []
        for isTimeSeeded in [true, false] {
            let kind = isTimeSeeded ? "time seeds" : "fixed seeds"
            let groups = results.seedGroups.filter { $0.isTimeSeeded == isTimeSeeded }
            if !groups.isEmpty {
                tables.append(meanTable(results, groups, title: title, kind: kind))
                tables.append(intervalTable(results, groups, title: title, kind: kind))
                tables.append(spreadTable(groups, title: title, kind: kind))
            }
            tables.append(
                pairedPointsTable(results, timeSeeded: isTimeSeeded, title: title, kind: kind))
            tables.append(
                comparisonTable(
                    results.comparisons(timeSeeded: isTimeSeeded), title: title, kind: kind))
        }
        return tables.compactMap { $0 }.map(Block.table)
    }

    /// One per protocol and kind of seeds for which any two strategies share two seeds.
    var penaltyMatrices: [PenaltyMatrix] {
        protocols.flatMap { studyProtocol in
            let results = results.filter { $0.studyProtocol == studyProtocol }
            return [true, false].compactMap { PenaltyMatrix(results, timeSeeded: $0) }
        }
    }

    /// The cycle columns of a table, from `first` on.
    func cycleColumns(_ results: DatasetResults, from first: Int = 1) -> [Table.Column] {
        stride(from: first, through: results.studyProtocol.cycles, by: 1).map {
            Table.Column(title: "\($0)", subtitle: "\(results.labelled(inCycle: $0))")
        }
    }

    /// The column that names the rows, whose header names the columns.
    var stubColumn: Table.Column {
        Table.Column(title: "cycle", subtitle: "labels", alignment: .leading)
    }

    func missingNotes(_ trials: [TrialRecord]) -> [String] {
        let missing = trials.incompletenesses { singleLine($0.id.rawValue) }
        return zip(trials, missing).filter { !$1.isEmpty }
            .map { "Missing: \(singleLine($0.id.rawValue)), \($1)." }
    }

    /// The trial's name, with its protocol where there are several.
    func name(of trial: TrialRecord) -> String {
        let name = singleLine(trial.id.rawValue)
        guard protocols.count > 1 else { return name }
        return "\(name) (protocol \(protocolNumber(trial.configuration.studyProtocol)))"
    }

    /// Where the trials stand.
    private var stateTable: Table {
        let isShort = trials.count <= maximumListedTrials
        let listed = isShort ? trials : trials.filter { !$0.isComplete }
        let titles = ["trial", "state", "cycles", "attempts", "host"]
        var columns = titles.map { Table.Column(title: $0, alignment: .leading) }
        columns[2].alignment = .trailing
        columns[3].alignment = .trailing
        columns.append(.init(title: "what is missing", alignment: .leading, isProse: true))
        let missing = listed.incompletenesses { name(of: $0) }
        return Table(
            caption: isShort ? "State of every trial" : "State of the trials that are not complete",
            columns: columns,
            rows: zip(listed, missing).map { trial, missing in
                [
                    Table.Cell(name(of: trial), trial: trial.configuration),
                    Table.Cell(trial.state.rawValue),
                    Table.Cell("\(trial.cycles.count)/\(trial.configuration.studyProtocol.cycles)"),
                    Table.Cell("\(trial.attempts)"), Table.Cell(trial.lastHost ?? ""),
                    Table.Cell(missing),
                ]
            })
    }
}
