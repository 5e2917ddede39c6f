import SweepModel

/// The images of one file set, resized to 32×32 but not yet normalised, and their classes.
public struct ImageSet: Sendable {
    /// Rows and columns of every image.
    public static let side = 32
    public static let planeByteCount = side * side

    public let name: DatasetName
    /// 1 for grey, 3 for red, green, blue. Grey is copied to three channels in a batch.
    public let channels: Int
    /// `(count, channels, 32, 32)`, row-major.
    public let pixels: ImageBytes
    /// Classes from 0, one an image.
    public let labels: [UInt8]

    /// - Parameter pixels: `(labels.count, channels, 32, 32)`.
    public init(name: DatasetName, channels: Int, pixels: [UInt8], labels: [UInt8]) {
        self.init(name: name, channels: channels, pixels: ImageBytes(pixels), labels: labels)
    }

    /// - Parameter pixels: `(labels.count, channels, 32, 32)`.
    public init(name: DatasetName, channels: Int, pixels: ImageBytes, labels: [UInt8]) {
        precondition(channels == 1 || channels == 3, "an image has 1 or 3 channels")
        precondition(
            pixels.count == labels.count * channels * Self.planeByteCount,
            "\(pixels.count) pixels do not make \(labels.count) images")
        precondition(
            labels.allSatisfy { Int($0) < name.classCount }, "a label is out of its dataset's range"
        )
        self.name = name
        self.channels = channels
        self.pixels = pixels
        self.labels = labels
    }

    public var count: Int { labels.count }

    public var classCount: Int { name.classCount }

    /// Calls `body` with all pixels, `(count, channels, 32, 32)`.
    public func withPixels<Result, Failure>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // The set, and with it the memory, outlives the call.
        try body(pixels.buffer.span)
    }

    /// The first images alone, without a copy of their pixels.
    public func prefix(_ count: Int) -> ImageSet {
        let count = min(count, self.count)
        return ImageSet(
            name: name, channels: channels,
            pixels: pixels.first(count * channels * Self.planeByteCount),
            labels: Array(labels.prefix(count)))
    }
}

/// The images an experiment needs.
public struct Dataset: Sendable {
    /// Those that may be labelled.
    public let pool: ImageSet
    /// Those the network is evaluated on.
    public let test: ImageSet

    public init(pool: ImageSet, test: ImageSet) {
        self.pool = pool
        self.test = test
    }
}
