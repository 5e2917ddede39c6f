import ArgumentParser
import DatasetFetch
import Datasets
import Foundation
import SweepModel

struct DataFetchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Download datasets, check and unpack them.",
        discussion: """
            Goes to $ALSWEEP_DATA or else ~/.local/share/alsweep. Ctrl-C keeps what has arrived, and \
            the same command goes on there. Proxies are taken from https_proxy and http_proxy. \
            Without a network, copy the published files into the data folder: archives are also read \
            as they are, and this command then unpacks them.
            """)

    @Argument(help: "cifar10, cifar100, fashionmnist.")
    var datasets: [DatasetName]

    @Option(
        help: "The only folder to look in and to fetch into, in place of the default.",
        completion: .directory)
    var data: String?

    @Option(help: "A folder on the web to download from, in place of the publisher's.")
    var mirror: String?

    @Flag(help: "No progress.")
    var quiet = false

    func validate() throws {
        if let mirror, !mirror.hasPrefix("http://"), !mirror.hasPrefix("https://") {
            throw ValidationError(
                "--mirror is '\(mirror)'; it begins with http:// or https://")
        }
    }

    func run() throws {
        let search = DatasetSearch(
            folder: data, environment: ProcessInfo.processInfo.environment)
        guard let root = search.fetchRoot else {
            throw CommandFailure(
                "there is no folder to fetch into: neither ALSWEEP_DATA nor HOME is set",
                hint: "name one with --data")
        }
        StopFlag.raiseOnTermination()
        for name in datasets where !isHere(name, search) {
            try fetch(name, into: root)
            try checkUse(of: name, search)
        }
    }

    /// A damaged copy in a place that comes earlier would be read in place of the new one.
    private func checkUse(of name: DatasetName, _ search: DatasetSearch) throws {
        let used = try search.source(of: name)
        do {
            _ = try used.verify()
        } catch {
            throw CommandFailure(
                "what is in \(used.folder) comes before what was fetched, and \(error)",
                hint: "remove the files of \(name.title) from \(used.folder)")
        }
    }

    /// Whether the files, unpacked, are somewhere in the places, with the right sums.
    private func isHere(_ name: DatasetName, _ search: DatasetSearch) -> Bool {
        do {
            let source = try search.source(of: name)
            guard !source.isArchive else { return false }
            _ = try source.verify()
            print("\(name.title) is here already: \(source.folder)")
            return true
        } catch {
            if case .notFound = error { return false }
            print("\(error); fetching it again", to: &StandardError.stream)
            return false
        }
    }

    private func fetch(_ name: DatasetName, into root: String) throws {
        let display = FetchDisplay(isQuiet: quiet)
        let fetch = DatasetFetch(PublishedDataset.of(name), root: root, mirror: mirror)
        do {
            let folder = try fetch.run(
                report: display.show, shouldStop: { StopFlag.isRaised })
            display.end()
            print("\(name.title) is here: \(folder)")
        } catch {
            display.end()
            guard error == .stopped else { throw error }
            print(
                "Stopped; what has arrived is kept, and the same command goes on there.",
                to: &StandardError.stream)
            throw ExitCode(ExitStatusCode.stopped)
        }
    }
}

/// What a fetch does, on standard error: a line for every step, and on a terminal one that is
/// renewed while a file arrives.
final class FetchDisplay {
    private let isQuiet: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var file: PublishedFile?
    private var start = (date: Date(), arrived: 0)
    private var lastUpdate = Date.distantPast

    private static let updateSeconds = 0.2

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    func show(_ step: FetchStep) {
        guard !isQuiet else { return }
        switch step {
        case .found(let path): say("\(path) is here already, with the right sums")
        case .ignored(_, let reason): say("warning: \(reason); it is not used")
        case .downloading(let file, let url, let arrived):
            if self.file != file {
                self.file = file
                start = (Date(), arrived)
                let rest = arrived > 0 ? ", of which \(megabytes(arrived)) are here" : ""
                say("Downloading \(url), \(megabytes(file.byteCount))\(rest)")
            }
            update(file, arrived)
        case .checking(let file): say("Checking \(file.name)")
        case .unpacking(let file): say("Unpacking \(file.name)")
        }
    }

    func end() { clear() }

    private func update(_ file: PublishedFile, _ arrived: Int) {
        let now = Date()
        guard isTerminal, now.timeIntervalSince(lastUpdate) >= Self.updateSeconds else { return }
        lastUpdate = now
        let seconds = now.timeIntervalSince(start.date)
        let speed = Double(arrived - start.arrived) / max(seconds, 0.001)
        let share = 100 * Double(arrived) / Double(file.byteCount)
        var text = "\(megabytes(arrived)) of \(megabytes(file.byteCount))"
        text += String(format: "  %.0f %%  %.1f MB/s", share, speed / 1e6)
        if speed > 0 {
            let remaining = Int(Double(file.byteCount - arrived) / speed)
            text += String(format: "  %d:%02d left", remaining / 60, remaining % 60)
        }
        clear()
        StandardError.stream.write(text)
    }

    private func say(_ text: String) {
        clear()
        print(text, to: &StandardError.stream)
    }

    private func clear() {
        if isTerminal, !isQuiet { StandardError.stream.write("\r\u{1B}[K") }
    }
}
