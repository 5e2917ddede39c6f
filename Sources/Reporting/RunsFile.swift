import SweepModel

extension SweepRecord {
    /// The runs of a file of comma-separated values: one row per run and cycle, either in the shape
    /// of the published results (`method`, `seed` a number or `time`, `test_accuracy` in percent)
    /// or in the long form that `Report` writes.
    ///
    /// - Parameters:
    ///   - text: the file's contents.
    ///   - file: its name, for errors and as the record's name.
    public init(runs text: String, file: String) throws(RunsFileError) {
        let reader = try RunsFileReader(text, file: file)
        let trials = try reader.trials()
        let stages = trials.map(\.stage).reduce(into: [String]()) { stages, stage in
            if !stages.contains(stage) { stages.append(stage) }
        }
        self.init(name: file, stages: stages, trials: trials)
    }
}

/// The rows of one run, in the order of the file.
private struct RunRows {
    var key: RunKey
    var rows: [CommaSeparatedRow]
    /// By cycle.
    var cycles: [(line: Int, record: CycleRecord)] = []
}

/// What tells one run of a file from another.
private struct RunKey: Hashable {
    var dataset: DatasetName
    var strategy: Strategy
    var seed: UInt64
    var isTimeSeeded: Bool
    var settings: String

    /// Runs with the same one have the same protocol.
    struct ProtocolKey: Hashable {
        var dataset: DatasetName
        var settings: String
    }

    var protocolKey: ProtocolKey { ProtocolKey(dataset: dataset, settings: settings) }
}

extension StudyProtocol {
    /// Sets what a curve tells of its protocol: cycles, labels and test images.
    fileprivate mutating func infer(from results: [CycleResult], of dataset: DatasetName) {
        guard let first = results.first else { return }
        let study = dataset.studyAddendum
        let bought = results.count > 1 ? results[1].labelled - first.labelled : study
        cycles = results.count
        initial = first.labelled == study ? nil : first.labelled
        addendum = bought == study ? nil : bought
        testLimit = first.total == dataset.fullTestCount ? nil : first.total
    }
}

private struct RunsFileReader {
    private let file: String
    private let header: CommaSeparatedRow
    private let rows: [CommaSeparatedRow]
    private let columns: [String: Int]

