import Digests
import Foundation
import SweepModel
import Testing

@testable import Datasets

@Suite struct DatasetSearchTests {
    @Test("places are looked at in the order: ALSWEEP_DATA, the user's data folder, the system's")
    func order() {
        let search = DatasetSearch(environment: ["ALSWEEP_DATA": "/a", "HOME": "/h"])
        #expect(search.roots == ["/a", "/h/.local/share/alsweep", "/usr/share/datasets"])
        let places = search.places(of: .fashionmnist)
        #expect(
            places[...3] == ["/a", "/a/fashion-mnist", "/a/fashionmnist", "/a/FashionMNIST/raw"])
    }

    @Test("XDG_DATA_HOME replaces the user's data folder; an empty variable is none")
    func environment() {
        let search = DatasetSearch(
            environment: ["ALSWEEP_DATA": "", "HOME": "/h", "XDG_DATA_HOME": "/x"])
        #expect(search.roots == ["/x/alsweep", "/usr/share/datasets"])
    }

    @Test("a folder that the user names is the only place")
    func namedFolder() throws {
        let empty = try TemporaryFolder()
        let search = DatasetSearch(folder: empty.path, environment: ["ALSWEEP_DATA": "/a"])
        let error = #expect(throws: DatasetError.self) {
            try search.load(.fashionmnist, poolCount: 1, testCount: 1)
        }
        let places = ["", "/fashion-mnist", "/fashionmnist", "/FashionMNIST/raw"]
        #expect(error == .notFound(.fashionmnist, places: places.map { empty.path + $0 }))
        for place in places { #expect(error!.description.contains(empty.path + place)) }
        #expect(error!.hint.contains("apt-get install dataset-fashion-mnist"))
    }

    @Test("the first place that has the files wins")
    func firstPlace() throws {
        let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
        let search = DatasetSearch(roots: [first.path, second.path])
        try FashionFiles().write(to: second)
        #expect(try search.source(of: .fashionmnist).folder == second.path)
        try FashionFiles().write(to: first, under: "fashion-mnist")
        #expect(try search.source(of: .fashionmnist).folder == "\(first.path)/fashion-mnist")
    }

    @Test("a place that has only some of the files is an error, not a reason to go on")
    func incomplete() throws {
        let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
        try FashionFiles().write(to: first)
        try FashionFiles().write(to: second)
        try FileManager.default.removeItem(atPath: "\(first.path)/t10k-images-idx3-ubyte.gz")
        let error = DatasetError.incomplete(
            .fashionmnist, folder: first.path, missing: "t10k-images-idx3-ubyte.gz")
        #expect(throws: error) {
            try DatasetSearch(roots: [first.path, second.path])
                .load(.fashionmnist, poolCount: 1, testCount: 1)
        }
    }

    @Test("a missing CIFAR is told with the archive to unpack")
    func missingCIFAR() throws {
        let empty = try TemporaryFolder()
        let error = #expect(throws: DatasetError.self) {
            try DatasetSearch(folder: empty.path, environment: [:])
                .load(.cifar100, poolCount: 1, testCount: 1)
        }
        let places = ["", "/cifar-100-binary", "/cifar100"].map { empty.path + $0 }
        #expect(error == .notFound(.cifar100, places: places))
        #expect(error!.hint.contains("cifar-100-binary.tar.gz"))
    }
}

/// A published archive that is a file of the tests.
func published(_ name: DatasetName, archive path: String) throws -> PublishedDataset {
    var published = PublishedDataset.of(name)
    published.files[0].byteCount = try #require(FileManager.default.contents(atPath: path)).count
    published.files[0].md5 = try Digest(ofFile: path, algorithm: .md5).hexadecimal
    published.files[0].sha256 = try Digest(ofFile: path).hexadecimal
    return published
}

/// Where the fixtures lie.
func fixture(_ name: String) throws -> String {
    try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil)).path
}
