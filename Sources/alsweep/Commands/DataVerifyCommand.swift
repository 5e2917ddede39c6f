import ArgumentParser
import Datasets
import Foundation
import SweepModel

struct DataVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check that datasets are what was published, and read every image of them.",
        discussion: "Exits with 1 if one is damaged or missing.")

    @Argument(help: "cifar10, cifar100, fashionmnist. Default: those that are here.")
    var datasets: [DatasetName] = []

    @OptionGroup var places: DataPlaces

    @Option(help: "human, json or quiet.")
    var outputMode = OutputMode.human

    func run() throws {
        let search = places.search
        let names = datasets.isEmpty ? present(search) : datasets
        guard !names.isEmpty else {
            throw CommandFailure(
                "no dataset is in \(search.roots.joined(separator: ", "))",
                hint: "`alsweep data list` says how to get them")
        }
        var results: [Result] = []
        for name in names { results.append(verify(name, search)) }
        if outputMode == .json { try printJSON(Output(datasets: results)) }
        if results.contains(where: { $0.error != nil }) { throw ExitCode(ExitStatusCode.failed) }
    }

    /// Those of which there is anything: a damaged one is not passed over.
    private func present(_ search: DatasetSearch) -> [DatasetName] {
        DatasetName.allCases.filter { name in
            do throws(DatasetError) {
                _ = try search.source(of: name)
                return true
            } catch {
                if case .notFound = error { return false }
                return true
            }
        }
    }

    private func verify(_ name: DatasetName, _ search: DatasetSearch) -> Result {
        var result = Result(dataset: name)
        do {
            result.files = try search.source(of: name).verify().map {
                Result.File(path: $0.path, byteCount: $0.byteCount, sha256: $0.sha256)
            }
            guard outputMode == .human else { return result }
            for file in result.files {
                print(
                    "\(file.path)  \(megabytes(file.byteCount))  SHA-256 \(file.sha256.prefix(16))…"
                )
            }
            print("\(name.title) is what was published.")
        } catch {
            result.error = error.description
            CommandFailure(explaining: error).printToStandardError()
        }
        return result
    }
}

extension DataVerifyCommand {
    private struct Output: Encodable {
        var schema = 1
        var datasets: [Result]
    }

    private struct Result: Encodable {
        struct File: Encodable {
            var path: String
            var byteCount: Int
            var sha256: String

            enum CodingKeys: String, CodingKey {
                case path
                case byteCount = "byte_count"
                case sha256
            }
        }

        var dataset: DatasetName
        var files: [File] = []
        var error: String?
    }
}
