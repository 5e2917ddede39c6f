import ArgumentParser
import Datasets
import Foundation
import SweepModel

struct DataListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Which datasets are here, where they are looked for, and how to get the others.")

    @OptionGroup var places: DataPlaces

    @Option(help: "human, json or quiet.")
    var outputMode = OutputMode.human

    func run() throws {
        let search = places.search
        let entries = DatasetName.allCases.map { Entry($0, search) }
        switch outputMode {
        case .human: show(entries, search)
        case .json:
            try printJSON(
                Output(roots: search.roots, cacheFolder: search.cacheFolder, datasets: entries))
        case .quiet: break
        }
    }

    private func show(_ entries: [Entry], _ search: DatasetSearch) {
        for entry in entries {
            let name = entry.dataset.rawValue.padding(
                toLength: 14, withPad: " ", startingAt: 0)
            print(name + (entry.folder.map { "\($0)  (\(entry.summary))" } ?? entry.state))
        }
        print("\nLooked for in \(search.roots.joined(separator: ", ")).")
        if let cache = search.cacheFolder, FileManager.default.fileExists(atPath: cache) {
            print("Images ready for use are kept in \(cache), which may be deleted.")
        }
        for entry in entries {
            guard let hint = entry.hint else { continue }
            print("\(entry.dataset.rawValue): \(hint)", to: &StandardError.stream)
        }
    }
}

extension DataListCommand {
    private struct Output: Encodable {
        var schema = 1
        var roots: [String]
        var cacheFolder: String?
        var datasets: [Entry]

        enum CodingKeys: String, CodingKey {
            case schema, roots
            case cacheFolder = "cache_folder"
            case datasets
        }
    }

    private struct Entry: Encodable {
        var dataset: DatasetName
        /// found, missing, or incomplete.
        var state: String
        var folder: String?
        var files: [String] = []
        var isArchive = false
        var byteCount = 0
        var hint: String?

        enum CodingKeys: String, CodingKey {
            case dataset, state, folder, files
            case isArchive = "is_archive"
            case byteCount = "byte_count"
            case hint
        }

        init(_ name: DatasetName, _ search: DatasetSearch) {
            dataset = name
            do {
                let source = try search.source(of: name)
                state = "found"
                folder = source.folder
                files = source.paths
                isArchive = source.isArchive
                byteCount = files.reduce(0) { sum, path in
                    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
                    return sum + ((attributes?[.size] as? NSNumber)?.intValue ?? 0)
                }
            } catch {
                hint = error.hint
                if case .incomplete = error {
                    state = "incomplete: \(error.description)"
                } else {
                    state = "missing"
                }
            }
        }

        var summary: String {
            isArchive
                ? "the archive, \(megabytes(byteCount))"
                : "\(files.count) files, \(megabytes(byteCount))"
        }
    }
}
