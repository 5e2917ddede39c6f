/// The network executed with OpenBLAS's matrix product: for machines without oneDNN, and the
/// other engine's check.
///
/// Activations are channels-last. The products use OpenBLAS's threads; the loops around them run
/// in the calling thread. The same inputs give the same bits on the same kernels of OpenBLAS and
/// number of threads.
public final class OpenBLASEngine: ClassifierEngine {
    public let network: ResNet18
    public let precision = Precision.float32

    /// Batches are scored in parts of this many images, which bounds the memory.
    public static let scoringBatch = 128

    private let units: [ResNet18.Unit]
    private let parameters: FlatParameters
    private let pass: ChannelsLastPass
    private var running: [RunningStatistics] = []
    private var folded: [String: FoldedUnit] = [:]
    package private(set) var trainingLogits: [Float] = []
    package var rectifierObserver: ((String, [Float]) -> Void)?
    package var profile: Profile? {
        get { pass.profile }
        set { pass.profile = newValue }
    }

    public init(_ network: ResNet18, _ state: NetworkState) throws(ClassifierError) {
        self.network = network
        units = network.units
        parameters = FlatParameters(network)
        pass = ChannelsLastPass(network, parameters)
        try load(state)
    }

    public func load(_ state: NetworkState) throws(ClassifierError) {
        try state.check(against: network)
        parameters.load(state)
        running = units.map { RunningStatistics($0.normName, in: state) }
        folded = [:]
    }

    public func state() throws(ClassifierError) -> NetworkState {
        try network.state(running) { (entry) throws(ClassifierError) in
            parameters.plainValues(entry)
        }
    }

    public func restartOptimizer() {
        parameters.clearVelocity()
    }
}

extension OpenBLASEngine: InspectableEngine, ProfiledEngine {
    public func trainStep(
        images: Span<Float>, labels: Span<Int32>, optimizer: SGD
    ) throws(ClassifierError) -> Double {
        precondition(labels.count > 0, "a training step needs an image")
        precondition(images.count == labels.count * ResNet18.imageElementCount)
        folded = [:]
        let logits = pass.forward(images, batch: labels.count)
        for (index, unit) in pass.unitActivations.enumerated() {
            running[index].update(
                batchMean: unit.statistics.mean.span, batchVariance: unit.statistics.variance.span,
                sampleCount: unit.pixelCount(batch: labels.count))
        }
        if let rectifierObserver {
            pass.forEachRectified(batch: labels.count, rectifierObserver)
        }
        trainingLogits = Array(logits)
        let loss = pass.backward(labels)
        parameters.update(optimizer)
        return loss
    }

    package func gradients() throws(ClassifierError) -> [NetworkState.Tensor] {
        parameters.gradientTensors()
    }
}

extension OpenBLASEngine {
    public func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        precondition(logits.count == imageCount * network.classes)
        score(images, imageCount) { first, results in
            copy(results.logits, to: &logits, at: first * network.classes)
        }
    }

    public func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>,
        features: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        precondition(logits.count == imageCount * network.classes)
        precondition(features.count == imageCount * network.featureCount)
        score(images, imageCount) { first, results in
            copy(results.logits, to: &logits, at: first * network.classes)
            copy(results.features, to: &features, at: first * network.featureCount)
        }
    }

    private func score(
        _ images: Span<Float>, _ imageCount: Int,
        collect: (Int, ChannelsLastPass.ScoringResults) -> Void
    ) {
        precondition(imageCount >= 0 && images.count == imageCount * ResNet18.imageElementCount)
        fold()
        for first in stride(from: 0, to: imageCount, by: Self.scoringBatch) {
            let count = min(Self.scoringBatch, imageCount - first)
            let start = first * ResNet18.imageElementCount
            let part = images.extracting(start..<start + count * ResNet18.imageElementCount)
            collect(first, pass.score(part, batch: count, folded))
        }
    }

    private func fold() {
        guard folded.isEmpty else { return }
        for (unit, statistics) in zip(units, running) {
            folded[unit.convolution.name] = FoldedUnit(
                weights: Array(parameters[unit.convolution.name + ".weight"]),
                factors: Array(parameters[unit.normName + ".weight"]),
                summands: Array(parameters[unit.normName + ".bias"]), statistics)
        }
    }
}
