import ArgumentParser
import Reporting
import SweepModel

extension ReportFormat: ExpressibleByArgument {}

struct CollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect",
        abstract: "The tables of a run: finished, or as far as it is.")

    @Argument(
        help: ArgumentHelp("The run's folder. Default: the newest run.", valueName: "run"),
        completion: .directory)
    var folder: String?

    @Option(help: "The output's format.")
    var format = ReportFormat.table

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    func run() throws {
        let reading = try RunReading(try Runs.find(folder, root: runs))
        print(Report(record: reading.record).render(format), terminator: "")
    }
}
