import OrderedCollections
import SweepModel

struct StageOfDataset: Hashable, Sendable {
    var stage: String
    var dataset: DatasetName
}

extension Coordinator {
    /// Adds the trials of every stage and dataset whose source is complete. A dataset's second
    /// stage starts when its first is complete, not when all datasets' are.
    mutating func expandStages() {
        guard needsExpansion else { return }
        needsExpansion = false
        for stage in sweep.stages {
            for dataset in stage.datasets {
                let place = StageOfDataset(stage: stage.name, dataset: dataset)
                guard !expandedStages.contains(place) else { continue }
                expand(stage, of: dataset)
                if isExpanded(stage, of: dataset) { expandedStages.insert(place) }
            }
        }
    }

    /// The trials that were added, and those that stages will add as far as it is known.
    public var trialCount: Int {
        sweep.stages.reduce(history.trials.count) { count, stage in
            let waiting = stage.datasets.count {
                !expandedStages.contains(StageOfDataset(stage: stage.name, dataset: $0))
            }
            return count + waiting * stage.trialCountPerDataset
        }
    }

    /// Stages that can never start, because a trial they build on failed.
    public var blockedStages: [(stage: String, dataset: DatasetName)] {
        sweep.stages.flatMap { stage in
            stage.datasets.filter { history.isBlocked(stage, of: $0, in: sweep) }
                .map { (stage.name, $0) }
        }
    }

    private func isExpanded(_ stage: Stage, of dataset: DatasetName) -> Bool {
        stage.source == nil || history.choice(of: stage, dataset) != nil
    }

    private mutating func expand(_ stage: Stage, of dataset: DatasetName) {
        if let source = sweep.source(of: stage), history.choice(of: stage, dataset) == nil {
            let criterion = stage.criterion ?? .wins
            guard let runs = runs(of: source, dataset, stage.choosingLearner) else { return }
            let choice = SettingChoice(runs, by: criterion)
            commit(
                .stepsChosen(
                    StepsChosen(
                        stage: stage.name, dataset: dataset, gradientSteps: choice.best,
                        tied: choice.tied, criterion: criterion)))
        }
        let configurations = stage.trials(
            of: dataset, studyProtocol: sweep.studyProtocol,
            timeSeeds: history.timeSeeds,
            bestGradientSteps: history.choice(of: stage, dataset)?.gradientSteps)
        for configuration in configurations where history.index(of: configuration.id) == nil {
            commit(
                .trialAdded(
                    TrialAdded(
                        stage: stage.name, isTimeSeeded: stage.seeds.isTime,
                        configuration: configuration)))
            enqueue(history.trials.count - 1)
        }
    }

    /// A learner's runs in a stage by seed, when all the stage's trials of the dataset are done.
    private func runs(
        of source: Stage, _ dataset: DatasetName, _ learner: Learner?
    ) -> [[SettingRun]]? {
        let trials = history.trials(of: source, dataset, in: sweep)
        guard !trials.isEmpty, trials.allSatisfy({ $0?.state == .done }) else { return nil }
        var seeds: OrderedDictionary<UInt64, [SettingRun]> = [:]
        for trial in trials {
            guard let trial, let steps = trial.configuration.strategy.gradientSteps,
                trial.configuration.strategy.name == learner?.rawValue
            else { continue }
            seeds[trial.configuration.seed, default: []].append(
                SettingRun(gradientSteps: steps, results: trial.cycles.map { $0!.result }))
        }
        return Array(seeds.values)
    }
}
