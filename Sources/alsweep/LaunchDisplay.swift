import Coordinator
import CoordinatorService
import Foundation
import Journal
import SweepModel
import Transport

/// What `launch` shows on standard error while it runs: a line for everything that happens, and on
/// a terminal one status line below them.
final class LaunchDisplay {
    private let sweep: Sweep
    private let folder: RunFolder
    private let isQuiet: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let start = Date()
    private var stepsHere = 0.0
    private var hasStatusLine = false
    /// Those that were told of.
    private var shortages: [DatasetShortage] = []
    private var quarantinedHosts: [String] = []

    init(sweep: Sweep, folder: RunFolder, isQuiet: Bool) {
        self.sweep = sweep
        self.folder = folder
        self.isQuiet = isQuiet
    }

    func begin(_ target: LaunchTarget) {
        guard let known = target.known else {
            if let obstacle = target.obstacle { say("A new run, for \(obstacle)") }
            return say(
                "Starting sweep \(sweep.name), \(counted(sweep.trialCount, "trial")), in "
                    + folder.path)
        }
        say("Resuming sweep \(sweep.name) in \(folder.path)")
        let added = known.addedTrialCount
        guard added > 0 else { return }
        say(
            "Its file was changed and has \(counted(added, "more trial")); for a run of its "
                + "own give --new")
    }

    func show(_ notice: CoordinatorNotice, _ coordinator: Coordinator) {
        switch notice {
        case .listening(let endpoint):
            let keys = FileManager.default.fileExists(atPath: folder.clientCertificate)
            say(
                "More workers can join: alsweep worker --connect "
                    + endpoint.reached(at: ProcessInfo.processInfo.hostName).description
                    + (keys ? " --certificate \(folder.clientCertificate)" : ""))
            if coordinator.history.isPaused { say("The run is paused; go on with: \(resumption)") }
        case .recorded(let record): show(record, coordinator)
        case .workerJoined(let host, let slots):
            say("A worker on \(host) joined with \(counted(slots, "slot"))")
        case .workerLeft(let host): say("A worker on \(host) left")
        case .refusedWorker(let reason): say("Refused a worker: \(reason)")
        case .storageFailed(let error):
            say("error: \(error)")
            say("hint: \(error.hint); waiting for space, nothing is accepted meanwhile")
        case .storageRecovered: say("The journal can be written again; going on")
        case .localWorkerFailed(let reason): say("warning: \(reason)")
        case .launcherSaid(let text): say(text)
        case .launcherWarned(let text, let hint), .fileTroubled(let text, let hint):
            say("warning: \(text)")
            if let hint { say("hint: \(hint)") }
        case .connectionLimitReached(let openFiles):
            say("warning: no more workers can connect: \(openFiles) files are open, one for each")
            say("hint: start the coordinator under a higher `ulimit -Hn`")
        case .stopping: say("Stopping; Ctrl-C again stops at once (nothing accepted is lost)")
        case .ticked: break
        }
        showShortages(coordinator)
        showQuarantines(coordinator)
        updateStatusLine(coordinator)
    }

    /// A sweep that waits for a dataset would else wait in silence.
    private func showShortages(_ coordinator: Coordinator) {
        let current = coordinator.datasetShortages
        for shortage in current where !shortages.contains(shortage) {
            let hosts = shortage.hosts.joined(separator: ", ")
            say(
                "warning: no worker has \(shortage.dataset.title), and trials wait for it "
                    + "(it is missing or damaged on \(hosts))")
            say(
                "hint: run `alsweep data fetch \(shortage.dataset.rawValue)` there and start the worker "
                    + "again, or let another worker join")
        }
        shortages = current
    }

    /// Once for every host that gets no trials any more.
    private func showQuarantines(_ coordinator: Coordinator) {
        let hosts = coordinator.quarantinedHosts
        for host in hosts where !quarantinedHosts.contains(host) {
            say(
                "warning: several trials in a row failed on a worker on \(host), which gets none for "
                    + "\(coordinator.options.quarantineMs / 60_000) min")
            say(
                "hint: look at the trials' logs in \(folder.logs), and stop that worker or mend its machine"
            )
        }
        quarantinedHosts = hosts
    }

    func end() { clearStatusLine() }

    private var resumption: String { "alsweep resume \(folder.path)" }

