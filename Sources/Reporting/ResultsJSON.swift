import SweepModel

extension Report {
    /// The whole report as one JSON value; its form is described in `docs/results-format.md`.
    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("conflicts")
            writer.array(conflicts) { $0.value($1) }
            writer.key("datasets")
            writer.array(results) { write($1, to: &$0) }
            writer.key("earlier")
            writer.array(earlierComparisons) { write($1.comparisons, $1.results, to: &$0) }
            writer.key("penalty_matrices")
            writer.array(penaltyMatrices) { write($1, to: &$0) }
            writer.key("protocols")
            writer.array(protocols) { write($1, to: &$0) }
            writer.field("schema", 1)
            let shared = SharedCycles(trials)
            writer.key("shared_cycles")
            writer.object { writer in
                writer.field("count", shared.count)
                writer.field("saved_seconds", shared.savedSeconds)
                writer.field("total", shared.total)
            }
            writer.key("stages")
            writer.array(stages) { $0.value($1) }
            writer.field("sweep", name)
            writer.key("trials")
            writer.array(trials) { write($1, to: &$0) }
            writer.field("trials_complete", completeCount)
            writer.field("trials_expected", trials.count)
        }
        return String(decoding: writer.bytes, as: UTF8.self) + "\n"
    }

    private func write(_ studyProtocol: StudyProtocol, to writer: inout JSONWriter) {
        writer.object { writer in
            for setting in studyProtocol.settings.sorted(by: { $0.name < $1.name }) {
                writer.key(setting.name)
                switch setting.value {
                case .count(let value): writer.value(value)
                case .number(let value): writer.value(value)
                case .truth(let value): writer.value(value)
                case .counts(let values): writer.array(values) { $0.value($1) }
                case .word(let value): writer.value(value)
                case nil: writer.null()
                }
            }
        }
    }

    private func write(_ trial: TrialRecord, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("attempts", trial.attempts)
            writer.field("complete", trial.isComplete)
            writer.key("cycles")
            writer.array(trial.cycles) { write($1, to: &$0) }
            writer.field("dataset", trial.configuration.dataset.rawValue)
            writer.key("disputes")
            writer.array(trial.disputes) { write($1, to: &$0) }
            writer.field("failure", trial.failure)
            writer.field("gradient_steps", trial.configuration.strategy.gradientSteps)
            writer.field("id", trial.id.rawValue)
            writer.field("model_digest", trial.modelDigest)
            writer.field(
                "protocol", protocols.firstIndex(of: trial.configuration.studyProtocol))
            writer.field("seed", trial.configuration.seed)
            writer.field("stage", trial.stage)
            writer.field("state", trial.state.rawValue)
            writer.field("strategy", trial.configuration.strategy.name)
            writer.field("time_seeded", trial.isTimeSeeded)
        }
    }

    private func write(_ cycle: CycleRecord, to writer: inout JSONWriter) {
        let result = cycle.result
        writer.object { writer in
            writer.field("accuracy", result.accuracy)
            writer.field("attempt", cycle.attempt)
            writer.field("correct", result.correct)
            writer.field("cycle", result.cycle)
            writer.field("host", cycle.host)
            writer.field("labelled", result.labelled)
            writer.field("labelled_digest", result.labelledDigest)
            writer.key("query")
            if let query = result.query { write(query, to: &writer) } else { writer.null() }
            writer.field("seconds", result.seconds)
            writer.field("shared", result.isShared == true)
            writer.field("test_loss", result.testLoss)
            writer.field("total", result.total)
            writer.field("train_loss", result.trainLoss)
            writer.field("weights_digest", result.weightsDigest)
        }
    }
    private func write(_ query: QueryResult, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("auc", query.auc)
            writer.key("class_counts")
            writer.array(query.classCounts) { $0.value($1) }
            writer.field("class_entropy", query.classEntropy)
            writer.field("first_loss", query.firstLoss)
            writer.field("hit_rate", query.hitRate)
            writer.field("lambda", query.lambda)
            writer.field("last_loss", query.lastLoss)
            writer.field("mean_q", query.meanQ)
        }
    }
}
