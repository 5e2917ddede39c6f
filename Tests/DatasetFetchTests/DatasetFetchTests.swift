import Datasets
import Digests
import Foundation
import SweepModel
import Synchronization
import TestServer
import Testing

@testable import DatasetFetch

/// Fetches of a CIFAR-100 of two images, packed by the system's tar, from a server of the tests.
@Suite struct DatasetFetchTests {
    private let folder: TemporaryFolder
    private let server = TestServer()
    private let archive: [UInt8]
    private let train = [1, 99] + bytes(3_072)
    private let test = [2, 7] + bytes(3_072)
    private let name = "cifar-100-binary.tar.gz"

    init() throws {
        folder = try TemporaryFolder()
        let packing = try TemporaryFolder()
        try packing.write(train, to: "cifar-100-binary/train.bin")
        try packing.write(test, to: "cifar-100-binary/test.bin")
        // Something that does not compress, so that the archive can break off in its middle.
        let noise = try #require(FileHandle(forReadingAtPath: "/dev/urandom"))
        try packing.write(
            [UInt8](try #require(try noise.read(upToCount: 200_000))), to: "cifar-100-binary/noise")
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        tar.arguments = [
            "tar", "-C", packing.path, "-czf", packing.path + "/a", "cifar-100-binary",
        ]
        try tar.run()
        tar.waitUntilExit()
        archive = try #require(packing.bytes("a"))
    }

    private func fetch(of archive: [UInt8]? = nil, mirror: String? = nil) throws -> DatasetFetch {
        let archive = archive ?? self.archive
        try folder.write(archive, to: "sum")
        defer { try? FileManager.default.removeItem(atPath: folder.path + "/sum") }
        var published = PublishedDataset.of(.cifar100)
        published.address = server.address + "kriz/"
        published.files[0].byteCount = archive.count
        published.files[0].sha256 = try Digest(ofFile: folder.path + "/sum").hexadecimal
        published.files[0].md5 = try Digest(
            ofFile: folder.path + "/sum", algorithm: .md5
        ).hexadecimal
        published.unpackedByteCount = train.count + test.count
        var fetch = DatasetFetch(published, root: folder.path + "/data", mirror: mirror)
        fetch.retryDelaySeconds = 0.001
        return fetch
    }

    private func serve(_ bytes: [UInt8], under path: String = "/kriz/") {
        server.serve(TestServer.File(bytes), as: path + name)
    }

    private func files(_ path: String = "data") -> Set<String> {
        Set((try? FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/\(path)")) ?? [])
    }

    private func expectUnpacked() {
        #expect(files() == ["cifar-100-binary"])
        #expect(files("data/cifar-100-binary") == ["train.bin", "test.bin"])
        #expect(folder.bytes("data/cifar-100-binary/train.bin") == train)
        #expect(folder.bytes("data/cifar-100-binary/test.bin") == test)
    }

    @Test("an archive is downloaded, checked, unpacked and removed, and then found")
    func whole() throws {
        serve(archive)
        let steps = Mutex<[FetchStep]>([])
        let target = try fetch().run(report: { step in steps.withLock { $0.append(step) } })
        #expect(target == folder.path + "/data/cifar-100-binary")
        expectUnpacked()
        let search = DatasetSearch(roots: [folder.path + "/data"])
        let dataset = try search.load(.cifar100, poolCount: 1, testCount: 1)
        #expect(dataset.pool.labels == [99] && dataset.test.labels == [7])
        let file = try fetch().published.files[0]
        #expect(steps.withLock { Array($0.suffix(2)) } == [.checking(file), .unpacking(file)])
    }

    @Test("a mirror is used in place of the publisher, with and without a slash")
    func mirror() throws {
        serve(archive, under: "/a/b/")
        for address in ["a/b", "a/b/"] {
            _ = try fetch(mirror: server.address + address).run()
            expectUnpacked()
        }
        #expect(server.requests.map(\.path) == ["/a/b/" + name, "/a/b/" + name])
    }

    @Test("a fetch that was stopped goes on, and gives the same files")
    func resumed() throws {
        var file = TestServer.File(archive)
        file.stallsAfter = 100_000
        server.serve(file, as: "/kriz/" + name)
        let part = folder.path + "/data/downloads/\(name).part"
        #expect(throws: FetchError.stopped) {
            try fetch().run(shouldStop: {
                let attributes = try? FileManager.default.attributesOfItem(atPath: part)
                return (attributes?[.size] as? NSNumber)?.intValue == 100_000
            })
        }
        #expect(files("data/downloads") == [".lock", name + ".part"])
        serve(archive)
        _ = try fetch().run()
        #expect(server.requests.map(\.rangeStart) == [nil, 100_000])
        expectUnpacked()
    }

    @Test("a wrong byte is found, nothing is used, and the next fetch begins anew")
    func wrongByte() throws {
        var wrong = archive
        wrong[archive.count / 2] ^= 0x20
        serve(wrong)
        let error = #expect(throws: FetchError.self) { try fetch().run() }
        guard case .wrongFile(_, .wrongDigest(_, "sha256", _, _)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(files() == ["downloads"] && files("data/downloads") == [".lock"])
        serve(archive)
        _ = try fetch().run()
        expectUnpacked()
    }

    @Test("a beginning left by another file is thrown away, and the file downloaded whole")
    func otherBeginning() throws {
        serve(archive)
        try folder.write([UInt8](repeating: 0, count: 5_000), to: "data/downloads/\(name).part")
        _ = try fetch().run()
        #expect(server.requests.map(\.rangeStart) == [5_000, nil])
        expectUnpacked()
    }

    @Test("an archive that was copied into the data folder is unpacked without a network")
    func copied() throws {
        try folder.write(archive, to: "data/" + name)
        _ = try fetch().run()
        #expect(server.requests.isEmpty)
        #expect(files() == ["cifar-100-binary", name], "what the user copied is left there")
        #expect(folder.bytes("data/cifar-100-binary/train.bin") == train)
    }

    @Test("a damaged copy in the data folder is told, left alone, and not used")
    func damagedCopy() throws {
        serve(archive)
        try folder.write([1, 2, 3], to: "data/" + name)
        let steps = Mutex<[FetchStep]>([])
        _ = try fetch().run(report: { step in steps.withLock { $0.append(step) } })
        guard case .ignored(folder.path + "/data/" + name, _) = steps.withLock({ $0[0] }) else {
            Issue.record("the copy is not told of")
            return
        }
        #expect(folder.bytes("data/" + name) == [1, 2, 3])
        #expect(folder.bytes("data/cifar-100-binary/test.bin") == test)
    }

    @Test("damaged files are replaced, and what else is in their folder stays")
    func replaced() throws {
        serve(archive)
        try folder.write([0], to: "data/cifar-100-binary/train.bin")
        try folder.write([5], to: "data/cifar-100-binary/notes.txt")
        _ = try fetch().run()
        #expect(folder.bytes("data/cifar-100-binary/train.bin") == train)
        #expect(folder.bytes("data/cifar-100-binary/test.bin") == test)
        #expect(folder.bytes("data/cifar-100-binary/notes.txt") == [5])
        #expect(files() == ["cifar-100-binary"])
    }

    @Test("a fetch that was killed while it unpacked leaves nothing that is taken for a dataset")
    func killedWhileUnpacking() throws {
        serve(archive)
        try folder.write([0], to: "data/.cifar-100-binary.partial/train.bin")
        try folder.write([0], to: "data/.cifar-100-binary.partial/strange")
        #expect(throws: DatasetError.self) {
            try DatasetSearch(roots: [folder.path + "/data"]).source(of: .cifar100)
        }
        _ = try fetch().run()
        expectUnpacked()
    }

    @Test("a right sum does not make a hostile archive harmless")
    func hostile() throws {
        let packing = try TemporaryFolder()
        try packing.write(train, to: "d/train.bin")
        try packing.write(test, to: "d/test.bin")
        try FileManager.default.createSymbolicLink(
            atPath: packing.path + "/d/link", withDestinationPath: "/")
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        tar.arguments = ["tar", "-C", packing.path, "-czf", packing.path + "/a", "d"]
        try tar.run()
        tar.waitUntilExit()
        let hostile = try #require(packing.bytes("a"))
        serve(hostile)
        let error = #expect(throws: FetchError.self) { try fetch(of: hostile).run() }
        guard case .unusable(.refusedMember(_, "d/link", _)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(files() == ["downloads"], "no folder of the dataset, and none half made")
    }

    @Test("two fetches into one folder do not disturb each other: the second is told")
    func busy() throws {
        try folder.write([], to: "data/downloads/.lock")
        let lock = open(folder.path + "/data/downloads/.lock", O_RDWR | O_CLOEXEC)
        defer { close(lock) }
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        #expect(throws: FetchError.busy(folder: folder.path + "/data")) { try fetch().run() }
        #expect(server.requests.isEmpty)
    }

    @Test("too little space is told before the download")
    func noSpace() throws {
        serve(archive)
        var published = try fetch().published
        published.unpackedByteCount = 1 << 60
        let fetch = DatasetFetch(published, root: folder.path + "/data")
        let error = #expect(throws: FetchError.self) { try fetch.run() }
        guard case .noSpace(folder.path + "/data", let needed, let available) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(needed == 1 << 60 + archive.count && available < needed)
        #expect(server.requests.isEmpty)
    }

    @Test("the four files of Fashion-MNIST arrive together")
    func fashionMNIST() throws {
        var published = PublishedDataset.of(.fashionmnist)
        for index in published.files.indices {
            let name = published.files[index].name
            let contents = bytes(1_000 * (index + 1))
            try folder.write(contents, to: "sum")
            published.files[index].byteCount = contents.count
            published.files[index].sha256 = try Digest(ofFile: folder.path + "/sum").hexadecimal
            published.files[index].md5 = try Digest(
                ofFile: folder.path + "/sum", algorithm: .md5
            ).hexadecimal
            if index < 3 { server.serve(TestServer.File(contents), as: "/" + name) }
        }
        let last = published.files[3].name
        let fetch = DatasetFetch(published, root: folder.path + "/data", mirror: server.address)
        #expect(throws: FetchError.refused(url: server.address + last, status: 404)) {
            try fetch.run()
        }
        #expect(files() == ["downloads"])
        server.serve(TestServer.File(bytes(4_000)), as: "/" + last)
        let target = try fetch.run()
        #expect(server.requests.count == 5, "the three that had come are not downloaded again")
        #expect(files() == ["fashion-mnist"])
        #expect(files("data/fashion-mnist") == Set(published.files.map(\.name)))
        #expect(target == folder.path + "/data/fashion-mnist")
    }
}
