import SweepModel
import Testing

@testable import Datasets

@Suite struct CIFARTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Records whose pixels say which image and plane they belong to.
    private func records(_ labels: [[UInt8]], from first: Int = 0) -> [UInt8] {
        labels.enumerated().flatMap { index, labels in
            labels
                + (0..<3 * 1_024).map { pixel in
                    UInt8(truncatingIfNeeded: (first + index) * 50 + pixel / 1_024 * 10 + pixel % 7)
                }
        }
    }

    private func writeCIFAR10() throws {
        for batch in 0..<5 {
            let labels = [[UInt8(batch)], [UInt8(batch + 5)]]
            let bytes = records(labels, from: 2 * batch)
            try folder.write(bytes, to: "cifar-10-batches-bin/data_batch_\(batch + 1).bin")
        }
        try folder.write(records([[9], [8], [7]]), to: "cifar-10-batches-bin/test_batch.bin")
    }

    private func writeCIFAR100() throws {
        try folder.write(records([[1, 99], [19, 0], [0, 50]]), to: "train.bin")
        try folder.write(records([[2, 7]]), to: "test.bin")
    }

    private func load(
        _ name: DatasetName, poolCount: Int, testCount: Int = 1
    ) throws -> Dataset {
        try DatasetSearch(roots: [folder.path])
            .load(name, poolCount: poolCount, testCount: testCount)
    }

    @Test("the five batches of CIFAR-10 follow each other, with three planes an image")
    func cifar10() throws {
        try writeCIFAR10()
        let dataset = try load(.cifar10, poolCount: 9, testCount: 2)
        #expect(dataset.pool.labels == [0, 5, 1, 6, 2, 7, 3, 8, 4])
        #expect(dataset.test.labels == [9, 8])
        #expect(dataset.pool.channels == 3)
        for index in 0..<9 {
            for plane in 0..<3 {
                let pixel = dataset.pool.pixels[(index * 3 + plane) * 1_024]
                let offset = plane * 1_024 % 7
                #expect(pixel == UInt8(truncatingIfNeeded: index * 50 + plane * 10 + offset))
            }
        }
    }

    @Test("of CIFAR-100 the fine label counts")
    func cifar100() throws {
        try writeCIFAR100()
        let dataset = try load(.cifar100, poolCount: 3)
        #expect(dataset.pool.labels == [99, 0, 50])
        #expect(dataset.test.labels == [7])
    }

    @Test("a label that is no class is refused, also behind the images that are needed")
    func labelOutOfRange() throws {
        try writeCIFAR100()
        try folder.write(records([[1, 99], [20, 0]]), to: "train.bin")
        let path = "\(folder.path)/train.bin"
        #expect(
            throws: DatasetError.labelOutOfRange(path: path, index: 1, label: 20, classCount: 20)
        ) { try load(.cifar100, poolCount: 1) }
        try folder.write(records([[1, 100]]), to: "train.bin")
        #expect(
            throws: DatasetError.labelOutOfRange(path: path, index: 0, label: 100, classCount: 100)
        ) { try load(.cifar100, poolCount: 1) }
    }

    @Test("a file that ends inside a record is refused with both lengths")
    func truncated() throws {
        try writeCIFAR100()
        try folder.write(records([[1, 99], [3, 0]]).dropLast(1), to: "train.bin")
        #expect(
            throws: DatasetError.truncated(
                path: "\(folder.path)/train.bin", expectedByteCount: 6_148, foundByteCount: 6_147)
        ) { try load(.cifar100, poolCount: 1) }
    }

    @Test("fewer images than needed, over all files")
    func tooFewImages() throws {
        try writeCIFAR10()
        let last = "\(folder.path)/cifar-10-batches-bin/data_batch_5.bin"
        #expect(throws: DatasetError.tooFewImages(path: last, count: 10, needed: 11)) {
            try load(.cifar10, poolCount: 11)
        }
    }

    @Test(
        "a file of another kind is called what it is",
        arguments: [
            ([], "an empty file"), (Array("<html><body>".utf8), "an HTML page"),
            ([0x80, 2, 0x7d, 0x71], "a Python pickle"), ([0x50, 0x4b, 3, 4], "a ZIP archive"),
        ])
    func wrongKind(_ bytes: [UInt8], _ found: String) throws {
        try writeCIFAR100()
        try folder.write(bytes, to: "train.bin")
        #expect(
            throws: DatasetError.wrongKind(
                path: "\(folder.path)/train.bin", expected: "records of CIFAR-100", found: found)
        ) { try load(.cifar100, poolCount: 1) }
    }

    @Test("a batch that is not there is named")
    func incomplete() throws {
        try folder.write(records([[9]]), to: "test_batch.bin")
        #expect(
            throws: DatasetError.incomplete(
                .cifar10, folder: folder.path, missing: "data_batch_1.bin")
        ) { try load(.cifar10, poolCount: 1) }
    }
}
