import ArgumentParser
import Foundation
import Reporting
import SweepModel

extension ReportFormat: ExpressibleByArgument {}

struct CollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect",
        abstract: "The tables of runs: finished, or as far as they are.",
        discussion: """
            Several runs are collected together. With --from the results come from a CSV file, such as \
            the one that --format csv writes, instead of a run.
            """)

    @Argument(
        help: ArgumentHelp("The runs' folders. Default: the newest run.", valueName: "run"),
        completion: .directory)
    var folders: [String] = []

    @Option(help: "The output's format.")
    var format = ReportFormat.table

    @Option(help: "Results in a CSV file, instead of a run.", completion: .file())
    var from: String?

    @Option(help: "Published or earlier results in a CSV file, shown beside.", completion: .file())
    var compare: String?

    @Option(help: "Write to this file instead of standard output.", completion: .file())
    var output: String?

    @Option(
        help: "Also write the figures to this folder: SVG, and PNG where a converter is installed.",
        completion: .directory)
    var figures: String?

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    func validate() throws {
        guard from == nil || folders.isEmpty else {
            throw ValidationError("--from reads \(from!) instead of a run; give one or the other")
        }
    }

    func run() throws {
        var report = Report(records: try records())
        report.provenance = [(name: "alsweep", value: softwareVersion)]
        if let compare { report.earlier = try readResults(compare) }
        for conflict in report.conflicts {
            print("warning: \(conflict)", to: &StandardError.stream)
        }
        if let figures { try writeFigures(of: report, to: figures) }
        let text = report.render(format)
        if let output {
            try writeText(text, to: output)
        } else {
            print(text, terminator: "")
        }
    }

    private func records() throws -> [SweepRecord] {
        if let from { return [try readResults(from)] }
        if folders.isEmpty { return [try RunReading(try Runs.find(nil, root: runs)).record] }
        return try folders.map { try RunReading(try Runs.find($0, root: runs)).record }
    }

    private func readResults(_ path: String) throws -> SweepRecord {
        guard let data = FileManager.default.contents(atPath: path),
            let text = String(data: data, encoding: .utf8)
        else {
            throw CommandFailure(
                "the results \(path) cannot be read",
                hint: "give a CSV file such as `alsweep collect --format csv` writes")
        }
        return try SweepRecord(runs: text, file: path)
    }

    private func writeFigures(of report: Report, to folder: String) throws {
        try makeFolder(folder)
        let converter = ImageConverter(environment: ProcessInfo.processInfo.environment)
        for figure in report.figures {
            let path = "\(folder)/\(figure.name)"
            try writeText(figure.svg, to: path + ".svg")
            if let problem = converter?.convert(svg: path + ".svg", png: path + ".png") {
                print("warning: no \(path).png: \(problem)", to: &StandardError.stream)
            }
        }
        if converter == nil {
            print(
                "The figures are SVG only; for PNG install one of "
                    + "\(ImageConverter.names.joined(separator: ", ")).",
                to: &StandardError.stream)
        }
    }
}
