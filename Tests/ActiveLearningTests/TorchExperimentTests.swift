import Classifier
import Datasets
import Foundation
import SweepModel
import Testing

@testable import ActiveLearning

private let isNamed =
    ProcessInfo.processInfo.environment["ALSWEEP_TORCH_ENGINE"].map { !$0.isEmpty } ?? false

/// The claims of `OneDNNExperimentTests` for the engine that holds the images, and that both engines go
/// the same way.
@Suite(
    "Experiments on engine torch",
    .enabled(
        if: isNamed,
        "engine torch is not tested: Tests/PyTorch/check-torch-engine.sh builds it and runs these tests"
    ), .serialized)
struct TorchExperimentTests {
    private func configuration(
        _ strategy: Strategy, _ change: (inout StudyProtocol) -> Void = { _ in }
    ) -> TrialConfiguration {
        smallConfiguration(strategy) {
            $0.width = 8
            $0.cycles = 3
            $0.epochs = 2
            $0.milestones = [1]
            $0.initial = 64
            $0.addendum = 32
            // A full batch and a short one.
            $0.batchSize = 40
            $0.learningRate = 0.05
            $0.poolLimit = 224
            $0.testLimit = 64
            $0.engine = .torch
            change(&$0)
        }
    }

    private func experiment(
        _ configuration: TrialConfiguration, _ makeEngine: @escaping Experiment.MakeEngine
    ) throws -> Experiment {
        try Experiment(
            configuration: configuration, pool: OneDNNExperimentTests.dataset.pool,
            test: OneDNNExperimentTests.dataset.test, makeEngine: makeEngine)
    }

    private func run(
        _ configuration: TrialConfiguration, from checkpoint: ExperimentCheckpoint? = nil,
        _ makeEngine: @escaping Experiment.MakeEngine = {
            network, state throws(ClassifierError) in try TorchEngine(network, state)
        }
    ) throws -> [ExperimentCheckpoint] {
        var checkpoints: [ExperimentCheckpoint] = []
        _ = try experiment(configuration, makeEngine).run(
            from: checkpoint, observer: ExperimentObserver(onCycle: { checkpoints.append($1) }))
        return checkpoints
    }

    @Test("every batch has the images that are assembled for other engines", arguments: 0..<3)
    func assembly(seed: UInt64) throws {
        let network = ResNet18(width: 1, classes: 10)
        let engine = try TorchEngine(network, network.initialState { 0.5 })
        for images in [
            OneDNNExperimentTests.dataset.pool, colouredImages(count: 30, seed: seed),
        ] {
            let assembly = BatchAssembly(images)
            let held = try engine.hold(images)
            var stream = RandomStream(seed: seed, purpose: .augmentation, cycle: 1)
            var expected = [Float](repeating: .nan, count: 50 * BatchAssembly.imageFloatCount)
            var target = expected.mutableSpan
            var views: [ImageView] = []
            for slot in 0..<50 {
                let index = stream.below(images.count)
                let augmentation = slot == 0 ? .none : stream.augmentation()
                assembly.write(index, augmentation, toSlot: slot, of: &target)
                views.append(ImageView(index, augmentation))
            }
            #expect(try engine.assembled(held, views) == expected)
        }
    }

    /// Held images against the same engine fed with floats: the feed changes no number.
    @Test(
        "what is held and what is assembled train alike, bit for bit",
        arguments: [PoolTransform.test, .train])
    func feeds(transform: PoolTransform) throws {
        let configuration = configuration(.dqn(gradientSteps: 10)) { $0.poolTransform = transform }
        let held = try run(configuration)
        let assembled = try run(configuration) { network, state throws(ClassifierError) in
            try FloatsOnly(TorchEngine(network, state))
        }
        for (one, other) in zip(held, assembled) {
            #expect(one.network == other.network)
            #expect(zip(one.results, other.results).allSatisfy { $0.agrees(with: $1) })
        }
        #expect(held.count == 3 && held[2].strategy == assembled[2].strategy)
    }

