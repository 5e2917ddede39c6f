import CTorchEngine
import Glibc

/// The network executed by libtorch, on a GPU or, for comparisons, on a CPU.
///
/// It is loaded at run time; see `TorchLibrary`. The same inputs give the same bits on the same device,
/// version of PyTorch and, on a CPU, number of threads.
public final class TorchEngine: ClassifierEngine {
    public let network: ResNet18
    public let precision: Precision
    public let device: TorchDevice
    let library: TorchLibrary
    private let handle: OpaquePointer
    private let norms: [String]
    /// The batches that every norm has seen, in the order of the units.
    private var batchCounts: [Int64] = []
    package private(set) var trainingLogits: [Float] = []
    package var rectifierObserver: ((String, [Float]) -> Void)?

    /// - Parameters:
    ///   - device: nil is the one that the environment asks for.
    ///   - isDeterministic: false lets libraries choose faster kernels whose sums have no fixed order; nil
    ///     is what the environment says, and true if it says nothing.
    public init(
        _ network: ResNet18, _ state: NetworkState, precision: Precision = .float32,
        device: TorchDevice? = nil, library: TorchLibrary? = nil, isDeterministic: Bool? = nil
    ) throws(ClassifierError) {
        try state.check(against: network)
        let library = if let library { library } else { try TorchLibrary.shared() }
        let device = if let device { device } else { try TorchDevice.chosen() }
        self.network = network
        self.precision = precision
        self.device = device
        self.library = library
        norms = network.units.map(\.normName)
        handle = try library.makeEngine(
            network, precision, device, isDeterministic ?? Self.isDeterministicByDefault)
        try load(state)
    }

    /// Whether `ALSWEEP_TORCH_DETERMINISTIC` is not 0 in the environment. 0 is there to measure what equal
    /// bits cost; a trial that is resumed or repeated then has other numbers.
    public static var isDeterministicByDefault: Bool {
        getenv("ALSWEEP_TORCH_DETERMINISTIC").map { String(cString: $0) } != "0"
    }

    deinit {
        library.plugIn.destroy(handle)
    }

    public func load(_ state: NetworkState) throws(ClassifierError) {
        try state.check(against: network)
        for (tensor, entry) in zip(state.tensors, network.entries) where entry.role != .batchCount {
            let values = tensor.floats!
            try call("write") { $0.write($1, tensor.name, values, Int64(values.count)) }
        }
        batchCounts = norms.map { state[$0 + ".num_batches_tracked"]!.integers![0] }
        try call("restart") { $0.restart($1) }
    }

    public func state() throws(ClassifierError) -> NetworkState {
        let counts = Dictionary(uniqueKeysWithValues: zip(norms, batchCounts))
        var tensors: [NetworkState.Tensor] = []
        for entry in network.entries {
            let values: NetworkState.Values
            if entry.role == .batchCount {
                let norm = String(entry.name[..<entry.name.lastIndex(of: ".")!])
                values = .int64([counts[norm]!])
            } else {
                values = .float32(
                    try floats(entry.elementCount, "read") {
                        $0.read($1, entry.name, $2.baseAddress, Int64($2.count))
                    })
            }
            tensors.append(.init(name: entry.name, shape: entry.shape, values: values))
        }
        return NetworkState(tensors: tensors)
    }

    public func restartOptimizer() {
        // It fails only where nothing else would work either, which the next call tells.
        _ = library.plugIn.restart(handle)
    }
}

extension TorchEngine {
    /// Calls the plug-in, and throws what its status stands for.
    private func call(
        _ name: String, _ body: (alsweep_torch_interface, OpaquePointer) -> Int32
    ) throws(ClassifierError) {
        try library.check(body(library.plugIn, handle), name)
    }

