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

extension TrialSelection {
    /// - Parameter names: none is all.
    fileprivate init(_ names: [String]) {
        self = names.isEmpty ? .all : .named(names.map { TrialID($0) })
    }
}
