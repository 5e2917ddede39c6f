import SweepModel

/// Fashion-MNIST's four IDX files (Xiao et al. 2017, arXiv:1708.07747), plain or gzip.
struct FashionMNIST {
    static let side = 28

    let trainImages: String
    let trainLabels: String
    let testImages: String
    let testLabels: String

    /// - Parameter paths: in the order of `parts`.
    init(paths: [String]) {
        precondition(paths.count == Self.parts.count, "Fashion-MNIST has four files")
        trainImages = paths[0]
        trainLabels = paths[1]
        testImages = paths[2]
        testLabels = paths[3]
    }

    /// Every name under which a file may lie in a folder: with a dash as in the original, with a
    /// dot as some mirrors have it, compressed or not.
    static func names(_ part: String, _ kind: String) -> [String] {
        ["\(part)-\(kind)-ubyte", "\(part).\(kind)-ubyte"].flatMap { ["\($0).gz", $0] }
    }

    static let parts = [
        names("train-images", "idx3"), names("train-labels", "idx1"),
        names("t10k-images", "idx3"), names("t10k-labels", "idx1"),
    ]

    /// The first images of the training files as pool, and those of the test files.
    func load() throws(DatasetError) -> Dataset {
        let name = DatasetName.fashionmnist
        return Dataset(
            pool: try images(trainImages, labels: trainLabels, limit: name.fullPoolCount),
            test: try images(testImages, labels: testLabels, limit: name.fullTestCount))
    }

    private func images(
        _ imagesPath: String, labels labelsPath: String, limit: Int
    ) throws(DatasetError) -> ImageSet {
        let imageFile = try IDXFile(path: imagesPath, kind: .images)
        guard imageFile.dimensions == [Self.side, Self.side] else {
            throw .wrongDimensions(
                path: imagesPath, expected: "\(Self.side)×\(Self.side)",
                found: imageFile.dimensions.map(String.init).joined(separator: "×"))
        }
        let labelFile = try IDXFile(path: labelsPath, kind: .labels)
        guard imageFile.count == labelFile.count else {
            throw .countsDiffer(
                images: imagesPath, imageCount: imageFile.count, labels: labelsPath,
                labelCount: labelFile.count)
        }
        let count = min(imageFile.count, limit)
        let labels = try labelFile.prefix(count, itemByteCount: 1)
        let classCount = DatasetName.fashionmnist.classCount
        if let index = labels.firstIndex(where: { Int($0) >= classCount }) {
            throw .labelOutOfRange(
                path: labelsPath, index: index, label: Int(labels[index]), classCount: classCount)
        }
        let raw = try imageFile.prefix(count, itemByteCount: Self.side * Self.side)
        let resize = BilinearResize(from: Self.side, to: ImageSet.side)
        return ImageSet(
            name: .fashionmnist, channels: 1, pixels: resize.resized(raw), labels: labels)
    }
}