    /// So many values that a call of the plug-in writes.
    private func floats(
        _ count: Int, _ name: String,
        _ body: (alsweep_torch_interface, OpaquePointer, UnsafeMutableBufferPointer<Float>) -> Int32
    ) throws(ClassifierError) -> [Float] {
        var status: Int32 = 0
        let values = [Float](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            buffer.initialize(repeating: 0)
            status = body(library.plugIn, handle, buffer)
            initializedCount = count
        }
        try library.check(status, name)
        return values
    }
}

extension TorchEngine: InspectableEngine {
    public func trainStep(
        images: Span<Float>, labels: Span<Int32>, optimizer: SGD
    ) throws(ClassifierError) -> Double {
        precondition(labels.count > 0, "a training step needs an image")
        precondition(images.count == labels.count * ResNet18.imageElementCount)
        check(labels)
        var loss = 0.0
        let count = Int64(labels.count)
        let observer = RectifierObserver(rectifierObserver)
        try images.withUnsafeBufferPointer { images throws(ClassifierError) in
            try labels.withUnsafeBufferPointer { labels throws(ClassifierError) in
                try call("train_images") { plugIn, handle in
                    withExtendedLifetime(observer) {
                        plugIn.train_images(
                            handle, images.baseAddress, labels.baseAddress, count,
                            optimizer.forPlugIn, observer.function, observer.context, &loss)
                    }
                }
            }
        }
        countBatches(1)
        // Only tests look at them.
        trainingLogits = try floats(labels.count * network.classes, "training_logits") {
            $0.training_logits($1, $2.baseAddress, Int64($2.count))
        }
        return loss
    }

    package func gradients() throws(ClassifierError) -> [NetworkState.Tensor] {
        var tensors: [NetworkState.Tensor] = []
        for entry in network.entries where entry.isTrained {
            let values = try floats(entry.elementCount, "gradient") {
                $0.gradient($1, entry.name, $2.baseAddress, Int64($2.count))
            }
            tensors.append(.init(name: entry.name, shape: entry.shape, values: .float32(values)))
        }
        return tensors
    }

    private func check(_ labels: Span<Int32>) {
        for index in 0..<labels.count {
            precondition(
                0 <= labels[index] && Int(labels[index]) < network.classes,
                "labels are classes from 0")
        }
    }

    private func countBatches(_ count: Int) {
        for index in batchCounts.indices { batchCounts[index] += Int64(count) }
    }
}

extension TorchEngine {
    public func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        precondition(logits.count == imageCount * network.classes)
        let values = try score(images, imageCount, withFeatures: false)
        copy(values.logits, to: &logits)
    }

    public func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>,
        features: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        precondition(logits.count == imageCount * network.classes)
        precondition(features.count == imageCount * network.featureCount)
        let values = try score(images, imageCount, withFeatures: true)
        copy(values.logits, to: &logits)
        copy(values.features, to: &features)
    }

    private func score(
        _ images: Span<Float>, _ imageCount: Int, withFeatures: Bool
    ) throws(ClassifierError) -> (logits: [Float], features: [Float]) {
        precondition(imageCount >= 0 && images.count == imageCount * ResNet18.imageElementCount)
        guard imageCount > 0 else { return ([], []) }
        return try images.withUnsafeBufferPointer { images throws(ClassifierError) in
            try results(imageCount, withFeatures, "score_images") {
                $0.score_images($1, images.baseAddress, Int64(imageCount), $2, $3)
            }
        }
    }

    /// What a scoring call of the plug-in writes: logits, and features where they are asked for.
    private func results(
        _ count: Int, _ withFeatures: Bool, _ name: String,
        _ body: (
            alsweep_torch_interface, OpaquePointer, UnsafeMutablePointer<Float>?,
            UnsafeMutablePointer<Float>?
        ) -> Int32
    ) throws(ClassifierError) -> (logits: [Float], features: [Float]) {
        var features = [Float](repeating: 0, count: withFeatures ? count * network.featureCount : 0)
        let logits = try floats(count * network.classes, name) { plugIn, handle, logits in
            features.withUnsafeMutableBufferPointer { features in
                body(
                    plugIn, handle, logits.baseAddress, withFeatures ? features.baseAddress : nil)
            }
        }
        return (logits, features)
    }
}

