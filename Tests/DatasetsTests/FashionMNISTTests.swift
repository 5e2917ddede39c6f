import Foundation
import SweepModel
import Testing

@testable import Datasets

@Suite struct FashionMNISTTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var search: DatasetSearch { DatasetSearch(roots: [folder.path]) }

    private func load(_ files: FashionFiles) throws -> Dataset {
        try files.write(to: folder)
        return try search.load(.fashionmnist, poolCount: 10, testCount: 5)
    }

    private func expectError(_ error: DatasetError, of files: FashionFiles) {
        #expect(throws: error) { try load(files) }
    }

    private func path(_ name: String) -> String { "\(folder.path)/\(name)" }

    private var trainImages: String { path("train-images-idx3-ubyte.gz") }
    private var trainLabels: String { path("train-labels-idx1-ubyte.gz") }

    @Test("the first images of plain files are loaded, resized, with their labels")
    func plain() throws {
        let dataset = try load(FashionFiles())
        #expect(dataset.pool.count == 10)
        #expect(dataset.pool.channels == 1)
        #expect(dataset.pool.labels == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(dataset.test.labels == [9, 8, 7, 6, 5])
        let expected = BilinearResize(from: 28, to: 32).resized(rawPixels(count: 10))
        #expect(Array(dataset.pool.pixels) == expected)
    }

    @Test("gzip files, in one member or two, load as plain ones")
    func compressed() throws {
        let plain = try load(FashionFiles())
        var files = FashionFiles()
        files.trainImages = gzip(files.trainImages)
        files.trainLabels =
            gzip(Array(files.trainLabels[..<9])) + gzip(Array(files.trainLabels[9...]))
        let compressed = try load(files)
        #expect(compressed.pool.pixels.elementsEqual(plain.pool.pixels))
        #expect(compressed.pool.labels == plain.pool.labels)
    }

    @Test("files may be named with a dot, and be gzip without .gz")
    func namedWithDots() throws {
        let files = FashionFiles()
        try folder.write(gzip(files.trainImages), to: "fashionmnist/train-images.idx3-ubyte")
        try folder.write(files.trainLabels, to: "fashionmnist/train-labels.idx1-ubyte")
        try folder.write(files.testImages, to: "fashionmnist/t10k-images.idx3-ubyte")
        try folder.write(gzip(files.testLabels), to: "fashionmnist/t10k-labels.idx1-ubyte.gz")
        let dataset = try search.load(.fashionmnist, poolCount: 12, testCount: 5)
        #expect(dataset.pool.count == 12)
        #expect(try search.source(of: .fashionmnist).folder == path("fashionmnist"))
    }

    @Test("a truncated gzip file is named", arguments: [1, 8, 2_000])
    func truncatedGzip(_ missingCount: Int) {
        var files = FashionFiles()
        files.trainImages = gzip(files.trainImages).dropLast(missingCount)
        expectError(
            .truncatedGzip(path: trainImages, byteCount: files.trainImages.count), of: files)
    }

    @Test("a damaged gzip file is named, also where only images behind the needed ones suffer")
    func damagedGzip() {
        var files = FashionFiles()
        files.trainImages = gzip(files.trainImages)
        files.trainImages[files.trainImages.count - 100] ^= 1
        expectError(.damagedGzip(path: trainImages, reason: "incorrect data check"), of: files)
    }

    @Test("what follows compressed data is not ignored")
    func gzipWithTail() {
        var files = FashionFiles()
        files.trainImages = gzip(files.trainImages) + [1, 2, 3]
        expectError(
            .damagedGzip(path: trainImages, reason: "bytes follow the compressed data"), of: files)
    }

    @Test(
        "an IDX file that breaks off in its items or its header is named", arguments: [9_416, 10])
    func truncatedIDX(_ byteCount: Int) {
        var files = FashionFiles()
        files.trainImages = Array(files.trainImages[..<byteCount])
        let expectedCount = byteCount == 10 ? 16 : 9_424
        expectError(
            .truncated(
                path: trainImages, expectedByteCount: expectedCount, foundByteCount: byteCount),
            of: files)
    }

    @Test("bytes after the announced items are refused")
    func trailingBytes() {
        var files = FashionFiles()
        files.trainLabels += [0]
        expectError(.trailingBytes(path: trainLabels, expectedByteCount: 20), of: files)
    }

    @Test(
        "a file of another kind is called what it is",
        arguments: [
            (idxLabels([1, 2, 3]), "an IDX file of labels"),
            (gzip(idxLabels([1, 2, 3])), "a gzip of an IDX file of labels"),
            (
                gzip(Array("something else".utf8)),
                "a gzip of a file that begins with the bytes 73 6f 6d 65"
            ),
            (gzip(gzip(idxImages(count: 12))), "a gzip of a gzip file"),
            (Array("<!DOCTYPE html><html>".utf8), "an HTML page"),
            (Array("PK\u{3}\u{4}".utf8), "a ZIP archive"),
            ([0, 0, 13, 3, 0, 0], "an IDX file of type 13 with 3 dimensions"),
            ([], "an empty file"),
        ])
    func wrongKind(_ bytes: [UInt8], _ found: String) {
        var files = FashionFiles()
        files.trainImages = bytes
        expectError(
            .wrongKind(path: trainImages, expected: "an IDX file of images", found: found),
            of: files)
    }

    @Test("images where labels belong are called so")
    func imagesForLabels() {
        var files = FashionFiles()
        files.trainLabels = files.trainImages
        expectError(
            .wrongKind(
                path: trainLabels, expected: "an IDX file of labels",
                found: "an IDX file of images"), of: files)
    }

    @Test("as many labels as images")
    func countsDiffer() {
        var files = FashionFiles()
        files.trainLabels = idxLabels([UInt8](repeating: 0, count: 11))
        expectError(
            .countsDiffer(
                images: trainImages, imageCount: 12, labels: trainLabels, labelCount: 11),
            of: files)
    }

    @Test("images of another size are refused")
    func wrongDimensions() {
        var files = FashionFiles()
        files.trainImages = idxImages(count: 12, side: 27)
        expectError(
            .wrongDimensions(path: trainImages, expected: "28×28", found: "27×27"), of: files)
    }

    @Test("a label that is no class is refused with its place")
    func labelOutOfRange() {
        var files = FashionFiles()
        files.trainLabels[8 + 7] = 10
        expectError(
            .labelOutOfRange(path: trainLabels, index: 7, label: 10, classCount: 10), of: files)
    }

    @Test("a header that announces billions of images is refused before any is allocated")
    func absurdCount() {
        var files = FashionFiles()
        files.trainImages = idxImages(count: 12, announced: 0xffff_ffff)
        expectError(
            .absurdCount(path: trainImages, count: 0xffff_ffff, maximum: 1_000_000), of: files)
    }

    @Test("absurd dimensions are refused before any image is allocated")
    func absurdDimensions() {
        var files = FashionFiles()
        files.trainImages.replaceSubrange(8..<16, with: [UInt8](repeating: 0xff, count: 8))
        expectError(
            .wrongDimensions(
                path: trainImages, expected: "28×28", found: "4294967295×4294967295"), of: files)
    }

    @Test("fewer images than the experiment takes are refused")
    func tooFewImages() throws {
        try FashionFiles().write(to: folder)
        #expect(throws: DatasetError.tooFewImages(path: trainImages, count: 12, needed: 13)) {
            try search.load(.fashionmnist, poolCount: 13, testCount: 5)
        }
    }

    @Test("a folder in the place of a file is unreadable")
    func unreadable() throws {
        try FashionFiles().write(to: folder)
        try FileManager.default.removeItem(atPath: trainImages)
        try FileManager.default.createDirectory(
            atPath: trainImages, withIntermediateDirectories: false)
        #expect(throws: DatasetError.unreadable(path: trainImages, code: EISDIR)) {
            try search.load(.fashionmnist, poolCount: 10, testCount: 5)
        }
    }

    private static let systemFolder =
        try? DatasetSearch(roots: [DatasetSearch.systemRoot]).source(of: .fashionmnist).folder

    @Test(
        "Debian's package holds the images of the fixture, and no test image is missing",
        .enabled(if: systemFolder != nil, "apt-get install dataset-fashion-mnist"))
    func installedPackage() throws {
        let search = DatasetSearch(roots: [DatasetSearch.systemRoot])
        let folder = try #require(Self.systemFolder)
        let fixture = try ResizeFixture()
        let count = fixture.indices.max()! + 1
        let file = try IDXFile(path: "\(folder)/train-images-idx3-ubyte.gz", kind: .images)
        #expect(file.count == 60_000)
        let raw = try file.prefix(count, itemByteCount: 784)
        let dataset = try search.load(.fashionmnist, poolCount: count, testCount: 10_000)
        for (row, index) in fixture.indices.enumerated() {
            let found = dataset.pool.pixels[index * 1_024..<(index + 1) * 1_024]
            #expect(Array(found) == fixture.resized(row), "image \(index)")
            let rawImage = raw[index * 784..<(index + 1) * 784]
            #expect(rawImage == fixture.raw[row * 784..<(row + 1) * 784], "image \(index)")
        }
        // 1,000 of each class: Xiao et al. 2017, arXiv:1708.07747.
        for label in 0..<10 {
            #expect(dataset.test.labels.count { Int($0) == label } == 1_000)
        }
    }
}
