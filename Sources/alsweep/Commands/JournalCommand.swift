import ArgumentParser
import Foundation
import Journal
import SweepModel

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Check, repair or export a run's journal.",
        subcommands: [
            JournalCheckCommand.self, JournalRepairCommand.self, JournalExportCommand.self,
        ])
}

struct JournalArguments: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The run's folder. Default: the newest run.", valueName: "run"),
        completion: .directory)
    var folder: String?

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    func find() throws -> RunFolder { try Runs.find(folder, root: runs) }
}

struct JournalCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Whether every record is as it was written and follows those before it.")

    @OptionGroup var arguments: JournalArguments

    func run() throws {
        let folder = try arguments.find()
        let inspection = try Journal.inspect(at: folder.journal)
        if let damage = inspection.damage { throw damage }
        print("\(folder.journal): \(inspection.soundCount) records, all sound")
    }
}

struct JournalRepairCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Keep the records before the first damaged one.",
        discussion: """
            What they do not hold any more is computed again by `alsweep launch RUN`, with the same \
            numbers. The damaged journal is kept beside the repaired one.
            """)

    @OptionGroup var arguments: JournalArguments

    func run() throws {
        let folder = try arguments.find()
        let lock = try RunLock(path: folder.lock, folder: folder.path)
        guard let repair = try Journal.repair(at: folder.journal) else {
            print("\(folder.journal) is sound and stays as it is")
            return
        }
        _ = consume lock
        print(
            """
            \(repair.damage)
            \(repair.keptCount) records before that are kept; the damaged file is \(repair.original)
            """)
        print("Next: alsweep launch \(folder.path)", to: &StandardError.stream)
    }
}

struct JournalExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print every record as a line of JSON, as far as they are sound.")

    @OptionGroup var arguments: JournalArguments

    func run() throws {
        let folder = try arguments.find()
        let damage = try Journal.read(at: folder.journal).export { line in
            print(line, terminator: "")
        }
        if let damage { throw damage }
    }
}
