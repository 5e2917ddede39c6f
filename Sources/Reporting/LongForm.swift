import SweepModel

/// The columns of the long form, in order.
private let columns = [
    "trial", "dataset", "strategy", "gradient_steps", "seed", "time_seeded", "stage", "cycle",
    "labelled", "correct", "total", "accuracy", "test_loss", "train_loss", "seconds", "host",
    "attempt", "shared", "labelled_digest", "weights_digest", "hit_rate", "class_counts",
    "class_entropy",
    "mean_q", "first_loss", "last_loss", "auc", "lambda", "state", "settings",
]

extension Report {
    /// Comma-separated values (RFC 4180, but for the line feeds), one row per trial and cycle.
    var longForm: String {
        var text = columns.joined(separator: ",") + "\n"
        text.reserveCapacity(300 * trials.reduce(1) { $0 + $1.cycles.count })
        let protocols = protocols
        let settings = protocols.map { quoted($0.departures) }
        for trial in trials {
            let configuration = trial.configuration
            let steps = configuration.strategy.gradientSteps.map(String.init) ?? ""
            let head =
                "\(quoted(trial.id.rawValue)),\(configuration.dataset.rawValue),"
                + "\(configuration.strategy.name),\(steps),\(configuration.seed),"
                + "\(trial.isTimeSeeded),\(quoted(trial.stage)),"
            let place = protocols.firstIndex(of: configuration.studyProtocol)!
            let tail = ",\(trial.state.rawValue),\(settings[place])\n"
            // A trial without a result has a row too, so that no reader takes the rest for all.
            if trial.cycles.isEmpty {
                text += head + String(repeating: ",", count: Self.resultColumnCount - 1) + tail
            }
            for cycle in trial.cycles {
                text += head
                append(cycle, to: &text)
                text += tail
            }
        }
        return text
    }

    /// From `cycle` to `lambda`.
    private static let resultColumnCount =
        columns.firstIndex(of: "lambda")! - columns.firstIndex(of: "cycle")! + 1

    private func append(_ cycle: CycleRecord, to text: inout String) {
        let result = cycle.result
        text += "\(result.cycle),\(result.labelled),\(result.correct),\(result.total),"
        text += "\(result.accuracy),\(field(result.testLoss)),\(field(result.trainLoss)),"
        text += "\(field(result.seconds)),"
        text += "\(quoted(cycle.host)),\(cycle.attempt),\(result.isShared == true),"
        text += "\(quoted(result.labelledDigest)),\(quoted(result.weightsDigest)),"
        append(result.query, to: &text)
    }

    /// From `hit_rate` to `lambda`.
    private func append(_ query: QueryResult?, to text: inout String) {
        let counts = query?.classCounts.map(String.init).joined(separator: " ") ?? ""
        let numbers = [
            query?.classEntropy, query?.meanQ, query?.firstLoss, query?.lastLoss, query?.auc,
            query?.lambda,
        ]
        text += "\(query.map { field($0.hitRate) } ?? ""),\(counts),"
        text += numbers.map { $0.map(field) ?? "" }.joined(separator: ",")
    }

    /// Empty where a file of runs did not say.
    private func field(_ number: Double) -> String { number.isFinite ? "\(number)" : "" }

    private func quoted(_ field: String) -> String {
        let needsQuotes = field.utf8.contains { byte in
            byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte == 0x0A || byte == 0x0D
        }
        guard needsQuotes else { return field }
        return "\""
            + field.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }
}
