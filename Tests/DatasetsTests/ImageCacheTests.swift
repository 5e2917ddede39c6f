import Foundation
import SweepModel
import Testing

@testable import Datasets

@Suite struct ImageCacheTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try FashionFiles().write(to: folder, under: "data")
    }

    private var cacheFolder: String { "\(folder.path)/a/cache" }

    private func load(cacheFolder: String? = nil) throws -> Dataset {
        try DatasetSearch(
            roots: ["\(folder.path)/data"], cacheFolder: cacheFolder ?? self.cacheFolder
        ).load(.fashionmnist, poolCount: 10, testCount: 5)
    }

    /// Two changes inside one tick of the kernel's clock would have the same time.
    private func write(_ files: FashionFiles) throws {
        try files.write(to: folder, under: "data")
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/data") {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1_600_000_000)],
                ofItemAtPath: "\(folder.path)/data/\(name)")
        }
    }

    private func cacheFile() throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: cacheFolder)
            .filter { $0.hasSuffix(".images") }
        try #require(names.count == 1)
        return "\(cacheFolder)/\(names[0])"
    }

    private func bytes(_ path: String) throws -> [UInt8] {
        try [UInt8](#require(FileManager.default.contents(atPath: path)))
    }

    /// The mappings of a file in this process, and sums of their lines in smaps, in KiB.
    private func mappings(of path: String) throws -> (count: Int, kibibytes: [String: Int]) {
        var count = 0
        var sums: [String: Int] = [:]
        var isInside = false
        // A file of /proc says that it is empty; so it is read, not loaded.
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
        let text = String(decoding: file.readDataToEndOfFile(), as: UTF8.self)
        #expect(text.contains("VmFlags"), "\(text.prefix(80))")
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            if words[0].contains("-"), !words[0].hasSuffix(":") {
                isInside = line.hasSuffix(path)
                count += isInside ? 1 : 0
                if isInside { #expect(words[1] == "r--s", "shared, to be read only") }
            } else if isInside, words.count == 3, words[2] == "kB" {
                sums[String(words[0].dropLast()), default: 0] += Int(words[1])!
            }
        }
        return (count, sums)
    }

    @Test("images from the cache equal those from the files, to the byte")
    func equal() throws {
        let read = try DatasetSearch(roots: ["\(folder.path)/data"])
            .load(.fashionmnist, poolCount: 10, testCount: 5)
        for dataset in [try load(), try load()] {
            #expect(dataset.pool.pixels.elementsEqual(read.pool.pixels))
            #expect(dataset.test.pixels.elementsEqual(read.test.pixels))
            #expect(dataset.pool.labels == read.pool.labels)
            #expect(dataset.test.labels == read.test.labels)
        }
    }

    @Test("whoever uses the images maps the same pages: nothing of them is a process's own")
    func shared() throws {
        let first = try load()
        let second = try load()
        let path = try cacheFile()
        #expect(first.pool.pixels.elementsEqual(second.pool.pixels))
        let (count, sums) = try withExtendedLifetime((first, second)) {
            try mappings(of: path)
        }
        try #require(count == 2)
        #expect(sums["Private_Dirty"] == 0 && sums["Private_Clean"] == 0, "\(sums)")
        #expect(sums["Shared_Clean", default: 0] + sums["Shared_Dirty", default: 0] >= 2 * 15)
        // Each mapping's proportional share is half of what it sees.
        #expect(2 * sums["Pss"]! == sums["Rss"]!)
    }

    @Test("the first images are a view of the same memory")
    func prefix() throws {
        let dataset = try load()
        let few = dataset.pool.prefix(3)
        #expect(few.pixels.buffer.baseAddress == dataset.pool.pixels.buffer.baseAddress)
        #expect(few.pixels.count == 3 * 1_024)
    }

    @Test("the images are prepared again when a file they come from changes")
    func stale() throws {
        _ = try load()
        let old = try bytes(try cacheFile())
        var files = FashionFiles()
        files.testLabels[8] = 1
        try write(files)
        #expect(try load().test.labels == [1, 8, 7, 6, 5])
        #expect(try bytes(try cacheFile()) != old)
    }

    @Test("a damaged cache is made anew, wherever the damage is")
    func damaged() throws {
        _ = try load()
        let path = try cacheFile()
        let intact = try bytes(path)
        let changes = [0, 8, 16, 24, 33, 40, 71, 4_096, intact.count - 20, intact.count - 1]
        var damaged = changes.map { place in
            var bytes = intact
            bytes[place] ^= 1
            return bytes
        }
        damaged += [intact.dropLast(), intact + [0], Array(intact[..<4_096]), [1, 2], []]
        for bytes in damaged {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            #expect(try load().pool.labels == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
            #expect(try self.bytes(path) == intact)
        }
    }

    @Test("a source that is damaged later is still found when the cache is stale")
    func damagedSource() throws {
        _ = try load()
        var files = FashionFiles()
        files.trainImages.removeLast()
        try write(files)
        #expect(throws: DatasetError.self) { try load() }
    }

    @Test("where nothing can be written the images are in the process's own memory")
    func unwritable() throws {
        // A file in the place of the folder: not even root can write below it.
        try folder.write([], to: "file")
        let dataset = try load(cacheFolder: "\(folder.path)/file/cache")
        #expect(dataset.pool.labels == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(dataset.pool.pixels.count == 10 * 1_024)
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/file/cache"))
    }

    @Test("many that start at once prepare the images once, and leave no partial file")
    func concurrent() async throws {
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            let (path, cacheFolder) = (folder.path, cacheFolder)
            for _ in 0..<8 {
                group.addTask {
                    Array(
                        try DatasetSearch(roots: ["\(path)/data"], cacheFolder: cacheFolder)
                            .load(.fashionmnist, poolCount: 10, testCount: 5).pool.pixels)
                }
            }
            let expected = BilinearResize(from: 28, to: 32).resized(rawPixels(count: 10))
            for try await pixels in group { #expect(pixels == expected) }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: cacheFolder)
        #expect(names.count == 2 && !names.contains { $0.hasSuffix(".partial") }, "\(names)")
    }

    @Test("the cache is in XDG_CACHE_HOME, else in the home's .cache; without both there is none")
    func place() {
        func folder(_ environment: [String: String]) -> String? {
            DatasetSearch(folder: "/d", environment: environment).cacheFolder
        }
        #expect(folder(["HOME": "/h"]) == "/h/.cache/alsweep")
        #expect(folder(["HOME": "/h", "XDG_CACHE_HOME": "/x"]) == "/x/alsweep")
        #expect(folder([:]) == nil)
    }
}
