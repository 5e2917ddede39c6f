import SweepModel

/// What a report is written as.
public enum ReportFormat: String, CaseIterable, Sendable {
    /// Plain text for a terminal of 100 columns.
    case table
    case markdown
    /// One row per trial and cycle.
    case csv
    /// One value with every trial and every aggregate; see `docs/results-format.md`.
    case json
    /// One self-contained page.
    case html
    /// Tables for a paper, with `booktabs` and `multirow`.
    case latex
}

/// The findings of a sweep. The same record gives the same bytes.
///
/// It reads a record that may be unfinished at any point: what is missing is named, and no mean
/// over some of the runs is shown as if it were over all.
public struct Report: Sendable {
    public let name: String
    public let stages: [String]
    /// In the order of the sweep.
    public let trials: [TrialRecord]
    /// One per dataset and protocol, in the order of the sweep.
    public let results: [DatasetResults]

    /// The protocols of the trials, in the order of the sweep.
    let protocols: [StudyProtocol]
    /// What the page says of its origin beside the protocol: versions, machines, dates. The record
    /// does not hold it.
    public var provenance: [(name: String, value: String)] = []
    /// Accuracies in percent for which to tell the labels needed; nil is the multiples of ten that
    /// separate the methods.
    public var accuracyLevels: [Ratio]?
    /// Published or earlier results to show beside these.
    public var earlier: SweepRecord?
    /// Trials that several runs have with different results.
    public let conflicts: [String]
    /// The gradient steps that stages took from what earlier ones found.
    public let journaledChoices: [JournaledChoice]

    public init(record: SweepRecord) { self.init(records: [record]) }

    /// The findings of several runs together. A trial that more than one of them has counts once:
    /// the one that got further, or else the first.
    ///
    /// - Parameter records: at least one.
    public init(records: [SweepRecord]) {
        precondition(!records.isEmpty, "a report needs at least one record")
        var collection = TrialCollection()
        for record in records { collection.add(record) }
        name = records.map(\.name).joined(separator: " + ")
        stages = collection.stages
        trials = collection.trials
        conflicts = collection.conflicts
        journaledChoices = collection.choices
        protocols = collection.trials.map(\.configuration.studyProtocol)
            .reduce(into: []) { protocols, studyProtocol in
                guard protocols.last != studyProtocol else { return }
                if !protocols.contains(studyProtocol) { protocols.append(studyProtocol) }
            }
        results = Report.grouped(collection.trials)
    }

    public func render(_ format: ReportFormat) -> String {
        switch format {
        // A terminal shows the end of what it is given, a page its beginning.
        case .table: text(headBlocks + tableBlocks + findingBlocks)
        case .markdown: markdown(headBlocks + findingBlocks + tableBlocks)
        case .csv: longForm
        case .json: json
        case .html: page
        case .latex: latex(tableBlocks)
        }
    }

    public var completeCount: Int { trials.count(where: \.isComplete) }

    private static func grouped(_ trials: [TrialRecord]) -> [DatasetResults] {
        struct Key: Hashable {
            var dataset: DatasetName
            var studyProtocol: StudyProtocol
        }
        var places: [Key: Int] = [:]
        var groups: [(key: Key, trials: [TrialRecord])] = []
        for trial in trials {
            let key = Key(
                dataset: trial.configuration.dataset,
                studyProtocol: trial.configuration.studyProtocol)
            if let place = places[key] {
                groups[place].trials.append(trial)
            } else {
                places[key] = groups.count
                groups.append((key, [trial]))
            }
        }
        let protocols = groups.map(\.key.studyProtocol)
        let titles = departures(of: protocols)
        return zip(groups, titles).map { group, departures in
            let title = group.key.dataset.title
            return DatasetResults(
                dataset: group.key.dataset, studyProtocol: group.key.studyProtocol,
                title: departures.isEmpty ? title : "\(title) (\(departures))",
                trials: group.trials)
        }
    }

    /// The settings of each protocol in which they differ, in words.
    private static func departures(of protocols: [StudyProtocol]) -> [String] {
        let all = protocols.map(\.settings)
        guard let first = all.first else { return [] }
        let differing = first.indices.filter { index in
            all.contains { $0[index].value != first[index].value }
        }
        return all.map { settings in
            differing.map { index in
                "\(settings[index].name) "
                    + (settings[index].value?.description ?? "as the study's")
            }.joined(separator: ", ")
        }
    }
}

/// Trials of several runs, each configuration once.
private struct TrialCollection {
    private(set) var stages: [String] = []
    private(set) var trials: [TrialRecord] = []
    private(set) var conflicts: [String] = []
    private(set) var choices: [JournaledChoice] = []
    private var places: [TrialConfiguration: Int] = [:]

    mutating func add(_ record: SweepRecord) {
        for stage in record.stages where !stages.contains(stage) { stages.append(stage) }
        for choice in record.choices {
            // A run has one protocol.
            guard
                let trial = record.trials.first(where: {
                    $0.configuration.dataset == choice.dataset
                })
            else { continue }
            let journaled = JournaledChoice(
                choice: choice, studyProtocol: trial.configuration.studyProtocol)
            if !choices.contains(journaled) { choices.append(journaled) }
        }
        for trial in record.trials {
            guard let place = places[trial.configuration] else {
                places[trial.configuration] = trials.count
                trials.append(trial)
                continue
            }
            let known = trials[place]
            if let cycle = Self.firstDisagreement(known, trial) {
                conflicts.append(
                    "Trial \(singleLine(trial.id.rawValue)) differs between runs from cycle "
                        + "\(cycle) on; the first run's result counts.")
            } else if trial.cycles.count > known.cycles.count {
                trials[place] = trial
                trials[place].disputes += known.disputes
            } else {
                trials[place].disputes += trial.disputes
            }
        }
    }

    /// The first cycle in which two runs of a trial found something else. Losses and times are not
    /// compared: files of results may lack them.
    private static func firstDisagreement(_ first: TrialRecord, _ second: TrialRecord) -> Int? {
        func differ(_ first: String, _ second: String) -> Bool {
            !first.isEmpty && !second.isEmpty && first != second
        }
        return zip(first.cycles, second.cycles).first { first, second in
            let (first, second) = (first.result, second.result)
            return first.cycle != second.cycle || first.labelled != second.labelled
                || first.correct != second.correct || first.total != second.total
                || differ(first.labelledDigest, second.labelledDigest)
                || differ(first.weightsDigest, second.weightsDigest)
        }?.0.result.cycle
    }
}
