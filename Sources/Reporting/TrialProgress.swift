import SweepModel

extension TrialRecord {
    /// Whether every cycle of its protocol has an accepted result and nothing went wrong.
    public var isComplete: Bool {
        state == .done && cycles.count == configuration.studyProtocol.cycles
    }

    /// How much of a failure's text is told.
    enum FailureText {
        case whole
        /// Its beginning: the same text stands in table after table.
        case short
    }

    /// Where it stands, in words, of a trial that is not complete; nil of one that is.
    public var incompleteness: String? { incompleteness(.short) }

    func incompleteness(_ text: FailureText) -> String? {
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
            let reason =
                failure.map { ": " + (text == .whole ? singleLine($0) : shortened($0)) } ?? ""
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
        // Read in place: a copy of the result would cost more than the division.
        let place = cycle - 1
        guard cycles.indices.contains(place), cycles[place].result.cycle == cycle else {
            return result(inCycle: cycle).flatMap(\.accuracyInPercent)
        }
        return cycles[place].result.accuracyInPercent
    }

    /// The first cycles in which two trials of a dataset and protocol went the same way: the same
    /// labelled sets in the same order from the same seed, and so the same networks.
    func sharedCycles(with other: TrialRecord) -> Int {
        guard configuration.seed == other.configuration.seed else { return 0 }
        var shared = 0
        while let own = result(inCycle: shared + 1), let others = other.result(inCycle: shared + 1)
        {
            guard own.isSameState(as: others) else { break }
            shared += 1
        }
        return shared
    }
}

/// The first words of a text, in one line.
private func shortened(_ text: String) -> String {
    let maximumLength = 100
    let line = singleLine(text)
    guard line.count > maximumLength else { return line }
    let start = line.prefix(maximumLength)
    let end = start.lastIndex(of: " ") ?? start.endIndex
    return start[..<end] + "\u{2026}"
}

extension [TrialRecord] {
    /// What is missing of each, empty of a complete one. A failure that an earlier one had too is
    /// told by naming that one.
    func incompletenesses(name: (TrialRecord) -> String) -> [String] {
        var first: [String: TrialRecord] = [:]
        return map { trial in
            guard trial.state == .failed, let failure = trial.failure else {
                return trial.incompleteness ?? ""
            }
            guard let known = first[failure] else {
                first[failure] = trial
                return trial.incompleteness ?? ""
            }
            let expected = trial.configuration.studyProtocol.cycles
            return "failed after \(trial.cycles.count) of \(counted(expected, "cycle")), as "
                + name(known)
        }
    }
}

extension CycleResult {
    /// Exact; nil of an empty test set.
    fileprivate var accuracyInPercent: Ratio? {
        total > 0 ? Ratio(percent: correct, of: total) : nil
    }
}