    @Test("a repeated run is bit for bit the same, and so is one that was resumed")
    func repetition() throws {
        let configuration = configuration(.margin)
        let first = try run(configuration)
        let second = try run(configuration)
        #expect(zip(first, second).allSatisfy { $0.network == $1.network })
        let resumed = try run(configuration, from: first[0])
        #expect(resumed.count == 2)
        #expect(resumed[1].network == first[2].network)
        #expect(zip(resumed[1].results, first[2].results).allSatisfy { $0.agrees(with: $1) })
    }

    @Test("strategies that look at features buy as many as they should", arguments: allStrategies)
    func strategies(strategy: Strategy) throws {
        let last = try #require(try run(configuration(strategy)).last)
        #expect(last.results.map(\.labelled) == [64, 96, 128])
        #expect(last.results.allSatisfy { $0.trainLoss.isFinite && $0.total == 64 })
    }

    @Test("the first cycle on oneDNN and on libtorch is the same but for rounding")
    func nearOneDNN() throws {
        let configuration = configuration(.random) {
            $0.cycles = 1
            $0.epochs = 1
            $0.learningRate = 1e-3
        }
        let torch = try run(configuration)[0]
        let other = try run(configuration) { network, state throws(ClassifierError) in
            try OneDNNEngine(network, state)
        }[0]
        #expect(torch.results[0].labelledDigest == other.results[0].labelledDigest)
        #expect(abs(torch.results[0].trainLoss / other.results[0].trainLoss - 1) < 1e-4)
        #expect(abs(torch.results[0].testLoss / other.results[0].testLoss - 1) < 1e-3)
    }

    @Test("a loss that is not finite ends the experiment as diverged")
    func divergence() throws {
        let configuration = configuration(.random) { $0.learningRate = 1e30 }
        #expect(throws: ExperimentError.diverged(cycle: 1)) { try run(configuration) }
    }

    @Test("it stops between batches when it is asked to")
    func stopping() throws {
        var asked = 0
        let observer = ExperimentObserver(shouldStop: {
            asked += 1
            return asked > 3
        })
        #expect(throws: ExperimentError.stopped(cycle: 1)) {
            _ = try experiment(configuration(.random)) { network, state throws(ClassifierError) in
                try TorchEngine(network, state)
            }.run(observer: observer)
        }
    }
}

/// An engine's means for floats alone.
private final class FloatsOnly: ClassifierEngine {
    private let engine: TorchEngine

    init(_ engine: TorchEngine) { self.engine = engine }

    var network: ResNet18 { engine.network }
    var precision: Classifier.Precision { engine.precision }

    func load(_ state: NetworkState) throws(ClassifierError) { try engine.load(state) }
    func state() throws(ClassifierError) -> NetworkState { try engine.state() }
    func restartOptimizer() { engine.restartOptimizer() }

    func trainStep(
        images: Span<Float>, labels: Span<Int32>, optimizer: SGD
    ) throws(ClassifierError) -> Double {
        try engine.trainStep(images: images, labels: labels, optimizer: optimizer)
    }

    func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        try engine.evaluate(images: images, imageCount: imageCount, logits: &logits)
    }

    func evaluate(
        images: Span<Float>, imageCount: Int, logits: inout MutableSpan<Float>,
        features: inout MutableSpan<Float>
    ) throws(ClassifierError) {
        try engine.evaluate(
            images: images, imageCount: imageCount, logits: &logits, features: &features)
    }
}

/// Images of CIFAR-10's shape whose three channels differ.
private func colouredImages(count: Int, seed: UInt64) -> ImageSet {
    var stream = RandomStream(seed: seed, purpose: .poolAugmentation, cycle: 1)
    let pixels = (0..<count * 3 * ImageSet.planeByteCount).map { _ in UInt8(stream.below(256)) }
    return ImageSet(
        name: .cifar10, channels: 3, pixels: pixels,
        labels: (0..<count).map { UInt8($0 % 10) })
}
