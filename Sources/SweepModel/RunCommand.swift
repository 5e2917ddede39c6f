/// Which trials a command is for.
public enum TrialSelection: Codable, Hashable, Sendable {
    /// All that the command can apply to.
    case all
    case named([TrialID])
}

/// What a user wants changed of a run, whether a coordinator is at work on it or not.
public enum RunCommand: Codable, Hashable, Sendable {
    /// No attempt is started any more; if `withdraws`, those that run are taken back, too, and go on
    /// from their last finished cycle after a `resume`.
    case pause(withdraws: Bool)
    case resume
    /// Trials that are not settled shall never be.
    case cancel(TrialSelection)
    /// Failed trials are tried again; `all` means those that were cancelled, too, if `withCancelled`.
    case retry(TrialSelection, withCancelled: Bool)
    /// Trials that are not settled wait before those of a lower priority, and behind those of a higher.
    case prioritize(TrialSelection, priority: Int)
    /// The worker of that identifier, or all of that host, get no more trials and leave when they have
    /// none left; if it `withdraws`, those that run are taken back and go on elsewhere.
    case drain(String, withdraws: Bool)
    /// They get trials again.
    case undrain(String)
}

/// Why a command changes nothing, and what to do instead.
public struct RefusedCommand: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    public let hint: String

    public init(_ description: String, hint: String) {
        self.description = description
        self.hint = hint
    }
}

extension RunCommand {
    /// What the command adds to the journal of a run: at least one record.
    ///
    /// - Parameter connected: identifiers and hosts of workers that the journal need not know.
    public func records(
        in history: RunHistory, connected: [(worker: WorkerID, host: String)] = []
    ) throws(RefusedCommand) -> [Record] {
        switch self {
        case .pause(let withdraws): return try pausing(history, withdraws)
        case .resume:
            guard history.isPaused else {
                throw RefusedCommand(
                    "the run is not paused", hint: "`alsweep status` shows what it waits for")
            }
            return [.pauseSet(false)]
        case .cancel(let selection):
            return try trials(selection, in: history, "cancelled") { !$0.isSettled }.flatMap {
                Self.withdrawal(of: $0) + [.trialCancelled($0.id)]
            }
        case .retry(let selection, let withCancelled):
            let isNamed = selection != .all
            return try trials(selection, in: history, "tried again") {
                $0.state == .failed || (withCancelled || isNamed) && $0.state == .cancelled
            }.map { .trialRetried($0.id) }
        case .prioritize(let selection, let priority):
            guard Stage.priorities.contains(priority) else {
                throw RefusedCommand(
                    "the priority is \(priority)",
                    hint: "it is a number from \(Stage.priorities.lowerBound) to "
                        + "\(Stage.priorities.upperBound)")
            }
            return try trials(selection, in: history, "given a priority") { !$0.isSettled }.map {
                .prioritySet(PrioritySet(trial: $0.id, priority: priority))
            }
        case .drain(let name, let withdraws):
            return try draining(name, withdraws, history, connected)
        case .undrain(let name):
            guard history.drained.contains(name) else {
                throw RefusedCommand(
                    "'\(name)' is not drained", hint: "`alsweep status` lists what is")
            }
            return [.drainSet(DrainSet(name: name, isDrained: false))]
        }
    }

    private func draining(
        _ name: String, _ withdraws: Bool, _ history: RunHistory,
        _ connected: [(worker: WorkerID, host: String)]
    ) throws(RefusedCommand) -> [Record] {
        let known =
            history.trials.flatMap(\.attempts).map { ($0.started.worker, $0.started.host) }
            + connected
        guard known.contains(where: { $0.0.rawValue == name || $0.1 == name }) else {
            let nearest = nearestWord(to: name, among: known.flatMap { [$0.0.rawValue, $0.1] })
            let guess = nearest.map { " (did you mean '\($0)'?)" } ?? ""
            throw RefusedCommand(
                "the run has no worker and no host '\(name)'\(guess)",
                hint: "`alsweep status` says where its trials run")
        }
        let held = history.trials.filter {
            guard let attempt = $0.runningAttempt else { return false }
            return attempt.worker.rawValue == name || attempt.host == name
        }
        let records =
            (history.drained.contains(name)
                ? [] : [.drainSet(DrainSet(name: name, isDrained: true))])
            + (withdraws ? held.flatMap(Self.withdrawal) : [])
        guard !records.isEmpty else {
            throw RefusedCommand(
                "'\(name)' is drained already", hint: "`alsweep drain --undo \(name)` takes it back"
            )
        }
        return records
    }

