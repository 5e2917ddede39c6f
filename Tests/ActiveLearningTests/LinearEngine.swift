import Classifier
import Datasets
import SweepModel

@testable import ActiveLearning

/// A small engine that truly learns: a linear layer over the mean brightness of horizontal bands,
/// 8·width of them, trained as the protocol says. It carries a whole network's state, of which it
/// uses the linear layer and counts batches in the stem's norm. What it was asked is recorded.
final class LinearEngine: ClassifierEngine {
    let network: ResNet18
    let precision = Classifier.Precision.float32
    private var tensors: [NetworkState.Tensor] = []
    private var weights: [Float] = []
    private var biases: [Float] = []
    /// nil before an optimiser's first step.
    private var momentum: [Float]?

    private(set) var trainedBatches: [(count: Int, optimizer: SGD)] = []
    private(set) var restartCount = 0
    private(set) var loadCount = 0
    private(set) var evaluatedCount = 0
    private(set) var largestEvaluation = 0

    init(_ network: ResNet18, _ state: NetworkState) throws(ClassifierError) {
        self.network = network
        try load(state)
    }

    func load(_ state: NetworkState) throws(ClassifierError) {
        try state.check(against: network)
        tensors = state.tensors
        weights = state["linear.weight"]!.floats!
        biases = state["linear.bias"]!.floats!
        momentum = nil
        loadCount += 1
    }

    func state() throws(ClassifierError) -> NetworkState {
        NetworkState(
            tensors: tensors.map { tensor in
                switch tensor.name {
                case "linear.weight":
                    .init(name: tensor.name, shape: tensor.shape, values: .float32(weights))
                case "linear.bias":
                    .init(name: tensor.name, shape: tensor.shape, values: .float32(biases))
                default: tensor
                }
            })
    }

    func restartOptimizer() {
        momentum = nil
        restartCount += 1
    }

    func trainStep(
        images: Span<Float>, labels: Span<Int32>, optimizer: SGD
    ) throws(ClassifierError) -> Double {
        let count = labels.count
        trainedBatches.append((count, optimizer))
        let (bands, classes) = (network.featureCount, network.classes)
        var gradient = [Float](repeating: 0, count: weights.count + biases.count)
        var loss = 0.0
        for image in 0..<count {
            let features = features(images, image)
            let logits = logits(of: features)
            loss += crossEntropy(logits.span, label: Int(labels[image]))
            let state = ClassifierStates(logits: logits.span, classCount: classes)
            for row in 0..<classes {
                let error = state.values[row] - (row == Int(labels[image]) ? 1 : 0)
                for band in 0..<bands {
                    gradient[row * bands + band] += error * features[band] / Float(count)
                }
                gradient[weights.count + row] += error / Float(count)
            }
        }
        step(gradient, optimizer)
        return loss / Double(count)
    }

    func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        precondition(images.count == imageCount * BatchAssembly.imageFloatCount)
        precondition(logits.count == imageCount * network.classes)
        evaluatedCount += imageCount
        largestEvaluation = max(largestEvaluation, imageCount)
        for image in 0..<imageCount {
            for (row, logit) in self.logits(of: features(images, image)).enumerated() {
                logits[image * network.classes + row] = logit
            }
        }
    }

    func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>,
        features: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        try evaluate(images: images, imageCount: imageCount, logits: &logits)
        for image in 0..<imageCount {
            for (band, feature) in self.features(images, image).enumerated() {
                features[image * network.featureCount + band] = feature
            }
        }
    }

    private func features(_ images: Span<Float>, _ image: Int) -> [Float] {
        let bandCount = network.featureCount
        let pixelCount = ImageSet.planeByteCount / bandCount
        let start = image * BatchAssembly.imageFloatCount
        return (0..<bandCount).map { band in
            var sum: Float = 0
            for pixel in band * pixelCount..<(band + 1) * pixelCount {
                sum += images[start + pixel]
            }
            return sum / Float(pixelCount)
        }
    }

    private func logits(of features: [Float]) -> [Float] {
        biases.indices.map { row in
            var sum = biases[row]
            for band in features.indices {
                sum += weights[row * features.count + band] * features[band]
            }
            return sum
        }
    }

    private func step(_ gradient: [Float], _ optimizer: SGD) {
        let parameters = weights + biases
        let slopes = zip(gradient, parameters).map { $0 + optimizer.weightDecay * $1 }
        let velocity =
            momentum.map { zip($0, slopes).map { optimizer.momentum * $0 + $1 } } ?? slopes
        momentum = velocity
        let moved = zip(parameters, velocity).map { $0 - optimizer.learningRate * $1 }
        biases = Array(moved[weights.count...])
        weights = Array(moved[..<weights.count])
    }
}

