import ArgumentParser
import Datasets
import Foundation
import SweepModel

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Datasets: where they are, get them, check them.",
        subcommands: [DataListCommand.self, DataFetchCommand.self, DataVerifyCommand.self])
}

extension DatasetName: ExpressibleByArgument {}

/// Where the commands look.
struct DataPlaces: ParsableArguments {
    @Option(
        help: """
            The only folder to look in. Default: $ALSWEEP_DATA, ~/.local/share/alsweep and \
            /usr/share/datasets.
            """, completion: .directory)
    var data: String?

    var search: DatasetSearch {
        DatasetSearch(folder: data, environment: ProcessInfo.processInfo.environment)
    }
}

/// As in 170.1 MB, of a million bytes each, or 29.5 kB.
func megabytes(_ byteCount: Int) -> String {
    byteCount < 1_000_000
        ? String(format: "%.1f kB", Double(byteCount) / 1e3)
        : String(format: "%.1f MB", Double(byteCount) / 1e6)
}
