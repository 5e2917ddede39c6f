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
            StatusCommand.self, ExtendCommand.self, ExperimentCommand.self, KeysCommand.self,
            TrialCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as ExitCode {
            Foundation.exit(error.rawValue)
        } catch {
            // ArgumentParser's own errors: help and version are no failure.
            let status = exitCode(for: error)
            if status == .success || error is CleanExit { exit(withError: error) }
            if status == .validationFailure {
                print(fullMessage(for: error), to: &StandardError.stream)
                Foundation.exit(ExitStatusCode.usage)
            }
            let failure = CommandFailure(explaining: error)
            failure.printToStandardError()
            Foundation.exit(failure.status)
        }
    }
}

/// Standard error as an output stream.
struct StandardError: TextOutputStream {
    nonisolated(unsafe) static var stream = StandardError()

    mutating func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
