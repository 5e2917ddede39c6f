import ArgumentParser
import Foundation
import SweepModel

/// Exit statuses that scripts can rely on.
enum ExitStatusCode {
    static let done: Int32 = 0
    static let failed: Int32 = 1
    static let usage: Int32 = 2
    /// Stopped with everything saved; the same command goes on.
    static let stopped = EX_TEMPFAIL
}

@main
struct Alsweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alsweep",
        abstract: "Distributed sweeps of active-learning experiments.",
        discussion: """
            A first sweep on this machine's cores, with real data, in minutes:
              alsweep launch sweeps/quick.yaml
            """,
        version: softwareVersion,
        subcommands: [
            LaunchCommand.self, WorkerCommand.self, CollectCommand.self, PlanCommand.self,
            StatusCommand.self, PauseCommand.self, ResumeCommand.self, CancelCommand.self,
            RetryCommand.self, PrioritizeCommand.self, DrainCommand.self, ExtendCommand.self,
            ExperimentCommand.self, EvaluateCommand.self,
            DataCommand.self, DoctorCommand.self, JournalCommand.self, BenchCommand.self,
            KeysCommand.self, SimulateCommand.self, TrialCommand.self,
            ExamineTorchCommand.self,
        ])

    static func main() {
        do {
            try checkSubcommand()
            var command = try parseAsRoot()
            try command.run()
            guard StandardOutput.flush() else {
                throw CommandFailure(
                    "standard output cannot be written",
                    hint: "look for a full disk or a closed pipe")
            }
        } catch let error as ExitCode {
            Foundation.exit(error.rawValue)
        } catch {
            // ArgumentParser's own errors: help and version are no failure.
            let status = exitCode(for: error)
            if status == .success || error is CleanExit { exit(withError: error) }
            if status == .validationFailure {
                let message = fullMessage(for: error)
                print(
                    message.hasPrefix("Error: ") ? "error: " + message.dropFirst(7) : message,
                    to: &StandardError.stream)
                Foundation.exit(ExitStatusCode.usage)
            }
            let failure = CommandFailure(explaining: error)
            failure.printToStandardError()
            Foundation.exit(failure.status)
        }
    }

    /// ArgumentParser calls a misspelt command an unexpected argument; this names the one meant.
    private static func checkSubcommand() throws(CommandFailure) {
        guard let typed = CommandLine.arguments.dropFirst().first, !typed.hasPrefix("-") else {
            return
        }
        let names = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
        guard !names.contains(typed) else { return }
        let nearest = nearestWord(to: typed, among: names)
        throw CommandFailure(
            "'\(typed)' is not a command of alsweep",
            hint: nearest.map { "did you mean `alsweep \($0)`?" } ?? "see `alsweep --help`",
            status: ExitStatusCode.usage)
    }
}

/// Standard error as an output stream.
struct StandardError: TextOutputStream {
    nonisolated(unsafe) static var stream = StandardError()

    /// What was printed before stands before it, also where both go to one file. A terminal that is gone, or
    /// a full disk under a redirected log, must not stop a sweep.
    mutating func write(_ text: String) {
        StandardOutput.flush()
        writeBytes(text, to: STDERR_FILENO)
    }
}

/// Writes all of a text, or as much as the descriptor takes.
///
/// - Returns: whether all was written.
@discardableResult
func writeBytes(_ text: String, to descriptor: Int32) -> Bool {
    let bytes = Array(text.utf8)
    var offset = 0
    while offset < bytes.count {
        let count = bytes[offset...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            offset += count
        } else if errno != EINTR {
            return false
        }
    }
    return true
}
