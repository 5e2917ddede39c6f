/// What happens to one image on its way into a batch: a flip, then a 32×32 crop of the image
/// padded by 4 zeros on every side.
public struct Augmentation: Hashable, Sendable {
    /// Zeros added on every side before the crop.
    public static let padding = 4
    /// A crop starts at one of these many columns, and rows.
    public static let offsetCount = 2 * padding + 1

    public var isFlipped: Bool
    /// The crop's first column and row in the padded image, 0...8; 4 is the image itself.
    public var column: Int
    public var row: Int

    /// The test transform's.
    public static let none = Augmentation(isFlipped: false, column: padding, row: padding)

    public init(isFlipped: Bool, column: Int, row: Int) {
        precondition(
            (0..<Self.offsetCount).contains(column) && (0..<Self.offsetCount).contains(row),
            "a crop starts in 0...8")
        self.isFlipped = isFlipped
        self.column = column
        self.row = row
    }
}

/// Writes normalised images into batches.
public struct BatchAssembly: Sendable {
    /// Floats of one image: 3·32·32.
    public static let imageFloatCount = 3 * ImageSet.planeByteCount

    public let images: ImageSet

    /// Normalised values, `(3, 256)`.
    private let table: [Float]

    public init(_ images: ImageSet) {
        self.images = images
        let normalization = Normalization(of: images.name)
        table = (0..<3).flatMap(normalization.table(ofChannel:))
    }

    /// Writes one image as three normalised channels. The padding is normalised like any pixel, so
    /// a border is (0 − mean)/standard deviation.
    ///
    /// - Parameters:
    ///   - index: of the image in its set.
    ///   - slot: the image's place in the batch.
    ///   - batch: NCHW `(count, 3, 32, 32)`; only the slot's image is overwritten.
    public func write(
        _ index: Int, _ augmentation: Augmentation = .none, toSlot slot: Int,
        of batch: inout MutableSpan<Float>
    ) {
        let planeCount = ImageSet.planeByteCount
        let pixels = images.pixels.buffer.span
        let table = table.span
        for channel in 0..<3 {
            let plane = index * images.channels + (images.channels == 3 ? channel : 0)
            write(
                pixels.extracting(plane * planeCount..<(plane + 1) * planeCount),
                through: table.extracting(channel * 256..<(channel + 1) * 256), augmentation,
                to: &batch, from: slot * Self.imageFloatCount + channel * planeCount)
        }
    }

    /// - Parameters:
    ///   - plane: `(32, 32)`.
    ///   - values: the normalised value of every byte; that of 0 is the border's.
    ///   - start: where the plane begins in the batch.
    private func write(
        _ plane: Span<UInt8>, through values: Span<Float>, _ augmentation: Augmentation,
        to batch: inout MutableSpan<Float>, from start: Int
    ) {
        let side = ImageSet.side
        let firstColumn = augmentation.column - Augmentation.padding
        let firstRow = augmentation.row - Augmentation.padding
        // The columns of the crop that lie in the image; the rest is border.
        let columns = max(0, -firstColumn)..<min(side, side - firstColumn)
        for row in 0..<side {
            let target = start + row * side
            for column in 0..<side { batch[target + column] = values[0] }
            let sourceRow = row + firstRow
            guard (0..<side).contains(sourceRow) else { continue }
            for column in columns {
                let sourceColumn = column + firstColumn
                let pixel = augmentation.isFlipped ? side - 1 - sourceColumn : sourceColumn
                batch[target + column] = values[Int(plane[sourceRow * side + pixel])]
            }
        }
    }
}