/// Images whose class shows in the brightness of their bands, under noise.
func bandedImages(_ name: DatasetName = .fashionmnist, count: Int, seed: UInt64) -> ImageSet {
    var stream = RandomStream(seed: seed, purpose: .augmentation, cycle: 1)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(count * ImageSet.planeByteCount)
    let labels = (0..<count).map { _ in UInt8(stream.below(name.classCount)) }
    for label in labels {
        for band in 0..<8 {
            let isBright = Int(label) >> (band / 2) & 1 == 1
            let level = (isBright ? 130 : 90) + stream.below(80)
            for _ in 0..<128 { pixels.append(UInt8(level)) }
        }
    }
    return ImageSet(name: name, channels: 1, pixels: pixels, labels: labels)
}

/// A configuration that the linear engine runs in well under a second.
func smallConfiguration(
    _ strategy: Strategy, seed: UInt64 = 0, change: (inout StudyProtocol) -> Void = { _ in }
) -> TrialConfiguration {
    var study = StudyProtocol()
    study.epochs = 2
    study.batchSize = 16
    study.milestones = [1]
    study.cycles = 4
    study.width = 1
    study.initial = 40
    study.addendum = 40
    study.poolLimit = 400
    study.testLimit = 100
    change(&study)
    return TrialConfiguration(
        dataset: .fashionmnist, strategy: strategy, seed: seed, studyProtocol: study)
}

/// A run of a configuration on banded images, with what was seen on the way.
struct RecordedRun {
    var final: ExperimentCheckpoint
    /// After every cycle.
    var checkpoints: [ExperimentCheckpoint]
    /// nil where no cycle was left to run.
    var engine: LinearEngine?

    var results: [CycleResult] { final.results }

    init(
        _ configuration: TrialConfiguration, from checkpoint: ExperimentCheckpoint? = nil,
        store: ClassifierStore? = nil
    ) throws {
        let experiment = try bandedExperiment(configuration, store: store)
        let recorder = Recorder()
        final = try experiment.with(recorder).run(
            from: checkpoint,
            observer: ExperimentObserver(onCycle: { recorder.checkpoints.append($1) }))
        checkpoints = recorder.checkpoints
        engine = recorder.engine
    }
}

final class Recorder {
    var checkpoints: [ExperimentCheckpoint] = []
    var engine: LinearEngine?
}

func bandedExperiment(
    _ configuration: TrialConfiguration, store: ClassifierStore? = nil
) throws -> Experiment {
    try Experiment(
        configuration: configuration,
        pool: bandedImages(configuration.dataset, count: configuration.poolCount, seed: 1),
        test: bandedImages(configuration.dataset, count: configuration.testCount, seed: 2),
        store: store
    ) { (network, state) throws(ClassifierError) in try LinearEngine(network, state) }
}

extension Experiment {
    /// The same experiment, whose engine the recorder keeps.
    fileprivate func with(_ recorder: Recorder) throws -> Experiment {
        try Experiment(configuration: configuration, pool: pool, test: test, store: store) {
            (network, state) throws(ClassifierError) in
            let engine = try LinearEngine(network, state)
            recorder.engine = engine
            return engine
        }
    }
}
