import Digests
import Foundation
import SweepModel
import Testing

@testable import Datasets

/// The archives as they are downloaded, made by `make_cifar.py`.
@Suite struct CIFARArchiveTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func archive(_ name: DatasetName) throws -> String {
        let file = PublishedDataset.of(name).files[0].name
        let target = "\(folder.path)/\(file)"
        try FileManager.default.copyItem(atPath: try fixture(file), toPath: target)
        return target
    }

    private func search(_ name: DatasetName, _ path: String) throws -> DatasetSearch {
        let published = try published(name, archive: path)
        return DatasetSearch(roots: [folder.path]) { $0 == name ? published : .of($0) }
    }

    /// The script's formula.
    private func expectedImage(_ image: Int) -> [UInt8] {
        (0..<3).flatMap { plane in
            (0..<32).flatMap { row in
                (0..<32).map { column in
                    UInt8((97 * image + 31 * plane + 7 * row + 3 * column) % 256)
                }
            }
        }
    }

    @Test("CIFAR-10 is read from its archive, in the batches' order, not the archive's")
    func cifar10() throws {
        let search = try search(.cifar10, try archive(.cifar10))
        let dataset = try search.load(.cifar10, poolCount: 10, testCount: 3)
        #expect(dataset.pool.labels == [0, 5, 1, 6, 2, 7, 3, 8, 4, 9])
        #expect(dataset.test.labels == [9, 8, 7])
        #expect(Array(dataset.pool.pixels) == (0..<10).flatMap(expectedImage))
        #expect(Array(dataset.test.pixels) == (100..<103).flatMap(expectedImage))
    }

    @Test("CIFAR-100 is read from its archive; the fine label counts")
    func cifar100() throws {
        let search = try search(.cifar100, try archive(.cifar100))
        let dataset = try search.load(.cifar100, poolCount: 4, testCount: 1)
        #expect(dataset.pool.labels == [99, 98, 97, 96])
        #expect(dataset.test.labels == [7])
        #expect(Array(dataset.pool.pixels) == (0..<4).flatMap(expectedImage))
        #expect(Array(dataset.test.pixels) == expectedImage(200))
    }

    @Test(
        "unpacked and packed give the same images, and the unpacked files are taken first",
        arguments: [DatasetName.cifar10, .cifar100])
    func unpacked(_ name: DatasetName) throws {
        let path = try archive(name)
        let search = try search(name, path)
        let packed = try search.load(name, poolCount: 4, testCount: 1)
        let target = "\(folder.path)/\(PublishedDataset.of(name).folder)"
        try FileManager.default.createDirectory(
            atPath: target, withIntermediateDirectories: false)
        try DatasetSource.unpack(name, archive: path, into: target)
        #expect(
            Set(try FileManager.default.contentsOfDirectory(atPath: target))
                == Set(CIFAR.parts(of: name)))
        let source = try search.source(of: name)
        #expect(source.folder == target && !source.isArchive)
        let unpacked = try search.load(name, poolCount: 4, testCount: 1)
        #expect(unpacked.pool.pixels.elementsEqual(packed.pool.pixels))
        #expect(unpacked.pool.labels == packed.pool.labels)
        #expect(unpacked.test.pixels.elementsEqual(packed.test.pixels))

        // A folder that someone began to unpack is no reason to stop: the archive is complete.
        try FileManager.default.removeItem(atPath: "\(target)/\(CIFAR.parts(of: name)[0])")
        #expect(try search.source(of: name).isArchive)
    }

    @Test("an archive that is not the published one is not used, and its length or sum is told")
    func otherArchive() throws {
        let path = try archive(.cifar10)
        let search = try search(.cifar10, path)
        var bytes = try [UInt8](#require(FileManager.default.contents(atPath: path)))
        bytes[bytes.count / 2] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: DatasetError.self) {
            try search.load(.cifar10, poolCount: 1, testCount: 1)
        }
        guard case .wrongDigest(path, "sha256", _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try Data(bytes.dropLast(9)).write(to: URL(fileURLWithPath: path))
        #expect(
            throws: DatasetError.wrongLength(
                path: path, expected: bytes.count, found: bytes.count - 9)
        ) { try search.load(.cifar10, poolCount: 1, testCount: 1) }
    }

    @Test("MD5 is checked beside SHA-256")
    func md5() throws {
        let path = try archive(.cifar100)
        var file = try published(.cifar100, archive: path).files[0]
        try file.check(path)
        let md5 = file.md5
        file.md5 = String(repeating: "0", count: 32)
        #expect(
            throws: DatasetError.wrongDigest(
                path: path, algorithm: "md5", expected: file.md5, found: md5)
        ) { try file.check(path) }
    }

    @Test("verify checks an archive, and unpacked files one by one")
    func verify() throws {
        let path = try archive(.cifar100)
        var published = try published(.cifar100, archive: path)
        let found = DatasetSource(
            name: .cifar100, folder: folder.path, paths: [path], isArchive: true)
        #expect(try found.verify(published).map(\.path) == [path])

        try DatasetSource.unpack(.cifar100, archive: path, into: folder.path)
        let paths = CIFAR.parts(of: .cifar100).map { "\(folder.path)/\($0)" }
        let files = DatasetSource(
            name: .cifar100, folder: folder.path, paths: paths, isArchive: false)
        published.contentDigests = try paths.map { try Digest(ofFile: $0).hexadecimal }
        #expect(try files.verify(published).map(\.path) == paths)
        // The real dataset is another one.
        #expect(throws: DatasetError.self) { try files.verify() }

        var bytes = try [UInt8](#require(FileManager.default.contents(atPath: paths[1])))
        bytes[1_000] ^= 4
        try Data(bytes).write(to: URL(fileURLWithPath: paths[1]))
        let error = #expect(throws: DatasetError.self) { try files.verify(published) }
        #expect(error!.description.hasPrefix("\(paths[1]) is not what was published"))
    }
}
