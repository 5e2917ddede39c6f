import BlobTransfer
import Datasets
import Foundation
import Glibc
import SweepModel

/// Puts datasets that come from the coordinator where `alsweep data fetch` puts them.
struct ReceivedDatasets: BlobDatasets {
    let search: DatasetSearch

    func isPresent(_ name: DatasetName) -> Bool {
        (try? search.source(of: name)) != nil
    }

    func receivingFolder(for name: DatasetName) throws -> String {
        guard let root = search.fetchRoot else {
            throw CommandFailure(
                "no place for \(name.title): neither --data nor ALSWEEP_DATA nor HOME is set",
                hint: "start the worker with --data FOLDER")
        }
        // Workers that share the folder do not meet in it.
        let folder = "\(root)/.\(PublishedDataset.of(name).folder).\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    func isName(_ file: String, of name: DatasetName, file index: Int, count: Int) -> Bool {
        name.isFileName(file, ofFile: index, count: count)
    }

    func install(_ name: DatasetName, from folder: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let received = DatasetSearch(roots: [folder])
            _ = try received.source(of: name).verify()
        } catch {
            throw CommandFailure("what the coordinator gave is not \(name.title): \(error)")
        }
        let target = folder[..<folder.lastIndex(of: "/")!] + "/" + PublishedDataset.of(name).folder
        guard rename(folder, String(target)) != 0 else { return }
        // Another worker of this machine was faster.
        guard (errno == ENOTEMPTY || errno == EEXIST), isPresent(name) else {
            throw CommandFailure(
                "\(name.title) cannot be put at \(target): \(String(cString: strerror(errno)))",
                hint: "move away what is there, or start the worker with --data FOLDER")
        }
    }
}
