import SweepModel

/// The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky 2009, www.cs.toronto.edu/~kriz): records
/// of one label byte, in CIFAR-100 a coarse and a fine one, and 3·1024 bytes of red, green and blue
/// planes. There is no header.
struct CIFAR {
    let name: DatasetName
    let trainFiles: [String]
    let testFile: String

    static func parts(of name: DatasetName) -> [[String]] {
        name == .cifar10
            ? (1...5).map { ["data_batch_\($0).bin"] } + [["test_batch.bin"]]
            : [["train.bin"], ["test.bin"]]
    }

    /// - Parameter paths: in the order of `parts(of:)`.
    init(_ name: DatasetName, paths: [String]) {
        self.name = name
        trainFiles = paths.dropLast()
        testFile = paths.last!
    }

    /// Labels before an image's pixels; the last one counts.
    private var labelByteCount: Int { name == .cifar10 ? 1 : 2 }

    /// Values of each label byte.
    private var labelRanges: [Range<Int>] { name == .cifar10 ? [0..<10] : [0..<20, 0..<100] }

    private static let imageByteCount = 3 * ImageSet.planeByteCount

    private var recordByteCount: Int { labelByteCount + Self.imageByteCount }

    func load(poolCount: Int, testCount: Int) throws(DatasetError) -> Dataset {
        Dataset(
            pool: try images(trainFiles, count: poolCount),
            test: try images([testFile], count: testCount))
    }

    /// The first images of files that follow each other; a file behind the last needed image is
    /// not read.
    private func images(_ paths: [String], count: Int) throws(DatasetError) -> ImageSet {
        var pixels: [UInt8] = []
        var labels: [UInt8] = []
        pixels.reserveCapacity(count * Self.imageByteCount)
        var available = 0
        for path in paths where available < count {
            available += try append(path, upTo: count, to: &pixels, &labels)
        }
        guard labels.count == count else {
            throw .tooFewImages(path: paths.last!, count: available, needed: count)
        }
        return ImageSet(name: name, channels: 3, pixels: pixels, labels: labels)
    }

    /// Appends a file's images until there are `count` in all, and reads the rest of the file too.
    ///
    /// - Returns: the images in the file.
    private func append(
        _ path: String, upTo count: Int, to pixels: inout [UInt8], _ labels: inout [UInt8]
    ) throws(DatasetError) -> Int {
        var file = try InflatingFile(path: path)
        var record = [UInt8](repeating: 0, count: recordByteCount)
        var recordCount = 0
        while true {
            var bytes = record.mutableSpan
            let readCount = try file.read(into: &bytes)
            if recordCount == 0 { try checkKind(of: record[..<readCount], path: path) }
            guard readCount > 0 else { return recordCount }
            guard readCount == recordByteCount else {
                throw .truncated(
                    path: path, expectedByteCount: (recordCount + 1) * recordByteCount,
                    foundByteCount: recordCount * recordByteCount + readCount)
            }
            for (position, range) in labelRanges.enumerated()
            where !range.contains(Int(record[position])) {
                throw .labelOutOfRange(
                    path: path, index: recordCount, label: Int(record[position]),
                    classCount: range.upperBound)
            }
            recordCount += 1
            guard labels.count < count else { continue }
            labels.append(record[labelByteCount - 1])
            pixels += record[labelByteCount...]
        }
    }

    /// Records have no magic bytes, but most of what may lie there by mistake has some that no
    /// record begins with.
    private func checkKind(of start: ArraySlice<UInt8>, path: String) throws(DatasetError) {
        let found = FileKind(start)
        switch found {
        case .empty, .html, .zip, .gzip, .pickle:
            throw .wrongKind(
                path: path, expected: "records of \(name.title)", found: found.title)
        case .idxLabels, .idxImages, .idx, .other: return
        }
    }
}