extension TorchEngine: ImageHoldingEngine {
    /// A GPU has work for some tenths of a second then; a CPU computes a batch for about as long.
    public var batchesPerRun: Int { device == .cuda ? 64 : 1 }

    public var scoredImagesPerRun: Int { device == .cuda ? 16_384 : 128 }

    public func hold(
        pixels: Span<UInt8>, channels: Int, values: [Float], padding: Int
    ) throws(ClassifierError) -> HeldImages {
        precondition(channels == 1 || channels == 3, "an image has 1 or 3 channels")
        precondition(values.count == 3 * 256, "every byte of three channels has a value")
        let length = channels * ResNet18.imageSide * ResNet18.imageSide
        precondition(pixels.count % length == 0, "the last image is whole")
        let count = pixels.count / length
        var number: Int32 = 0
        try pixels.withUnsafeBufferPointer { pixels throws(ClassifierError) in
            try values.withUnsafeBufferPointer { values throws(ClassifierError) in
                try call("hold") { plugIn, handle in
                    var images = alsweep_torch_images(
                        pixels: pixels.baseAddress, count: Int64(count), channels: Int32(channels),
                        padding: Int32(padding), values: values.baseAddress)
                    return plugIn.hold(handle, &images, &number)
                }
            }
        }
        return HeldImages(number: number, count: count)
    }

    public func train(
        on images: HeldImages, _ views: [ImageView], labels: [Int32], batchSize: Int, optimizer: SGD
    ) throws(ClassifierError) {
        precondition(views.count == labels.count && batchSize > 0)
        check(labels.span)
        guard !views.isEmpty else { return }
        try call("train") {
            $0.train(
                $1, images.number, views.map(\.forPlugIn), labels, Int64(views.count),
                Int64(batchSize), optimizer.forPlugIn)
        }
        countBatches((views.count + batchSize - 1) / batchSize)
    }

    public func losses(stepCount: Int) throws(ClassifierError) -> [Float] {
        try floats(stepCount, "losses") { $0.losses($1, $2.baseAddress, Int64($2.count)) }
    }

    public func evaluate(
        _ images: HeldImages, _ views: [ImageView], withFeatures: Bool
    ) throws(ClassifierError) -> (logits: [Float], features: [Float]) {
        guard !views.isEmpty else { return ([], []) }
        return try results(views.count, withFeatures, "score") {
            $0.score($1, images.number, views.map(\.forPlugIn), Int64(views.count), $2, $3)
        }
    }

    /// The batch that views make, NCHW `(views.count, 3, 32, 32)`, for tests.
    package func assembled(
        _ images: HeldImages, _ views: [ImageView]
    ) throws(ClassifierError) -> [Float] {
        try floats(views.count * ResNet18.imageElementCount, "assemble") {
            $0.assemble(
                $1, images.number, views.map(\.forPlugIn), Int64(views.count), $2.baseAddress)
        }
    }
}

extension TorchEngine {
    /// As in `NVIDIA H100 80GB HBM3`, or `CPU`.
    public var deviceName: String {
        get throws(ClassifierError) { try library.name(of: device) }
    }

    /// The most memory of the GPU that this process has taken, in bytes; 0 on a CPU.
    public func peakMemory() throws(ClassifierError) -> Int {
        var bytes: Int64 = 0
        try call("peak_memory") { $0.peak_memory($1, &bytes) }
        return Int(bytes)
    }

    /// What the device reaches in a product of large matrices in the engine's precision, in operations a
    /// second, a multiply-add counted as two. Takes some seconds.
    public func matrixPeak() throws(ClassifierError) -> Double {
        var rate = 0.0
        try call("matrix_peak") { $0.matrix_peak($1, &rate) }
        return rate
    }
}
