import COneDNN
import CProcessor
import Glibc

/// The network executed by oneDNN, the default on x86-64.
///
/// Activations stay in oneDNN's blocked layouts from the first convolution to the pool. Primitives
/// and their memory are made once for a batch size and kept for the last few sizes. The same
/// inputs give the same bits on the same instruction set and number of threads.
public final class OneDNNEngine: ClassifierEngine {
    public let network: ResNet18
    public let precision: Precision

    /// Batches are scored in parts of this many images, which bounds the memory.
    public static let scoringBatch = 128
    /// The batch size whose layouts the parameters are kept in; others reorder if they must.
    private static let referenceBatch = 128
    /// A cycle needs the full and the last batch; a few more let callers alternate.
    static let maximumProgramCount = 4

    private let device: Device
    private let numbers: Numbers
    private let store: ParameterStore
    private let folded: FoldedStore
    private let arena = Arena()
    private var running: [RunningStatistics]
    private var training = ProgramCache<TrainingProgram>(capacity: maximumProgramCount)
    /// One for each thread; the first has the arena of training.
    private var scorers: [Scorer] = []
    /// Whether parameters or statistics have changed since they were folded.
    private var foldedIsStale = true
    package private(set) var trainingLogits: [Float] = []
    package var rectifierObserver: ((String, [Float]) -> Void)?
    package var profile: Profile?

    /// - Parameter precision: throws `unsupported` where this CPU or library lacks it.
    public convenience init(
        _ network: ResNet18, _ state: NetworkState, precision: Precision = .float32
    ) throws(ClassifierError) {
        try self.init(
            network, state, precision, emulatingBFloat16: Self.emulatesBFloat16)
    }

    /// - Parameters:
    ///   - emulatingBFloat16: whether bfloat16 is emulated; float32 stays what it is.
    ///   - usingWinograd: whether convolutions are computed by minimal filtering where that is
    ///     faster; false for comparisons.
    package init(
        _ network: ResNet18, _ state: NetworkState, _ precision: Precision,
        emulatingBFloat16: Bool = false, usingWinograd: Bool = true
    ) throws(ClassifierError) {
        try state.check(against: network)
        var numbers = Numbers(precision, emulatingBFloat16: emulatingBFloat16)
        if usingWinograd && !numbers.emulatesBFloat16 {
            numbers.winograd = WinogradKernels(for: network, numbers.type)
        }
        guard precision != .tf32, Self.supports(numbers) else {
            throw .unsupported(
                what: "oneDNN cannot train in \(precision.rawValue) on this CPU",
                remedy: "ask for precision float32, or let it be chosen")
        }
        self.network = network
        self.precision = precision
        let device = try Device()
        let attributes = try Attributes()
        let operations = Operations(
            device: device, attributes: attributes, type: numbers.type, winograd: numbers.winograd)
        // Parameters stay float32, in the layout of float32's convolution, whatever the precision.
        let parameterOperations = Operations(
            device: device, attributes: attributes, type: dnnl_f32,
            winograd: numbers.type == dnnl_f32 ? numbers.winograd : nil)
        self.device = device
        self.numbers = numbers
        store = try ParameterStore(network, device) { (convolution) throws(ClassifierError) in
            let batch = Self.referenceBatch
            if let winograd = try operations.winograd(convolution, .weightGradient, batch: batch) {
                return winograd.weightLayout
            }
            return try parameterOperations.trainedConvolution(convolution, batch: batch)
                .layout(dnnl_query_weights_md)
        }
        folded = try FoldedStore(network, device) { (convolution) throws(ClassifierError) in
            try operations.foldedWeights(convolution, batch: Self.referenceBatch)
        }
        running = []
        try load(state)
    }

    public func load(_ state: NetworkState) throws(ClassifierError) {
        try state.check(against: network)
        try store.load(state)
        running = network.units.map { RunningStatistics($0.normName, in: state) }
        foldedIsStale = true
    }

    public func state() throws(ClassifierError) -> NetworkState {
        try network.state(running) { (entry) throws(ClassifierError) in
            try store.values(entry.name)
        }
    }

    public func restartOptimizer() {
        store.clearVelocity()
    }
}

extension OneDNNEngine {
    /// Whether `ALSWEEP_EMULATE_BFLOAT16` is 1 in the environment: then bfloat16 is computed in
    /// float32, rounded wherever a bfloat16 network stores bfloat16. It is slower than float32, and
    /// there to study what bfloat16 does to accuracy on a CPU that lacks it.
    public static var emulatesBFloat16: Bool {
        getenv("ALSWEEP_EMULATE_BFLOAT16").map { String(cString: $0) } == "1"
    }

    /// Whether this CPU and library can train in a precision, however slowly.
    public static func supports(_ precision: Precision) -> Bool {
        precision != .tf32 && supports(Numbers(precision, emulatingBFloat16: emulatesBFloat16))
    }

    private static func supports(_ numbers: Numbers) -> Bool {
        guard numbers.type != dnnl_f32 else { return true }
        do throws(ClassifierError) {
            let operations = Operations(
                device: try Device(), attributes: try Attributes(), type: numbers.type)
            try operations.describeTraining(ResNet18(width: 16, classes: 10))
            return true
        } catch {
            return false
        }
    }

    /// The precision that trains fastest here: bfloat16 where the CPU multiplies it in tiles, or in
    /// vectors and well faster than float32. Intel's vectors multiply both at the same rate, and then the
    /// conversions and the products of minimal filtering, which stay float32, make bfloat16 the slower one.
    /// Measured once, in a fraction of a second.
    public static let fastestPrecision: Precision = {
        guard onednn_has_native_bfloat16() != 0,
            supports(Numbers(.bfloat16, emulatingBFloat16: false))
        else { return .float32 }
        let isWellFaster = processor_peak_bfloat16() > 1.5 * processor_peak_float32()
        return onednn_has_tiles() != 0 || isWellFaster ? .bfloat16 : .float32
    }()
}

