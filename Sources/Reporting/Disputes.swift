import SweepModel

/// Follows a number that a cycle was also found with another one than.
let disputeMark = "\u{2020}"

extension TrialRecord {
    func isDisputed(cycle: Int) -> Bool { disputes.contains { $0.result.cycle == cycle } }

    /// A number with the mark of a dispute, where its cycle has one.
    func marked(_ text: String, cycle: Int) -> String {
        isDisputed(cycle: cycle) ? text + disputeMark : text
    }
}

extension Report {
    /// Cycles with two results, a sentence per trial: the same configuration must give the same
    /// numbers, so that one of its results, or both, are not to be trusted.
    var disputeRemarks: [String] {
        let disputed = trials.filter { !$0.disputes.isEmpty }
        let named = disputed.prefix(Self.maximumDisputeRemarks).map { trial in
            let words = trial.disputes.map { dispute in
                disputeWords(dispute, accepted: trial.result(inCycle: dispute.result.cycle))
            }
            return
                "Trial \(name(of: trial)) is not deterministic: \(words.joined(separator: "; ")). "
                + "The first result counts, marked \(disputeMark)."
        }
        let more = disputed.count - named.count
        return named
            + (more > 0
                ? ["\(counted(more, "more trial")) with disputed cycles: see the JSON."] : [])
    }

    private static var maximumDisputeRemarks: Int { 10 }

    private func disputeWords(_ dispute: CycleRecord, accepted: CycleResult?) -> String {
        let result = dispute.result
        let again = "attempt \(dispute.attempt) on \(singleLine(dispute.host))"
        guard let accepted else { return "cycle \(result.cycle) was found by \(again) alone" }
        let what =
            accepted.correct != result.correct
            ? "\(result.correct) instead of \(accepted.correct) correct"
            : accepted.labelledDigest != result.labelledDigest
                ? "another labelled set"
                : accepted.weightsDigest != result.weightsDigest
                    ? "other weights with as many correct"
                    : "other losses or picks with the same weights"
        return "cycle \(result.cycle) was found again with \(what) by \(again)"
    }

    /// What the mark means, below a table that shows one of these trials.
    func disputeNotes(_ trials: [TrialRecord]) -> [String] {
        let disputed = trials.filter { !$0.disputes.isEmpty }
        guard !disputed.isEmpty else { return [] }
        let names = disputed.prefix(3).map { singleLine($0.id.rawValue) }
        let more = disputed.count > names.count ? " and \(disputed.count - names.count) more" : ""
        return [
            "\(disputeMark) Found twice with different results: "
                + "\(names.joined(separator: ", "))\(more)."
        ]
    }
}

/// The gradient steps that a stage took, as the journal says, and under which protocol.
public struct JournaledChoice: Hashable, Sendable {
    public let choice: StepsChosen
    public let studyProtocol: StudyProtocol
}

extension ChoiceCriterion {
    /// In a sentence.
    var title: String {
        switch self {
        case .wins: "wins"
        case .area: "the area under the curve"
        case .finalAccuracy: "the final accuracy"
        case .meanRank: "the mean rank"
        }
    }
}

extension Report {
    func journaledChoices(_ results: DatasetResults) -> [StepsChosen] {
        journaledChoices.filter {
            $0.choice.dataset == results.dataset && $0.studyProtocol == results.studyProtocol
        }.map(\.choice)
    }

    /// What stages took, and whether the tables say the same.
    func journaledChoiceSentences(_ results: DatasetResults) -> [String] {
        journaledChoices(results).map { choice in
            let tied = choice.tied.filter { $0 != choice.gradientSteps }.map(String.init)
            let tie = tied.isEmpty ? "" : ", tied with \(joined(tied))"
            let criterion = choice.criterion ?? .wins
            let others = Set(results.choices.compactMap(\.wins?.best))
            let differs =
                criterion != .wins || others.isEmpty || others.contains(choice.gradientSteps)
                ? ""
                : " The runs collected here would choose "
                    + "\(joined(others.sorted().map(String.init)))."
            return "Stage \(singleLine(choice.stage)) took \(choice.gradientSteps) gradient steps, "
                + "the choice in the journal by \(criterion.title)\(tie).\(differs)"
        }
    }
}
