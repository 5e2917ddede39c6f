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

    public init(record: SweepRecord) {
        name = record.name
        stages = record.stages
        trials = record.trials
        results = Report.grouped(record.trials)
    }

    public func render(_ format: ReportFormat) -> String {
        switch format {
        case .table: text(blocks)
        case .markdown: markdown(blocks)
        case .csv: longForm
        case .json: json
        }
    }

    public var completeCount: Int { trials.count(where: \.isComplete) }

    /// The protocols of the trials, in the order of the sweep.
    var protocols: [StudyProtocol] {
        results.map(\.studyProtocol).reduce(into: []) { protocols, studyProtocol in
            if !protocols.contains(studyProtocol) { protocols.append(studyProtocol) }
        }
    }

    /// The dataset's title, with the settings in which the sweep's protocols differ.
    func title(of results: DatasetResults) -> String {
        let all = protocols.map(\.settings)
        let differing = results.studyProtocol.settings.enumerated().filter { index, setting in
            all.contains { $0[index].value != setting.value }
        }
        guard !differing.isEmpty else { return results.dataset.title }
        let settings = differing.map { _, setting in
            "\(setting.name) \(setting.value?.description ?? "as the study's")"
        }
        return "\(results.dataset.title) (\(settings.joined(separator: ", ")))"
    }

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
        return groups.map {
            DatasetResults(
                dataset: $0.key.dataset, studyProtocol: $0.key.studyProtocol, trials: $0.trials)
        }
    }
}
