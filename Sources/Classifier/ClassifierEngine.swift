/// A network that can be trained and asked, whichever library executes it.
///
/// An engine is used by one thread at a time.
public protocol ClassifierEngine: AnyObject {
    var network: ResNet18 { get }
    var precision: Precision { get }

    /// Replaces parameters and running statistics, and forgets the optimiser's momentum.
    func load(_ state: NetworkState) throws(ClassifierError)

    /// Parameters and running statistics, in PyTorch's layouts.
    func state() throws(ClassifierError) -> NetworkState

    /// Forgets the momentum: the next training step is an optimiser's first.
    func restartOptimizer()

    /// One SGD step on the mean cross-entropy of a batch, with batch statistics.
    ///
    /// - Parameters:
    ///   - images: normalised, NCHW `(labels.count, 3, 32, 32)`.
    ///   - labels: classes from 0, one an image; at least 1.
    /// - Returns: the batch's mean cross-entropy before the step, in nats.
    func trainStep(
        images: Span<Float>, labels: Span<Int32>, optimizer: SGD
    ) throws(ClassifierError) -> Double

    /// The network's answers with running statistics.
    ///
    /// - Parameters:
    ///   - images: normalised, NCHW `(imageCount, 3, 32, 32)`.
    ///   - logits: row-major `(imageCount, classes)`; overwritten.
    func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>
    ) throws(ClassifierError)

    /// The network's answers with running statistics, and what its linear layer saw.
    ///
    /// - Parameters:
    ///   - images: normalised, NCHW `(imageCount, 3, 32, 32)`.
    ///   - logits: row-major `(imageCount, classes)`; overwritten.
    ///   - features: the pooled features, row-major `(imageCount, featureCount)`; overwritten.
    func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>,
        features: inout MutableSpan<Float>
    ) throws(ClassifierError)
}

/// The type that activations and the factors of their products have. Parameters, their gradients,
/// statistics, sums and the loss are float32 with either.
public enum Precision: String, Hashable, Sendable, CaseIterable {
    case float32
    case bfloat16
    /// float32 whose products drop all but 10 bits of mantissa: on GPUs alone.
    case tf32
}

/// An engine that shows what its last training step computed, for tests against other programs.
package protocol InspectableEngine: ClassifierEngine {
    /// The logits of the last training step, row-major `(batch, classes)`.
    var trainingLogits: [Float] { get }

    /// Where set, called between the forward and the backward pass of a training step with what
    /// every relu let through, NCHW, under the name of the batch norm before it.
    var rectifierObserver: ((_ name: String, _ output: [Float]) -> Void)? { get set }

    /// The gradients of the last training step, without weight decay, in PyTorch's layouts and in
    /// the order of the network's trained entries.
    func gradients() throws(ClassifierError) -> [NetworkState.Tensor]
}

/// An engine that tells where its time goes.
package protocol ProfiledEngine: ClassifierEngine {
    /// Where set, the time of every kind of work is added to it.
    var profile: Profile? { get set }
}