    init(_ text: String, file: String) throws(RunsFileError) {
        var rows = try commaSeparatedRows(text, file: file)
        guard !rows.isEmpty else {
            throw RunsFileError(file: file, line: 1, problem: "the file has no rows")
        }
        self.file = file
        header = rows.removeFirst()
        self.rows = rows
        columns = Dictionary(
            header.fields.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        for alternatives in [
            ["dataset"], ["method", "strategy"], ["seed"], ["cycle"], ["labelled"],
            ["correct", "test_accuracy"],
        ] where !alternatives.contains(where: { columns[$0] != nil }) {
            throw RunsFileError(
                file: file, line: header.line,
                problem: "no column '\(alternatives.joined(separator: "' or '"))'",
                hint: "the first line names the columns")
        }
        if rows.isEmpty {
            throw RunsFileError(file: file, line: header.line, problem: "no run follows the header")
        }
    }

    func trials() throws(RunsFileError) -> [TrialRecord] {
        var runs = try runs()
        for index in runs.indices { runs[index].cycles = try cycles(of: runs[index]) }
        let protocols = try protocols(of: runs)
        var trials: [TrialRecord] = []
        for run in runs {
            trials.append(try trial(run, protocols[run.key.protocolKey]!))
        }
        return trials
    }

    /// What the rows tell about the protocol of the runs of a dataset and settings.
    private func protocols(
        of runs: [RunRows]
    ) throws(RunsFileError) -> [RunKey.ProtocolKey: StudyProtocol] {
        var longest: [RunKey.ProtocolKey: RunRows] = [:]
        for run in runs
        where run.cycles.count > longest[run.key.protocolKey]?.cycles.count ?? -1 {
            longest[run.key.protocolKey] = run
        }
        var protocols: [RunKey.ProtocolKey: StudyProtocol] = [:]
        for key in runs.map(\.key.protocolKey) where protocols[key] == nil {
            let run = longest[key]!
            var studyProtocol = StudyProtocol()
            if columns["settings"] == nil {
                studyProtocol.infer(from: run.cycles.map(\.record.result), of: run.key.dataset)
            } else if let problem = studyProtocol.apply(departures: run.key.settings) {
                throw failure(run.rows[0], problem)
            }
            protocols[key] = studyProtocol
        }
        return protocols
    }

    private func runs() throws(RunsFileError) -> [RunRows] {
        var runs: [RunRows] = []
        var places: [RunKey: Int] = [:]
        for row in rows {
            guard row.fields.count == header.fields.count else {
                throw failure(
                    row, "\(row.fields.count) fields where the header has \(header.fields.count)")
            }
            let key = try key(row)
            if let place = places[key] {
                runs[place].rows.append(row)
            } else {
                places[key] = runs.count
                runs.append(RunRows(key: key, rows: [row]))
            }
        }
        return runs
    }

    private func key(_ row: CommaSeparatedRow) throws(RunsFileError) -> RunKey {
        let datasetText = field(row, ["dataset"])
        guard let dataset = DatasetName(rawValue: datasetText) else {
            let known = DatasetName.allCases.map(\.rawValue).joined(separator: ", ")
            throw failure(row, "unknown dataset '\(datasetText)'", hint: "known are \(known)")
        }
        let seedText = field(row, ["seed"])
        // Published runs seeded by the clock do not say with what: the second they were started
        // in tells them apart.
        let isClock = seedText == "time"
        let seedColumn = isClock ? "started" : "seed"
        let digits = isClock ? field(row, ["started"]).filter(\.isNumber) : seedText
        guard let seed = UInt64(digits) else {
            throw failure(
                row,
                "'\(isClock ? field(row, ["started"]) : seedText)' in column '\(seedColumn)' "
                    + "does not tell a run's seed",
                hint: "a seed is a whole number, or 'time' with the column 'started'")
        }
        return RunKey(
            dataset: dataset, strategy: try strategy(row), seed: seed,
            isTimeSeeded: isClock || field(row, ["time_seeded"]) == "true",
            settings: field(row, ["settings"]))
    }

    private func strategy(_ row: CommaSeparatedRow) throws(RunsFileError) -> Strategy {
        let name = field(row, ["method", "strategy"])
        let gradientSteps =
            Learner(rawValue: name) == nil ? nil : try integer(row, ["gradient_steps"])
        guard let strategy = Strategy(name: name, gradientSteps: gradientSteps) else {
            throw failure(
                row, "unknown strategy '\(name)'",
                hint: "known are \(Strategy.names.joined(separator: ", "))")
        }
        return strategy
    }

    private func cycles(
        of run: RunRows
    ) throws(RunsFileError) -> [(line: Int, record: CycleRecord)] {
        var cycles: [(line: Int, record: CycleRecord)] = []
        for row in run.rows where !isWithoutCycle(row) {
            cycles.append((row.line, try cycle(row, dataset: run.key.dataset)))
        }
        cycles.sort { ($0.record.result.cycle, $0.line) < ($1.record.result.cycle, $1.line) }
        for (index, entry) in cycles.enumerated() where entry.record.result.cycle != index + 1 {
            let cycle = entry.record.result.cycle
            let problem =
                index > 0 && cycles[index - 1].record.result.cycle == cycle
                ? "cycle \(cycle) of this run is also in line \(cycles[index - 1].line)"
                : "cycle \(cycle) of this run, but no cycle \(index + 1)"
            throw RunsFileError(file: file, line: entry.line, problem: problem)
        }
        return cycles
    }

    /// Whether the row is there to name a run that has no result yet, as the long form does.
    private func isWithoutCycle(_ row: CommaSeparatedRow) -> Bool {
        columns["state"] != nil && field(row, ["cycle"]).isEmpty
    }

    private func cycle(
        _ row: CommaSeparatedRow, dataset: DatasetName
    ) throws(RunsFileError) -> CycleRecord {
        let total = try integer(row, ["total"], default: dataset.fullTestCount)
        guard total > 0 else { throw failure(row, "a test set of \(total) images") }
        let correct =
            columns["correct"] != nil
            ? try integer(row, ["correct"]) : try correct(row, total: total)
        guard (0...total).contains(correct) else {
            throw failure(row, "\(correct) correct of \(total) test images")
        }
        let result = CycleResult(
            cycle: try integer(row, ["cycle"]), labelled: try integer(row, ["labelled"]),
            correct: correct, total: total, testLoss: try number(row, ["test_loss"]),
            trainLoss: try number(row, ["train_loss", "train_loss_epoch200"]),
            labelledDigest: field(row, ["labelled_digest"]),
            weightsDigest: field(row, ["weights_digest"]), query: try query(row),
            trainSeconds: try number(row, ["train_seconds", "seconds"]), evaluateSeconds: 0,
            querySeconds: 0, isShared: field(row, ["shared"]) == "true" ? true : nil)
        return CycleRecord(
            result: result, attempt: try integer(row, ["attempt"], default: 1),
            host: field(row, ["host"]))
    }

    /// What the file tells of the query, which are not the picks; nil where it tells nothing.
    private func query(_ row: CommaSeparatedRow) throws(RunsFileError) -> QueryResult? {
        guard !field(row, ["hit_rate"]).isEmpty else { return nil }
        var counts: [Int] = []
        for text in field(row, ["class_counts"]).split(separator: " ") {
            guard let count = Int(text), count >= 0 else {
                throw failure(row, "'\(text)' in column 'class_counts' is not a count")
            }
            counts.append(count)
        }
        func optional(_ name: String) throws(RunsFileError) -> Double? {
            field(row, [name]).isEmpty ? nil : try number(row, [name])
        }
        return QueryResult(
            picks: [], hitRate: try number(row, ["hit_rate"]), classCounts: counts,
            classEntropy: try optional("class_entropy"), meanQ: try optional("mean_q"),
            firstLoss: try optional("first_loss"), lastLoss: try optional("last_loss"),
            auc: try optional("auc"), lambda: try optional("lambda"))
    }

    /// An accuracy in percent as the count that it is.
    private func correct(_ row: CommaSeparatedRow, total: Int) throws(RunsFileError) -> Int {
        let percent = try number(row, ["test_accuracy"])
        let images = percent * Double(total) / 100
        guard abs(images - images.rounded()) < 1e-6, abs(images) <= Double(total) else {
            throw failure(
                row, "\(field(row, ["test_accuracy"])) % of \(total) test images is not a count")
        }
        return Int(images.rounded())
    }

    private func trial(
        _ run: RunRows, _ studyProtocol: StudyProtocol
    ) throws(RunsFileError) -> TrialRecord {
        let key = run.key
        let configuration = TrialConfiguration(
            dataset: key.dataset, strategy: key.strategy, seed: key.seed,
            studyProtocol: studyProtocol)
        for (line, record) in run.cycles {
            let result = record.result
            let expected = configuration.labelledCount(inCycle: result.cycle)
            if result.labelled != expected || result.total != configuration.testCount {
                throw RunsFileError(
                    file: file, line: line,
                    problem: "\(result.labelled) labels and \(result.total) test images in cycle "
                        + "\(result.cycle), where other rows mean \(expected) and "
                        + "\(configuration.testCount)")
            }
        }
        return trial(run, configuration: configuration)
    }

    private func trial(_ run: RunRows, configuration: TrialConfiguration) -> TrialRecord {
        let isComplete = run.cycles.count == configuration.studyProtocol.cycles
        let stage = field(run.rows[0], ["stage"])
        let state = TrialState(rawValue: field(run.rows[0], ["state"]))
        return TrialRecord(
            id: configuration.id,
            stage: stage.isEmpty
                ? run.key.isTimeSeeded ? "time-seeds" : "fixed-seeds" : stage,
            isTimeSeeded: run.key.isTimeSeeded, configuration: configuration,
            state: state ?? (isComplete ? .done : .failed),
            attempts: run.cycles.map(\.record.attempt).max() ?? 0,
            cycles: run.cycles.map(\.record),
            failure: isComplete || state != nil ? nil : "\(file) has no more")
    }
}

extension RunsFileReader {
    /// The field of the first of the columns that the file has; empty if it has none.
    private func field(_ row: CommaSeparatedRow, _ names: [String]) -> String {
        for name in names { if let column = columns[name] { return row.fields[column] } }
        return ""
    }

    private func integer(
        _ row: CommaSeparatedRow, _ names: [String], default defaultValue: Int? = nil
    ) throws(RunsFileError) -> Int {
        let text = field(row, names)
        if let value = text.isEmpty ? defaultValue : Int(text) { return value }
        throw failure(row, "'\(text)' in column '\(names[0])' is not a whole number")
    }

    /// A finite number; NaN where the file says nothing.
    private func number(_ row: CommaSeparatedRow, _ names: [String]) throws(RunsFileError) -> Double
    {
        let text = field(row, names)
        if text.isEmpty { return .nan }
        if let value = Double(text) { return value }
        throw failure(row, "'\(text)' in column '\(names[0])' is not a number")
    }

    private func failure(
        _ row: CommaSeparatedRow, _ problem: String, hint: String? = nil
    ) -> RunsFileError {
        RunsFileError(file: file, line: row.line, problem: problem, hint: hint)
    }
}
