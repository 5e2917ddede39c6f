import SweepModel

/// The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky 2009, www.cs.toronto.edu/~kriz): records
/// of one label byte, in CIFAR-100 a coarse and a fine one, and 3·1024 bytes of red, green and blue
/// planes. There is no header.
struct CIFAR {
    let name: DatasetName

    /// The files: those of the training images in their order, then that of the test images.
    static func parts(of name: DatasetName) -> [String] {
        name == .cifar10
            ? (1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin"]
            : ["train.bin", "test.bin"]
    }

    init(_ name: DatasetName) { self.name = name }

    /// Labels before an image's pixels; the last one counts.
    private var labelByteCount: Int { name == .cifar10 ? 1 : 2 }

    /// Values of each label byte.
    private var labelRanges: [Range<Int>] { name == .cifar10 ? [0..<10] : [0..<20, 0..<100] }

    private static let imageByteCount = 3 * ImageSet.planeByteCount

    private var recordByteCount: Int { labelByteCount + Self.imageByteCount }

    /// Images in the order of their records.
    private struct Images {
        /// `(count, 3, 32, 32)`.
        var pixels: [UInt8] = []
        var labels: [UInt8] = []

        mutating func append(_ other: Images) {
            pixels += other.pixels
            labels += other.labels
        }
    }

    /// All images of unpacked files.
    ///
    /// - Parameter paths: in the order of `parts(of:)`.
    func load(paths: [String]) throws(DatasetError) -> Dataset {
        var pool = Images()
        for path in paths.dropLast() { pool.append(try images(ofFile: path)) }
        return dataset(pool, try images(ofFile: paths.last!))
    }

    /// All images of an archive, whatever the order of its members.
    func load(archive path: String) throws(DatasetError) -> Dataset {
        let parts = Self.parts(of: name)
        var found: [Images?] = Array(repeating: nil, count: parts.count)
        var archive = try DatasetArchive(path: path)
        while let member = try archive.next() {
            guard let part = parts.firstIndex(of: lastComponent(of: member)) else { continue }
            guard found[part] == nil else {
                throw .refusedMember(path: path, member: member, reason: "is there twice")
            }
            found[part] = try images(of: &archive)
        }
        if let missing = found.firstIndex(where: { $0 == nil }) {
            throw .incomplete(name, folder: path, missing: parts[missing])
        }
        var pool = Images()
        for images in found.dropLast() { pool.append(images!) }
        return dataset(pool, found.last!!)
    }

    private func dataset(_ pool: Images, _ test: Images) -> Dataset {
        func set(_ images: Images, _ limit: Int) -> ImageSet {
            ImageSet(name: name, channels: 3, pixels: images.pixels, labels: images.labels)
                .prefix(limit)
        }
        return Dataset(pool: set(pool, name.fullPoolCount), test: set(test, name.fullTestCount))
    }

    private func images(ofFile path: String) throws(DatasetError) -> Images {
        var file = try InflatingFile(path: path)
        return try images(of: &file)
    }

    /// Reads records to the end.
    private func images<Source: ByteSource & ~Copyable>(
        of source: inout Source
    ) throws(DatasetError) -> Images {
        var images = Images()
        var record = [UInt8](repeating: 0, count: recordByteCount)
        while true {
            var bytes = record.mutableSpan
            let readCount = try source.read(into: &bytes)
            let index = images.labels.count
            if index == 0 { try checkKind(of: record[..<readCount], path: source.path) }
            guard readCount > 0 else { return images }
            guard readCount == recordByteCount else {
                throw .truncated(
                    path: source.path, expectedByteCount: (index + 1) * recordByteCount,
                    foundByteCount: index * recordByteCount + readCount)
            }
            for (position, range) in labelRanges.enumerated()
            where !range.contains(Int(record[position])) {
                throw .labelOutOfRange(
                    path: source.path, index: index, label: Int(record[position]),
                    classCount: range.upperBound)
            }
            guard index < name.fullPoolCount else {
                throw .absurdCount(
                    path: source.path, count: index + 1, maximum: name.fullPoolCount)
            }
            images.labels.append(record[labelByteCount - 1])
            images.pixels += record[labelByteCount...]
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

/// What follows the last slash.
func lastComponent(of path: String) -> String {
    String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
}
