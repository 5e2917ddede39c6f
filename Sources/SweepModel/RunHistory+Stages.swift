/// What became of a sweep's stages.
extension RunHistory {
    /// The gradient steps that a stage took from the one it builds on; nil until that is known.
    public func choice(of stage: Stage, _ dataset: DatasetName) -> StepsChosen? {
        choices.first { $0.stage == stage.name && $0.dataset == dataset }
    }

    /// The trials of a stage that builds on none, whichever stage added them first; nil where not added yet.
    public func trials(
        of stage: String, _ dataset: DatasetName, in sweep: Sweep
    ) -> [TrialHistory?] {
        let stage = sweep.stages.first { $0.name == stage }!
        let configurations = stage.trials(
            of: dataset, studyProtocol: sweep.studyProtocol, timeSeeds: timeSeeds,
            bestGradientSteps: nil)
        return configurations.map { self[$0.id] }
    }

    /// Whether the stage cannot start, because a trial that it builds on failed or was cancelled.
    public func isBlocked(_ stage: Stage, of dataset: DatasetName, in sweep: Sweep) -> Bool {
        guard let source = stage.source, choice(of: stage, dataset) == nil else { return false }
        return trials(of: source, dataset, in: sweep).contains {
            $0?.state == .failed || $0?.state == .cancelled
        }
    }
}
