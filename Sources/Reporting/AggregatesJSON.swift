import SweepModel

/// The aggregates of the JSON form.
extension Report {
    func write(_ results: DatasetResults, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("best_gradient_steps")
            writer.array(results.choices) { write($1, to: &$0) }
            writer.key("comparisons")
            writer.array([true, false].flatMap { results.comparisons(timeSeeded: $0) }) {
                write($1, to: &$0)
            }
            writer.field("dataset", results.dataset.rawValue)
            writer.key("journaled_choices")
            writer.array(journaledChoices(results)) { writer, choice in
                writer.object { writer in
                    writer.field("criterion", (choice.criterion ?? .wins).rawValue)
                    writer.field("gradient_steps", choice.gradientSteps)
                    writer.field("stage", choice.stage)
                    writer.key("tied")
                    writer.array(choice.tied) { $0.value($1) }
                }
            }
            writer.key("means")
            writer.array(results.seedGroups) { write($1, to: &$0) }
            writer.key("points_over_random")
            writer.array([true, false].flatMap { results.pointsOverRandom(timeSeeded: $0) }) {
                write($1, cycles: results.studyProtocol.cycles, to: &$0)
            }
            writer.field("protocol", protocols.firstIndex(of: results.studyProtocol))
            writer.key("tables")
            writer.array(results.fixedSeedResults) { write($1, results, to: &$0) }
        }
    }

    private func write(_ choice: GradientStepChoice, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("best", choice.wins?.best)
            writer.field("best_by_area", choice.criteria?.bestByArea)
            writer.field("best_by_final_accuracy", choice.criteria?.bestByFinalAccuracy)
            writer.field("best_by_mean_rank", choice.criteria?.bestByMeanRank)
            writer.key("missing")
            writeMissing(choice.trials.flatMap { $0 }, to: &writer)
            writer.key("seeds")
            writer.array(choice.seeds) { $0.value($1) }
            writer.field("shared_cycles", choice.sharedCycles)
            writer.field("strategy", choice.strategyName)
            writer.key("tied")
            writer.array(choice.wins?.tied ?? []) { $0.value($1) }
            writer.field("time_seeded", choice.isTimeSeeded)
            writer.key("wins")
            writer.array(choice.wins?.wins ?? []) { writer, win in
                writer.object { writer in
                    writer.field("count", win.count)
                    writer.field("gradient_steps", win.gradientSteps)
                }
            }
        }
    }

    private func write(
        _ row: SeedResults, _ results: DatasetResults, to writer: inout JSONWriter
    ) {
        let cycles = results.studyProtocol.cycles
        let levels = accuracyLevels ?? row.levels
        writer.object { writer in
            writer.key("rows")
            writer.array(0..<row.trials.count) { writer, index in
                let shared =
                    index == 0 ? 0 : row.trials[index].sharedCycles(with: row.trials[index - 1])
                writer.object { writer in
                    write(
                        row.trials[index], row, cycles: cycles, levels: levels, shared: shared,
                        to: &writer)
                }
            }
            writer.field("seed", row.seed)
        }
    }

    private func write(
        _ trial: TrialRecord, _ row: SeedResults, cycles: Int, levels: [Ratio], shared: Int,
        to writer: inout JSONWriter
    ) {
        let random = row.random.flatMap { $0.id == trial.id ? nil : $0 }
        func values(_ name: String, _ value: (Int) -> Double?) {
            writer.key(name)
            writer.array(1..<cycles + 1) { $0.optional(value($1)) }
        }
        writer.field("ahead_of_random_from", random.flatMap { trial.firstCycleAhead(of: $0) })
        writer.field("area", trial.area?.double)
        writer.key("correct")
        writer.array(1..<cycles + 1) { writer, cycle in
            if let result = trial.result(inCycle: cycle) {
                writer.value(result.correct)
            } else {
                writer.null()
            }
        }
        writer.field("final_accuracy", trial.finalAccuracy?.double)
        writer.field("gain", trial.totalGain?.double)
        values("gains") { trial.gain(inCycle: $0)?.double }
        writer.field("gradient_steps", trial.configuration.strategy.gradientSteps)
        writer.key("labels_to_reach")
        writer.array(levels) { writer, level in
            writer.object { writer in
                writer.field("accuracy", level.double)
                writer.field("labels", trial.labels(toReach: level))
            }
        }
        values("points_over_random") { cycle in
            random.flatMap { trial.points(over: $0, inCycle: cycle)?.double }
        }
        values("ratio_to_random") { cycle in
            random.flatMap { trial.ratio(to: $0, inCycle: cycle)?.double }
        }
        writer.field("shared_cycles_with_row_above", shared)
        writer.field("strategy", trial.configuration.strategy.name)
        writer.field("trial", trial.id.rawValue)
    }

    private func write(_ group: SeedGroup, to writer: inout JSONWriter) {
        let cycles = group.trials[0].configuration.studyProtocol.cycles
        let complete = group.completeTrials
        writer.object { writer in
            write("area", SampleStatistics(complete.compactMap(\.area)), to: &writer)
            writer.field("complete", group.isComplete)
            writer.key("cycles")
            writer.array(complete.isEmpty ? 1..<1 : 1..<cycles + 1) { writer, cycle in
                write(group.accuracy(inCycle: cycle), cycle: cycle, to: &writer)
            }
            writer.field("expected", group.trials.count)
            write(
                "final_accuracy", SampleStatistics(complete.compactMap(\.finalAccuracy)),
                to: &writer)
            writer.field("gradient_steps", group.strategy.gradientSteps)
            writer.key("missing")
            writeMissing(group.trials, to: &writer)
            writer.field("n", complete.count)
            writer.key("seeds")
            writer.array(group.trials) { $0.value($1.configuration.seed) }
            writer.field("strategy", group.strategy.name)
            writer.field("time_seeded", group.isTimeSeeded)
        }
    }

    private func write(
        _ points: PointsOverRandom, cycles: Int, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.key("cycles")
            writer.array(points.pairs.isEmpty ? 1..<1 : 1..<cycles + 1) { writer, cycle in
                write(points.points(inCycle: cycle), cycle: cycle, to: &writer)
            }
            writer.field("expected", points.expected)
            writer.field("gradient_steps", points.strategy.gradientSteps)
            writer.field("n", points.pairs.count)
            writer.field("strategy", points.strategy.name)
            writer.field("time_seeded", points.isTimeSeeded)
        }
    }

    private func write(
        _ name: String, _ statistics: SampleStatistics?, to writer: inout JSONWriter
    ) {
        writer.key(name)
        write(statistics, cycle: nil, to: &writer)
    }

    private func write(
        _ statistics: SampleStatistics?, cycle: Int?, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            if let cycle { writer.field("cycle", cycle) }
            writer.field("half_width_95", statistics?.halfWidth95)
            writer.field("mean", statistics?.mean.double)
            writer.field("n", statistics?.count ?? 0)
            writer.field("sd", statistics?.standardDeviation)
            writer.field("standard_error", statistics?.standardError)
        }
    }

    private func write(_ entry: StrategyComparison, to writer: inout JSONWriter) {
        let comparison = entry.comparison
        let wilcoxon =
            comparison.wilcoxonObstacle == nil ? comparison.wilcoxonProbability : nil
        writer.object { writer in
            writer.field("first", entry.first.label)
            writer.field("half_width_95", comparison.statistics.halfWidth95)
            writer.field("mean", comparison.statistics.mean.double)
            writer.field("measure", entry.measure == .area ? "area" : "final_accuracy")
            writer.field("n", comparison.statistics.count)
            writer.field("p", comparison.tProbability)
            writer.field("p_holm", entry.adjustedProbability)
            writer.field("p_wilcoxon", wilcoxon)
            writer.field("second", entry.second.label)
            writer.field("t", comparison.t)
            writer.field("why_no_wilcoxon", comparison.wilcoxonObstacle)
        }
    }

    func write(_ matrix: PenaltyMatrix, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("comparisons", matrix.comparisons)
            writer.field("datasets", matrix.datasets)
            writer.key("mean_penalties")
            writer.array(matrix.strategies.indices) { writer, index in
                writer.value(matrix.meanPenalty(of: index).double)
            }
            writer.key("penalties")
            writer.array(matrix.penalties) { writer, row in
                writer.array(row) { $0.value($1.double) }
            }
            writer.field("protocol", protocols.firstIndex(of: matrix.studyProtocol))
            writer.key("strategies")
            writer.array(matrix.strategies) { $0.value($1.label) }
            writer.field("time_seeded", matrix.isTimeSeeded)
        }
    }

    private func writeMissing(_ trials: [TrialRecord], to writer: inout JSONWriter) {
        writer.array(trials.filter { !$0.isComplete }) { writer, trial in
            writer.object { writer in
                writer.field("trial", trial.id.rawValue)
                writer.field("why", trial.incompleteness(.whole))
            }
        }
    }

    func write(
        _ comparisons: [EarlierComparison], _ results: DatasetResults, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.key("comparisons")
            writer.array(comparisons) { writer, comparison in
                writer.object { writer in
                    writer.key("cycles")
                    writer.array(comparison.cycles) { writer, cycle in
                        writer.object { writer in
                            writer.field("cycle", cycle.cycle)
                            writer.field("difference", cycle.difference?.double)
                            writer.field("earlier", cycle.earlier?.double)
                            writer.key("inside")
                            if let isInside = cycle.isInside {
                                writer.value(isInside)
                            } else {
                                writer.null()
                            }
                            writer.field("this", cycle.own?.double)
                        }
                    }
                    writer.field("gradient_steps", comparison.strategy.gradientSteps)
                    writer.field("seed", comparison.seed)
                    writer.field("strategy", comparison.strategy.name)
                }
            }
            writer.field("dataset", results.dataset.rawValue)
            writer.field("protocol", protocols.firstIndex(of: results.studyProtocol))
        }
    }
}
