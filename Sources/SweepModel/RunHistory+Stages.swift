/// What became of a sweep's stages.
extension RunHistory {
    /// The gradient steps that a stage took from the one it builds on; nil until that is known.
    public func choice(of stage: Stage, _ dataset: DatasetName) -> StepsChosen? {
        choices.first { $0.stage == stage.name && $0.dataset == dataset }
    }

    /// The trials of a stage, whichever stage added them first; nil where not added yet. None at all as long as
    /// their gradient steps are not known.
    public func trials(
        of stage: Stage, _ dataset: DatasetName, in sweep: Sweep
    ) -> [TrialHistory?] {
        let choice = choice(of: stage, dataset)
        guard stage.source == nil || choice != nil else { return [] }
        let configurations = stage.trials(
            of: dataset, studyProtocol: sweep.studyProtocol, timeSeeds: timeSeeds,
            bestGradientSteps: choice?.gradientSteps)
        return configurations.map { self[$0.id] }
    }

    /// Whether the stage cannot start, because a trial that it builds on failed or was cancelled, or
    /// cannot start either.
    public func isBlocked(_ stage: Stage, of dataset: DatasetName, in sweep: Sweep) -> Bool {
        guard let source = sweep.source(of: stage), choice(of: stage, dataset) == nil else {
            return false
        }
        return isBlocked(source, of: dataset, in: sweep)
            || trials(of: source, dataset, in: sweep).contains {
                $0?.state == .failed || $0?.state == .cancelled
            }
    }
}

extension Sweep {
    /// The stage whose gradient steps a stage chooses among.
    public func source(of stage: Stage) -> Stage? {
        stage.source.map { name in stages.first { $0.name == name }! }
    }
}
