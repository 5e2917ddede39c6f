import SweepModel

extension TrialRecord {
    /// Whether every cycle of its protocol has an accepted result and nothing went wrong.
    public var isComplete: Bool {
        state == .done && cycles.count == configuration.studyProtocol.cycles
    }

    /// Where it stands, in words, of a trial that is not complete; nil of one that is.
    public var incompleteness: String? {
        guard !isComplete else { return nil }
        let expected = configuration.studyProtocol.cycles
        let progress = "\(cycles.count) of \(counted(expected, "cycle"))"
        switch state {
        case .pending:
            return attempts == 0
                ? "not started" : "waiting for attempt \(attempts + 1), \(progress)"
        case .running: return "running, \(progress)"
        case .suspect: return "its worker is silent, \(progress)"
        case .done: return "done with only \(progress)"
        case .failed:
            let reason = failure.map { ": " + singleLine($0) } ?? ""
            return "failed after \(progress)\(reason)"
        case .cancelled: return "cancelled after \(progress)"
        }
    }

    /// The host of the last accepted cycle.
    var lastHost: String? { cycles.last.map { singleLine($0.host) } }

    /// The accepted result of a cycle counted from 1.
    ///
    /// Cycles are recorded in order without gaps, so the place is known; a record that broke this
    /// is searched.
    func result(inCycle cycle: Int) -> CycleResult? {
        if cycles.indices.contains(cycle - 1), cycles[cycle - 1].result.cycle == cycle {
            return cycles[cycle - 1].result
        }
        return cycles.first { $0.result.cycle == cycle }?.result
    }

    func accuracy(inCycle cycle: Int) -> Ratio? {
        guard let result = result(inCycle: cycle), result.total > 0 else { return nil }
        return Ratio(percent: result.correct, of: result.total)
    }

    /// The first cycles in which two trials of a dataset and protocol went the same way: the same
    /// labelled sets in the same order from the same seed, and so the same networks.
    ///
    /// Published runs have no digests; equal counts and losses stand for them.
    func sharedCycles(with other: TrialRecord) -> Int {
        guard configuration.seed == other.configuration.seed else { return 0 }
        var shared = 0
        while let own = result(inCycle: shared + 1), let others = other.result(inCycle: shared + 1)
        {
            guard own.labelled == others.labelled, own.total == others.total,
                own.correct == others.correct
            else { break }
            let isSameSet =
                own.labelledDigest.isEmpty || others.labelledDigest.isEmpty
                ? own.testLoss == others.testLoss : own.labelledDigest == others.labelledDigest
            guard isSameSet else { break }
            shared += 1
        }
        return shared
    }
}