    /// What was done, in a sentence's words.
    ///
    /// - Parameter records: those that the command came to.
    public func summary(of records: [Record]) -> String {
        let withdrawn = records.count { $0.kind == .attemptEnded }
        let changed = counted(records.count - withdrawn, "trial")
        let takenBack = counted(withdrawn, "trial")
        switch self {
        case .pause:
            return withdrawn > 0
                ? "paused; \(takenBack) taken back" : "paused; what runs goes on to its end"
        case .resume: return "resumed"
        case .cancel:
            return "\(changed) cancelled"
                + (withdrawn > 0 ? ", \(withdrawn) of them at work" : "")
        case .retry: return "\(changed) to be tried again"
        case .prioritize(_, let priority): return "\(changed) of priority \(priority)"
        case .drain(let name, _):
            return withdrawn > 0
                ? "\(name) is drained; \(takenBack) taken back"
                : "\(name) is drained; what runs there goes on to its end"
        case .undrain(let name): return "\(name) gets trials again"
        }
    }

    private func pausing(
        _ history: RunHistory, _ withdraws: Bool
    ) throws(RefusedCommand) -> [Record] {
        guard history.unsettledCount > 0 || history.trials.isEmpty else {
            throw RefusedCommand("every trial of the run is settled", hint: Self.collectHint)
        }
        let records =
            (withdraws ? history.trials.flatMap(Self.withdrawal) : [])
            + (history.isPaused ? [] : [.pauseSet(true)])
        guard !records.isEmpty else {
            throw RefusedCommand(
                "the run is paused already", hint: "`alsweep resume` has it go on")
        }
        return records
    }

    private static let collectHint = "`alsweep collect` shows what it found"

    private static func withdrawal(of trial: TrialHistory) -> [Record] {
        guard let attempt = trial.runningAttempt else { return [] }
        return [
            .attemptEnded(
                AttemptEnded(trial: trial.id, attempt: attempt.attempt, end: .withdrawn))
        ]
    }

    /// - Parameter applies: whether the command can apply to a trial.
    private func trials(
        _ selection: TrialSelection, in history: RunHistory, _ verb: String,
        where applies: (TrialHistory) -> Bool
    ) throws(RefusedCommand) -> [TrialHistory] {
        switch selection {
        case .all:
            let found = history.trials.filter(applies)
            guard !found.isEmpty else { throw nothingToDo(history, verb) }
            return found
        case .named(let names):
            var found: [TrialHistory] = []
            for name in names where !found.contains(where: { $0.id == name }) {
                guard let trial = history[name] else { throw Self.unknown(name, history) }
                guard applies(trial) else {
                    throw RefusedCommand(
                        "trial \(name) is \(trial.state.rawValue) and cannot be \(verb)",
                        hint: "nothing was changed; `alsweep status` shows every trial's state")
                }
                found.append(trial)
            }
            return found
        }
    }

    private func nothingToDo(_ history: RunHistory, _ verb: String) -> RefusedCommand {
        if case .retry = self, history.trials.contains(where: { $0.state == .cancelled }) {
            return RefusedCommand(
                "no trial of the run has failed",
                hint: "add --cancelled for those that were cancelled")
        }
        return RefusedCommand("no trial of the run can be \(verb)", hint: Self.collectHint)
    }

    private static func unknown(_ name: TrialID, _ history: RunHistory) -> RefusedCommand {
        let nearest = nearestWord(to: name.rawValue, among: history.trials.map(\.id.rawValue))
        let guess = nearest.map { " (did you mean '\($0)'?)" } ?? ""
        return RefusedCommand(
            "the run has no trial '\(name)'\(guess)", hint: "`alsweep status` lists its trials")
    }
}
