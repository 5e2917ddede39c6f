import ArgumentParser
import Foundation
import SweepModel
import Transport

/// Which run a command is for, and how its coordinator is reached.
struct ControlledRun: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The run's folder. Default: the newest run.", valueName: "run"),
        completion: .directory)
    var folder: String?

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    @Option(
        help: """
            Instead of a folder: where a coordinator elsewhere takes commands (launch --control), as \
            in tcp://head:5557.
            """)
    var connect: String?

    @Option(
        help:
            "With --connect: a client's certificate, as `alsweep keys new --role client` writes it.",
        completion: .file())
    var certificate: String?

    func validate() throws {
        guard (connect == nil) == (certificate == nil) else {
            throw ValidationError("--connect and --certificate go together")
        }
        guard connect == nil || folder == nil else {
            throw ValidationError("give a run's folder or --connect, not both")
        }
    }

    func perform(_ command: RunCommand) throws {
        if let connect, let certificate {
            let text = try RunControl.perform(
                command, at: try Endpoint(connect), certificatePath: certificate)
            print(text)
            return
        }
        let folder = try Runs.find(folder, root: runs)
        let (text, isLive) = try RunControl(folder: folder).perform(command)
        print("\(folder.path): \(text)")
        let next = isLive ? "alsweep status \(folder.path)" : "alsweep launch \(folder.path)"
        print("Next: \(next)", to: &StandardError.stream)
    }
}

struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Start no more trials of a run, until it is resumed.",
        discussion: "The run stays paused when its coordinator is stopped and launched again.")

    @OptionGroup var target: ControlledRun

    @Flag(
        help: "Take back the trials that run, too; they go on from their last finished cycle.")
    var now = false

    func run() throws { try target.perform(.pause(withdraws: now)) }
}

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Have a paused run go on.")

    @OptionGroup var target: ControlledRun

    func run() throws { try target.perform(.resume) }
}

struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Give up trials that are not done: their processes stop, their results stay.",
        discussion: "`alsweep retry` takes it back; trials go on from their last finished cycle.")

    @OptionGroup var target: ControlledRun

    @Option(help: "A trial, as `alsweep status` names it; may be repeated. Default: all.")
    var trial: [String] = []

    func run() throws { try target.perform(.cancel(TrialSelection(trial))) }
}

struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Try failed or cancelled trials again, from their last finished cycle.")

    @OptionGroup var target: ControlledRun

    @Option(
        help: "A trial, as `alsweep status` names it; may be repeated. Default: all that failed.")
    var trial: [String] = []

    @Flag(help: "Those that were cancelled, too.")
    var cancelled = false

    func run() throws {
        try target.perform(.retry(TrialSelection(trial), withCancelled: cancelled))
    }
}

struct PrioritizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prioritize",
        abstract: "Have waiting trials started before others, or after them.",
        discussion: """
            Those of the highest priority come first, then the longest. A stage's trials have the \
            priority that the sweep file gives it (priority: 10), or 0. What runs goes on.
            """)

    @OptionGroup var target: ControlledRun

    @Option(parsing: .unconditional, help: "A whole number from -1000 to 1000.")
    var priority: Int

    @Option(help: "A trial, as `alsweep status` names it; may be repeated. Default: all.")
    var trial: [String] = []

    func run() throws {
        try target.perform(.prioritize(TrialSelection(trial), priority: priority))
    }
}

struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Give a worker, or a host's workers, no more trials of a run.",
        discussion: """
            Each finishes what it runs, and leaves. It holds for the run, also after its coordinator \
            was launched again, and for workers that are started on the host later.
            """)

    @Argument(
        help: "A host, as `alsweep status` names it, or a worker's identifier, as in its journal.")
    var worker: String

    @OptionGroup var target: ControlledRun

    @Flag(help: "Take back what it runs; that goes on elsewhere from its last finished cycle.")
    var now = false

    @Flag(help: "Give it trials again. A worker that has left must be started again.")
    var undo = false

    func validate() throws {
        guard !now || !undo else { throw ValidationError("give --now or --undo, not both") }
    }

    func run() throws {
        try target.perform(undo ? .undrain(worker) : .drain(worker, withdraws: now))
    }
}

extension TrialSelection {
    /// - Parameter names: none is all.
    fileprivate init(_ names: [String]) {
        self = names.isEmpty ? .all : .named(names.map { TrialID($0) })
    }
}
