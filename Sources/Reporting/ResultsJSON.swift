import SweepModel

extension Report {
    /// The whole report as one JSON value; its form is described in `docs/results-format.md`.
    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("datasets")
            writer.array(results) { write($1, to: &$0) }
            writer.key("protocols")
            writer.array(protocols) { write($1, to: &$0) }
            writer.field("schema", 1)
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
            writer.field("failure", trial.failure)
            writer.field("gradient_steps", trial.configuration.strategy.gradientSteps)
            writer.field("id", trial.id.rawValue)
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
            writer.field("seconds", result.seconds)
            writer.field("test_loss", result.testLoss)
            writer.field("total", result.total)
            writer.field("train_loss", result.trainLoss)
            writer.field("weights_digest", result.weightsDigest)
        }
    }

    private func write(_ results: DatasetResults, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("best_gradient_steps")
            writer.array(results.choices) { write($1, to: &$0) }
            writer.field("dataset", results.dataset.rawValue)
            writer.key("means")
            writer.array(results.seedGroups) { write($1, to: &$0) }
            writer.field("protocol", protocols.firstIndex(of: results.studyProtocol))
            writer.key("tables")
            writer.array(results.fixedSeeds) { write(results, seed: $1, to: &$0) }
        }
    }

    private func write(_ choice: GradientStepChoice, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("best", choice.wins?.best)
            writer.field("best_by_area", choice.criteria?.bestByArea)
            writer.field("best_by_final_accuracy", choice.criteria?.bestByFinalAccuracy)
            writer.field("best_by_mean_rank", choice.criteria?.bestByMeanRank)
            writer.key("missing")
            writeMissing(choice.trials, to: &writer)
            writer.field("seed", choice.seed)
            writer.field("shared_cycles", choice.sharedCycles)
            writer.field("strategy", choice.strategyName)
            writer.key("tied")
            writer.array(choice.wins?.tied ?? []) { $0.value($1) }
            writer.key("wins")
            writer.array(choice.wins?.wins ?? []) { writer, win in
                writer.object { writer in
                    writer.field("count", win.count)
                    writer.field("gradient_steps", win.gradientSteps)
                }
            }
        }
    }

    private func write(_ group: SeedGroup, to writer: inout JSONWriter) {
        let cycles = group.trials[0].configuration.studyProtocol.cycles
        writer.object { writer in
            writer.field("complete", group.isComplete)
            writer.key("cycles")
            writer.array(group.completeTrials.isEmpty ? 0..<0 : 0..<cycles) { writer, index in
                let statistics = group.accuracy(inCycle: index + 1)
                writer.object { writer in
                    writer.field("cycle", index + 1)
                    writer.field("mean", statistics?.mean.double)
                    writer.field("n", statistics?.count ?? 0)
                    writer.field("sd", statistics?.standardDeviation)
                }
            }
            writer.field("expected", group.trials.count)
            writer.field("gradient_steps", group.strategy.gradientSteps)
            writer.key("missing")
            writeMissing(group.trials, to: &writer)
            writer.field("n", group.completeTrials.count)
            writer.key("seeds")
            writer.array(group.trials) { $0.value($1.configuration.seed) }
            writer.field("strategy", group.strategy.name)
            writer.field("time_seeded", group.isTimeSeeded)
        }
    }

    private func write(_ results: DatasetResults, seed: UInt64, to writer: inout JSONWriter) {
        let trials = results.trials(atSeed: seed)
        writer.object { writer in
            writer.key("rows")
            writer.array(0..<trials.count) { writer, row in
                let trial = trials[row]
                writer.object { writer in
                    writer.key("correct")
                    writer.array(0..<results.studyProtocol.cycles) { writer, index in
                        if let result = trial.result(inCycle: index + 1) {
                            writer.value(result.correct)
                        } else {
                            writer.null()
                        }
                    }
                    writer.field("gradient_steps", trial.configuration.strategy.gradientSteps)
                    writer.field(
                        "shared_cycles_with_row_above",
                        row == 0 ? 0 : trial.sharedCycles(with: trials[row - 1]))
                    writer.field("strategy", trial.configuration.strategy.name)
                    writer.field("trial", trial.id.rawValue)
                }
            }
            writer.field("seed", seed)
        }
    }

    private func writeMissing(_ trials: [TrialRecord], to writer: inout JSONWriter) {
        writer.array(trials.filter { !$0.isComplete }) { writer, trial in
            writer.object { writer in
                writer.field("trial", trial.id.rawValue)
                writer.field("why", trial.incompleteness)
            }
        }
    }
}
