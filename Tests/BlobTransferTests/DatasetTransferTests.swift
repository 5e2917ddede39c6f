import BlobTransfer
import Foundation
import SweepModel
import Testing

/// Two files of a dataset from the coordinator.
@Suite struct DatasetTransferTests {
    private struct Receiver: BlobDatasets {
        let root: String
        let names: [String]

        func isPresent(_ name: DatasetName) -> Bool {
            FileManager.default.fileExists(atPath: root + "/there")
        }

        func receivingFolder(for name: DatasetName) throws -> String {
            try FileManager.default.createDirectory(
                atPath: root + "/partial", withIntermediateDirectories: true)
            return root + "/partial"
        }

        func isName(_ file: String, of name: DatasetName, file index: Int, count: Int) -> Bool {
            count == names.count && names.indices.contains(index) && names[index] == file
        }

        func install(_ name: DatasetName, from folder: String) throws {
            try FileManager.default.moveItem(atPath: folder, toPath: root + "/there")
        }
    }

    @Test("all files come, one after the other, and are installed in one step")
    func fetch() throws {
        let files = [("a.bin", state(5 * chunk + 3)), ("b.bin", state(10, seed: 2))]
        let place = try Workplace(datasetFiles: files.map { (name: $0.0, bytes: $0.1) })
        let receiver = Receiver(root: place.path + "/worker", names: files.map(\.0))
        let client = try place.client(datasets: receiver)
        _ = client.fetch(.cifar10)
        guard case .fetched = try client.nextOutcome() else {
            throw DeadlineMissed(what: "fetched")
        }
        for (name, content) in files {
            #expect(bytes(at: receiver.root + "/there/" + name) == content)
        }
        client.close(silenceMs: 0, limitMs: 0)
    }

    @Test("a name that is no file of the dataset, and a dataset that is nowhere, are told")
    func refused() throws {
        let place = try Workplace(datasetFiles: [(name: "sweep.yaml", bytes: [1, 2])])
        let receiver = Receiver(root: place.path + "/worker", names: ["a.bin"])
        let client = try place.client(datasets: receiver)
        _ = client.fetch(.cifar10)
        guard case .notFetched(_, .dataset(let reason)) = try client.nextOutcome() else {
            throw DeadlineMissed(what: "not fetched")
        }
        #expect(reason.contains("names no file of CIFAR-10"))
        client.close(silenceMs: 0, limitMs: 0)

        let empty = try Workplace()
        let other = try empty.client(datasets: receiver)
        _ = other.fetch(.cifar100)
        guard case .notFetched(_, .dataset(let missing)) = try other.nextOutcome() else {
            throw DeadlineMissed(what: "not fetched")
        }
        #expect(missing.contains("the coordinator has no CIFAR-100 either"))
        #expect(bytes(at: receiver.root + "/there/sweep.yaml") == nil)
        other.close(silenceMs: 0, limitMs: 0)
    }
}
