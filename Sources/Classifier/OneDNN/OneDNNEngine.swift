import COneDNN

/// The network executed by oneDNN, the default on x86-64.
///
/// Activations stay in oneDNN's blocked layouts from the first convolution to the pool. Primitives
/// and their memory are made once for a batch size and kept for the last few sizes. The same
/// inputs give the same bits on the same instruction set and number of threads.
public final class OneDNNEngine: ClassifierEngine {
    public let network: ResNet18

    /// Batches are scored in parts of this many images, which bounds the memory.
    public static let scoringBatch = 128
    /// The batch size whose layouts the parameters are kept in; others reorder if they must.
    private static let referenceBatch = 128
    /// A cycle needs the full and the last batch; a few more let callers alternate.
    private static let maximumProgramCount = 4

    private let device: Device
    private let type: dnnl_data_type_t
    private let store: ParameterStore
    private let folded: FoldedStore
    private let arena = Arena()
    private var running: [RunningStatistics]
    private var training = ProgramCache<TrainingProgram>(capacity: maximumProgramCount)
    private var scoring = ProgramCache<ScoringProgram>(capacity: maximumProgramCount)
    /// Whether parameters or statistics have changed since they were folded.
    private var foldedIsStale = true
    package private(set) var trainingLogits: [Float] = []
    package var rectifierObserver: ((String, [Float]) -> Void)?
    /// Where set, the time of every kind of work is added to it.
    package var profile: Profile?

    public init(_ network: ResNet18, _ state: NetworkState) throws(ClassifierError) {
        try state.check(against: network)
        self.network = network
        let device = try Device()
        let type = dnnl_f32
        let operations = Operations(device: device, attributes: try Attributes(), type: dnnl_f32)
        let relu = try Attributes(relu: true)
        self.device = device
        self.type = type
        store = try ParameterStore(network, device) { (convolution) throws(ClassifierError) in
            try operations.trainedConvolution(convolution, batch: Self.referenceBatch)
                .layout(dnnl_query_weights_md)
        }
        folded = try FoldedStore(network, device) { (convolution) throws(ClassifierError) in
            try operations.foldedConvolution(convolution, batch: Self.referenceBatch, relu)
                .layout(dnnl_query_weights_md)
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
        var statistics = Dictionary(
            uniqueKeysWithValues: zip(network.units.map(\.normName), running))
        statistics.reserveCapacity(running.count)
        var tensors: [NetworkState.Tensor] = []
        for entry in network.entries {
            let norm = String(entry.name[..<(entry.name.lastIndex(of: ".") ?? entry.name.endIndex)])
            let values: NetworkState.Values
            switch entry.role {
            case .weight, .scale, .shift: values = .float32(try store.values(entry.name))
            case .runningMean: values = .float32(statistics[norm]!.mean)
            case .runningVariance: values = .float32(statistics[norm]!.variance)
            case .batchCount: values = .int64([statistics[norm]!.batchCount])
            }
            tensors.append(.init(name: entry.name, shape: entry.shape, values: values))
        }
        return NetworkState(tensors: tensors)
    }

    public func restartOptimizer() {
        store.clearVelocity()
    }
}

extension OneDNNEngine: InspectableEngine {
    public func trainStep(
        images: Span<Float>, labels: Span<Int32>, optimizer: SGD
    ) throws(ClassifierError) -> Double {
        precondition(labels.count > 0, "a training step needs an image")
        precondition(images.count == labels.count * ResNet18.imageElementCount)
        let step = try training.program(batch: labels.count) { (batch) throws(ClassifierError) in
            try TrainingProgram(network, batch: batch, store, device, type: type)
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
            profile?.add(.optimizer, since: start)
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
            copy(program.logits, to: &logits, at: first * network.classes)
        }
    }

    public func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>,
        features: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        precondition(logits.count == imageCount * network.classes)
        precondition(features.count == imageCount * network.featureCount)
        try score(images, imageCount) { first, program in
            copy(program.logits, to: &logits, at: first * network.classes)
            copy(program.features, to: &features, at: first * network.featureCount)
        }
    }

    /// Runs the images through in parts; `collect` takes each part's results, with the index of
    /// its first image.
    private func score(
        _ images: Span<Float>, _ imageCount: Int, collect: (Int, ScoringProgram) -> Void
    ) throws(ClassifierError) {
        precondition(imageCount >= 0 && images.count == imageCount * ResNet18.imageElementCount)
        guard imageCount > 0 else { return }
        try fold()
        for first in stride(from: 0, to: imageCount, by: Self.scoringBatch) {
            let count = min(Self.scoringBatch, imageCount - first)
            let part = try scoring.program(batch: count) { (batch) throws(ClassifierError) in
                try ScoringProgram(network, batch: batch, store, folded, device, type: type)
            }
            try part.program.bind(to: arena)
            let start = first * ResNet18.imageElementCount
            part.input.fill(
                from: images.extracting(start..<start + count * ResNet18.imageElementCount))
            try part.program.run(0..<part.program.stepCount, device, profile: profile)
            collect(first, part)
        }
    }

    private func fold() throws(ClassifierError) {
        guard foldedIsStale else { return }
        for (unit, statistics) in zip(network.units, running) {
            try folded.fold(unit, store, statistics)
        }
        foldedIsStale = false
    }
}

/// Copies a plain tensor into `target` from the element `start` on.
private func copy(_ memory: Memory, to target: inout MutableSpan<Float>, at start: Int) {
    let values = memory.floats.span
    for index in values.indices {
        target[start + index] = values[index]
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
