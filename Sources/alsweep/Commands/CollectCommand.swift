import ArgumentParser
import Reporting
import SweepModel

extension ReportFormat: ExpressibleByArgument {}

struct CollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect",
        abstract: "The tables of a run: finished, or as far as it is.")

    @Argument(help: "The run's folder. Default: the newest run.", completion: .directory)
    var run: String?

    @Option(help: "The output's format.")
    var format = ReportFormat.table

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    func run() throws {
        let reading = try RunReading(try Runs.find(run, root: runs))
        print(Report(record: reading.record).render(format), terminator: "")
    }
}
