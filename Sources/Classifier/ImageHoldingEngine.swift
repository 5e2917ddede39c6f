/// An engine that keeps images where it computes, as bytes, and makes its batches of them there: what
/// goes to it for a batch is a list of indices.
///
/// Steps and scores are those of the same batches given as floats, but for the order of sums.
public protocol ImageHoldingEngine: ClassifierEngine {
    /// Full batches after which a run of training should be asked whether it goes on. Handing over
    /// more at once costs less.
    var batchesPerRun: Int { get }

    /// Images after which scoring should be asked whether it goes on.
    var scoredImagesPerRun: Int { get }

    /// Copies images to the engine, for as long as it lives.
    ///
    /// - Parameters:
    ///   - pixels: `(count, channels, 32, 32)`, row-major.
    ///   - channels: 1 or 3; one channel stands for all three.
    ///   - values: the normalised value of every byte, `(3, 256)`; that of 0 is the border's.
    ///   - padding: pixels of border on every side before an image is cropped.
    func hold(
        pixels: Span<UInt8>, channels: Int, values: [Float], padding: Int
    ) throws(ClassifierError) -> HeldImages

    /// Begins SGD steps on views in their order, `batchSize` at a time and the rest at the end, each as
    /// `trainStep`. It may return before they are done.
    ///
    /// - Parameter labels: classes from 0, one a view.
    func train(
        on images: HeldImages, _ views: [ImageView], labels: [Int32], batchSize: Int, optimizer: SGD
    ) throws(ClassifierError)

    /// Waits for the steps begun.
    ///
    /// - Parameter stepCount: their number since the last call.
    /// - Returns: the mean cross-entropy of each before it, in nats.
    func losses(stepCount: Int) throws(ClassifierError) -> [Float]

    /// The network's answers with running statistics.
    ///
    /// - Parameter withFeatures: whether to return what the linear layer saw, too.
    /// - Returns: logits `(views.count, classes)` and features `(views.count, featureCount)`, row-major;
    ///   features are empty if they are not asked for.
    func evaluate(
        _ images: HeldImages, _ views: [ImageView], withFeatures: Bool
    ) throws(ClassifierError) -> (logits: [Float], features: [Float])
}

/// Images that an engine holds; another engine knows nothing of them.
public struct HeldImages: Hashable, Sendable {
    package let number: Int32
    public let count: Int

    package init(number: Int32, count: Int) {
        self.number = number
        self.count = count
    }
}

/// What of a held image comes into a batch.
public struct ImageView: Hashable, Sendable {
    public var image: Int
    public var isFlipped: Bool
    /// The crop's first column and row in the image with its border, from 0 to twice the padding.
    public var column: Int
    public var row: Int

    public init(image: Int, isFlipped: Bool, column: Int, row: Int) {
        self.image = image
        self.isFlipped = isFlipped
        self.column = column
        self.row = row
    }
}