/// How the numbers of a network are stored.
struct Numbers {
    /// Of activations and of the weights that they are multiplied with.
    let type: dnnl_data_type_t
    /// Whether they are float32 with the values that bfloat16 would have.
    let emulatesBFloat16: Bool
    /// What computes convolutions by minimal filtering, which rounds otherwise.
    var winograd: WinogradKernels?

    init(_ precision: Precision, emulatingBFloat16: Bool) {
        emulatesBFloat16 = precision == .bfloat16 && emulatingBFloat16
        type = precision == .bfloat16 && !emulatingBFloat16 ? dnnl_bf16 : dnnl_f32
    }
}

extension OneDNNEngine: InspectableEngine, ProfiledEngine {
    public func trainStep(
        images: Span<Float>, labels: Span<Int32>, optimizer: SGD
    ) throws(ClassifierError) -> Double {
        precondition(labels.count > 0, "a training step needs an image")
        precondition(images.count == labels.count * ResNet18.imageElementCount)
        let step = try training.program(batch: labels.count) { (batch) throws(ClassifierError) in
            try TrainingProgram(network, batch: batch, store, device, numbers)
        }
        try step.program.bind(to: arena)
        step.input.fill(from: images)
        foldedIsStale = true
        try step.program.run(step.forwardSteps, device, profile: profile)
        if let rectifierObserver {
            for (name, output) in step.rectified {
                let count = output.layout.shape.reduce(1, *)
                rectifierObserver(name, try read(output, count: count, device))
            }
        }
        for (index, statistics) in step.statistics.enumerated() {
            running[index].update(
                batchMean: statistics.mean.floats.span,
                batchVariance: statistics.variance.floats.span,
                sampleCount: statistics.sampleCount)
        }
        var gradient = step.logitsGradient.floats.mutableSpan
        let loss = crossEntropy(
            logits: step.logits.floats.span, labels: labels, classes: network.classes,
            gradient: &gradient)
        trainingLogits = Array(step.logits.floats)
        try step.program.run(step.backwardSteps, device, profile: profile)
        let start = profile.map { _ in Profile.threadSeconds }
        store.update(optimizer)
        if let start {
            profile?.add(Profile.Label(kind: .optimizer), since: start)
        }
        return loss
    }

    package func gradients() throws(ClassifierError) -> [NetworkState.Tensor] {
        try store.gradientTensors()
    }
}

extension OneDNNEngine {
    public func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        precondition(logits.count == imageCount * network.classes)
        try score(images, imageCount) { first, program in
            copy(program.logits.floats, to: &logits, at: first * network.classes)
        }
    }

    public func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>,
        features: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        precondition(logits.count == imageCount * network.classes)
        precondition(features.count == imageCount * network.featureCount)
        try score(images, imageCount) { first, program in
            copy(program.logits.floats, to: &logits, at: first * network.classes)
            copy(program.features.floats, to: &features, at: first * network.featureCount)
        }
    }

    /// Runs the images through in parts; `collect` takes each part's results, with the index of
    /// its first image.
    ///
    /// Images have nothing to do with each other here, so every thread scores its share of them alone:
    /// threads wait for each other once a batch instead of in every layer.
    private func score(
        _ images: Span<Float>, _ imageCount: Int, collect: (Int, ScoringProgram) -> Void
    ) throws(ClassifierError) {
        precondition(imageCount >= 0 && images.count == imageCount * ResNet18.imageElementCount)
        guard imageCount > 0 else { return }
        try fold()
        while scorers.count < max(1, omp_get_max_threads()) {
            scorers.append(Scorer(scorers.isEmpty ? arena : Arena()))
        }
        for first in stride(from: 0, to: imageCount, by: Self.scoringBatch) {
            let count = min(Self.scoringBatch, imageCount - first)
            forEachThread { thread, threads in
                // What runs in here is one thread of its own to oneDNN.
                omp_set_num_threads(1)
                for number in stride(from: thread, to: scorers.count, by: threads) {
                    let part = share(of: count, number, scorers.count)
                    let start = (first + part.lowerBound) * ResNet18.imageElementCount
                    let length = part.count * ResNet18.imageElementCount
                    scorers[number].score(
                        images.extracting(start..<start + length), imageCount: part.count,
                        profile: thread == 0 ? profile : nil
                    ) { (batch) throws(ClassifierError) in
                        try ScoringProgram(network, batch: batch, store, folded, device, numbers)
                    }
                }
            }
            for (number, scorer) in scorers.enumerated() {
                let part = share(of: count, number, scorers.count)
                if let program = try scorer.outcome.get() {
                    collect(first + part.lowerBound, program)
                }
            }
        }
    }

    private func fold() throws(ClassifierError) {
        guard foldedIsStale else { return }
        for (unit, statistics) in zip(network.units, running) {
            try folded.fold(unit, store, statistics, numbers)
        }
        foldedIsStale = false
    }
}

/// The programs of the batch sizes used last.
struct ProgramCache<Element: AnyObject> {
    let capacity: Int
    /// The one used last comes last.
    private var entries: [(batch: Int, program: Element)] = []

    init(capacity: Int) {
        self.capacity = capacity
    }

    mutating func program(
        batch: Int, make: (Int) throws(ClassifierError) -> Element
    ) throws(ClassifierError) -> Element {
        let program: Element
        if let index = entries.firstIndex(where: { $0.batch == batch }) {
            program = entries.remove(at: index).program
        } else {
            if entries.count == capacity { entries.removeFirst() }
            program = try make(batch)
        }
        entries.append((batch, program))
        return program
    }
}
