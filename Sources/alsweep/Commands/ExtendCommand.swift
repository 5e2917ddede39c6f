import ArgumentParser
import Foundation
import Journal
import SweepModel

struct ExtendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "extend",
        abstract: "Add time seeds to a run: nothing that was run is run again.",
        discussion: """
            Every stage with `seeds: {time: …}` gets the new seeds, so that strategies stay paired. Then \
            `alsweep launch RUN` runs what is new, and collecting aggregates all of it.
            """)

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory)
    var folder: String

    @Option(help: "How many seeds to add.")
    var seeds: Int

    @Option(help: "The folder of all runs.", completion: .directory)
    var runs = "runs"

    func validate() throws {
        guard (1...10_000).contains(seeds) else {
            throw ValidationError("--seeds is \(seeds); it is a number from 1 to 10000")
        }
    }

    func run() throws {
        let folder = try Runs.find(folder, root: runs)
        let lock = try RunLock(path: folder.lock, folder: folder.path)
        let reading = try RunReading(folder)
        guard reading.sweep.stages.contains(where: \.seeds.isTime) else {
            throw CommandFailure(
                "no stage of the sweep \(reading.sweep.name) has seeds from the clock",
                hint: "list more seeds in the sweep file, and launch it as a new run")
        }
        let added = newSeeds(after: reading.history.timeSeeds)
        try withExtendedLifetime(lock) {
            try Journal.write(at: folder.journal).append(
                [.seedsAdded(SeedsAdded(seeds: added))], at: Date())
        }
        print(added.map(String.init).joined(separator: "\n"))
        print("Next: alsweep launch \(folder.path)", to: &StandardError.stream)
    }

    /// Consecutive seconds from now on, and in any case after those drawn before.
    private func newSeeds(after drawn: [UInt64]) -> [UInt64] {
        let now = UInt64(Date().timeIntervalSince1970)
        let first = max(now, (drawn.max() ?? 0) + 1)
        return (0..<UInt64(seeds)).map { first + $0 }
    }
}
