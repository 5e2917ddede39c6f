import Foundation
import SweepModel
import Testing

@testable import Datasets

/// SplitMix64 (Steele, Lea & Flood 2014), for the same damage in every run.
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

/// Damaged files give an error or images; they never end the process. `ALSWEEP_FUZZ_ROUNDS` asks for
/// more rounds of each.
@Suite struct FuzzTests {
    private static let rounds =
        Int(ProcessInfo.processInfo.environment["ALSWEEP_FUZZ_ROUNDS"] ?? "") ?? 300

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A few changes: of bits, of whole fields to their extremes, of the length, of the order.
    private func damaged(_ bytes: [UInt8], _ generator: inout Generator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            // Headers are where damage is most interesting.
            let range = Bool.random(using: &generator) ? 0..<min(600, bytes.count) : 0..<bytes.count
            let place = Int.random(in: range, using: &generator)
            switch Int.random(in: 0..<7, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &generator)!
            case 2:
                for index in place..<min(place + 4, bytes.count) { bytes[index] = 0xff }
            case 3: bytes.removeSubrange(place...)
            case 4:
                let end = min(bytes.count, place + Int.random(in: 1...600, using: &generator))
                bytes.removeSubrange(place..<end)
            case 5:
                let end = min(bytes.count, place + Int.random(in: 1...600, using: &generator))
                bytes.insert(contentsOf: bytes[place..<end], at: place)
            default:
                bytes += (0..<Int.random(in: 1...20, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
            }
        }
        return bytes
    }

    /// - Returns: how often the damaged file was read, and refused.
    private func fuzz(
        _ original: [UInt8], seed: UInt64, read: ([UInt8]) throws -> Void
    ) throws -> (read: Int, refused: Int) {
        var generator = Generator(state: seed)
        var (readCount, refusedCount) = (0, 0)
        for _ in 0..<Self.rounds {
            let bytes = damaged(original, &generator)
            do {
                try read(bytes)
                readCount += 1
            } catch let error as DatasetError {
                refusedCount += 1
                // Every error can be told.
                #expect(!error.description.isEmpty && !error.hint.isEmpty)
            }
        }
        return (readCount, refusedCount)
    }

    @Test("damaged Fashion-MNIST files, plain and gzip", arguments: [false, true], [1, 2])
    func fashionMNIST(_ isCompressed: Bool, _ seed: UInt64) throws {
        var files = FashionFiles()
        try files.write(to: folder)
        let original = isCompressed ? gzip(files.trainImages) : files.trainImages
        let (_, refused) = try fuzz(original, seed: seed) { bytes in
            files.trainImages = bytes
            try files.write(to: folder)
            let dataset = try DatasetSearch(roots: [folder.path])
                .load(.fashionmnist, poolCount: 12, testCount: 5)
            #expect(dataset.pool.count == 12)
        }
        #expect(refused > Self.rounds / 3, "the damage was felt")
    }

    @Test("damaged CIFAR files", arguments: [1, 2])
    func cifar(_ seed: UInt64) throws {
        let original = (0..<3).flatMap { [UInt8($0), 99] + [UInt8](repeating: 7, count: 3_072) }
        try folder.write(original, to: "test.bin")
        let (_, refused) = try fuzz(original, seed: seed) { bytes in
            try folder.write(bytes, to: "train.bin")
            _ = try DatasetSearch(roots: [folder.path])
                .load(.cifar100, poolCount: 3, testCount: 3)
        }
        #expect(refused > Self.rounds / 3)
    }

    @Test(
        "damaged archives, plain and gzip, are unpacked inside their folder or refused",
        arguments: [false, true], [1, 2])
    func archive(_ isCompressed: Bool, _ seed: UInt64) throws {
        var tar = Tar()
        tar.add("cifar-100-binary/", kind: .folder)
        tar.add("cifar-100-binary/train.bin", [1, 99] + [UInt8](repeating: 5, count: 3_072))
        tar.add("cifar-100-binary/test.bin", [2, 7] + [UInt8](repeating: 6, count: 3_072))
        let original = isCompressed ? gzip(tar.finished) : tar.finished
        let target = "\(folder.path)/in/target"
        let (_, refused) = try fuzz(original, seed: seed) { bytes in
            try folder.write(bytes, to: "in/a.tar.gz")
            try? FileManager.default.removeItem(atPath: target)
            try FileManager.default.createDirectory(
                atPath: target, withIntermediateDirectories: true)
            defer {
                let files = (try? FileManager.default.contentsOfDirectory(atPath: target)) ?? []
                #expect(Set(files).isSubset(of: ["train.bin", "test.bin"]))
            }
            _ = try CIFAR(.cifar100).load(archive: "\(folder.path)/in/a.tar.gz")
            try DatasetSource.unpack(
                .cifar100, archive: "\(folder.path)/in/a.tar.gz", into: target)
        }
        #expect(refused > Self.rounds / 10)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["in"])
        #expect(
            Set(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/in"))
                == ["a.tar.gz", "target"])
    }

    @Test("damaged caches are never used", arguments: [1, 2])
    func cache(_ seed: UInt64) throws {
        try FashionFiles().write(to: folder, under: "data")
        let search = DatasetSearch(
            roots: ["\(folder.path)/data"], cacheFolder: "\(folder.path)/cache")
        let expected = try search.load(.fashionmnist, poolCount: 12, testCount: 5)
        let source = try search.source(of: .fashionmnist)
        let path = ImageCache(folder: nil).path(of: source, in: "\(folder.path)/cache")
        let original = try [UInt8](#require(FileManager.default.contents(atPath: path)))
        let prepared = try PreparedImages(source)
        var generator = Generator(state: seed)
        for _ in 0..<Self.rounds {
            let bytes = damaged(original, &generator)
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let dataset = prepared.map(path)
            #expect((dataset == nil) == (bytes != original))
            if let dataset { #expect(dataset.pool.pixels.elementsEqual(expected.pool.pixels)) }
        }
    }
}