    private func show(_ record: Record, _ coordinator: Coordinator) {
        switch record {
        case .cycleAccepted(let accepted): show(accepted, coordinator)
        case .stepsChosen(let choice):
            let tie = choice.tied.count > 1 ? ", tied with \(choice.tied.dropFirst())" : ""
            say(
                "\(choice.dataset.title): stage \(choice.stage) takes \(choice.gradientSteps) gradient "
                    + "steps\(tie)")
        case .cycleDisputed(let disputed):
            say(
                "warning: \(disputed.trial) cycle \(disputed.result.cycle) was found again with other "
                    + "numbers: \(disputed.result.correct) on \(disputed.host)")
        case .attemptEnded(let ended): show(ended)
        case .trialFailed(let failed): say("error: \(failed.trial) is given up: \(failed.message)")
        case .pauseSet(let isPaused):
            say(isPaused ? "Paused; go on with: \(resumption)" : "Resumed")
        case .trialCancelled(let trial): say("\(trial) is cancelled")
        case .trialRetried(let trial): say("\(trial) is tried again")
        case .prioritySet(let content):
            say("\(content.trial) has priority \(content.priority)")
        case .drainSet(let content):
            say(
                content.isDrained
                    ? "\(content.name) is drained: it gets no more trials"
                    : "\(content.name) gets trials again")
        case .sweepSubmitted, .sweepExtended, .seedsAdded, .coordinatorStarted, .trialAdded,
            .attemptStarted, .trialFinished:
            break
        }
    }

    private func show(_ accepted: CycleAccepted, _ coordinator: Coordinator) {
        let result = accepted.result
        let trial = coordinator.history[accepted.trial]!.configuration
        // What was trained for another trial tells nothing of the speed.
        if result.isShared != true {
            stepsHere += trial.expectedImageSteps(inCycle: result.cycle)
        }
        let accuracy = String(format: "%6.2f %%", result.accuracy)
        let seconds = String(format: "%.1f s", result.seconds)
        say(
            "\(accepted.trial)  cycle \(result.cycle)/\(trial.studyProtocol.cycles)  \(accuracy)  "
                + "\(result.labelled) labels  \(seconds)  \(accepted.host)")
    }

    private func show(_ ended: AttemptEnded) {
        switch ended.end {
        case .failed(let kind, let message):
            say("warning: attempt \(ended.attempt) of \(ended.trial) failed (\(kind)): \(message)")
        case .expired:
            say(
                "warning: nothing was heard of attempt \(ended.attempt) of \(ended.trial); starting anew"
            )
        case .released, .withdrawn: break
        }
    }

    // MARK: The status line

    private func updateStatusLine(_ coordinator: Coordinator) {
        guard isTerminal, !isQuiet else { return }
        clearStatusLine()
        let trials = coordinator.history.trials
        let total = coordinator.trialCount
        let running = coordinator.runningAttempts.map { attempt in
            "\(attempt.attempt.trial.rawValue.suffix(28)) \(position(of: attempt))"
        }
        var parts = coordinator.history.isPaused ? ["paused"] : []
        parts += [
            "\(grouped(trials.count { $0.state == .done }))/\(counted(total, "trial"))",
            counted(coordinator.sessions.count, "worker"),
            "ETA \(remainingTime(coordinator))",
        ]
        if !running.isEmpty { parts.append(running.joined(separator: ", ")) }
        let line = String(parts.joined(separator: " · ").prefix(terminalWidth() - 1))
        StandardError.stream.write(line)
        hasStatusLine = true
    }

    private func position(of attempt: LeaseState) -> String {
        if attempt.cycle == 0 { return "starts" }
        // Without a finished epoch, another trial trains the same network.
        return "c\(attempt.cycle) " + (attempt.epoch == 0 ? "waits" : "e\(attempt.epoch)")
    }

    private func clearStatusLine() {
        guard hasStatusLine else { return }
        StandardError.stream.write("\r\u{1B}[K")
        hasStatusLine = false
    }

    /// From the images that went through the networks since the launch, and those that are to.
    private func remainingTime(_ coordinator: Coordinator) -> String {
        guard stepsHere > 0 else { return "–" }
        var remaining = 0.0
        for trial in coordinator.history.trials where !trial.isSettled {
            for (index, cycle) in trial.cycles.enumerated() where cycle == nil {
                remaining += trial.configuration.expectedImageSteps(inCycle: index + 1)
            }
        }
        for stage in coordinator.sweep.stages where stage.source != nil {
            for dataset in stage.datasets
            where !coordinator.history.choices.contains(where: {
                $0.stage == stage.name && $0.dataset == dataset
            }) {
                let example = TrialConfiguration(
                    dataset: dataset, strategy: .dqn(gradientSteps: 0), seed: 0,
                    studyProtocol: coordinator.sweep.studyProtocol)
                remaining += Double(stage.trialCountPerDataset) * example.expectedImageSteps
            }
        }
        let seconds = Int(Date().timeIntervalSince(start) * remaining / stepsHere)
        return seconds < 90
            ? "\(seconds) s" : seconds < 5_400 ? "\(seconds / 60) min" : "\(seconds / 3_600) h"
    }

    private func terminalWidth() -> Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private func say(_ line: String) {
        guard !isQuiet || line.hasPrefix("error:") || line.hasPrefix("warning:") else { return }
        clearStatusLine()
        // What workers send may hold control characters, which could write elsewhere on a terminal.
        let isPrintable = { (scalar: Unicode.Scalar) in
            scalar == "\n" || scalar.properties.generalCategory != .control
        }
        let text = String(String.UnicodeScalarView(line.unicodeScalars.filter(isPrintable)))
        print(text, to: &StandardError.stream)
    }
}
