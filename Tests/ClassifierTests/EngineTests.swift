import COneDNN
import Classifier
import Testing

@Suite("An engine's results depend on its inputs alone")
struct EngineTests {
    let network = ResNet18(width: 8, classes: 10)
    let optimizer = SGD(learningRate: 0.1, momentum: 0.9, weightDecay: 5e-4)

    private func engine(_ kind: EngineKind) throws -> any InspectableEngine {
        try kind.make(network, network.initialState(seed: 1))
    }

    @Test(
        "a state that was loaded is returned bit for bit", arguments: EngineKind.allCases, [8, 24])
    func roundTrip(kind: EngineKind, width: Int) throws {
        let network = ResNet18(width: width, classes: 7)
        let state = network.initialState(seed: 3)
        let engine = try kind.make(network, state)
        #expect(try engine.state() == state)
        #expect(try engine.state().bytes == state.bytes)
    }

    @Test("two engines with the same inputs agree bit for bit", arguments: EngineKind.allCases)
    func determinism(kind: EngineKind) throws {
        let engines = [try engine(kind), try engine(kind)]
        for step in 0..<3 {
            let batch = network.randomBatch(37, seed: UInt64(step))
            let losses = try engines.map {
                try $0.trainStep(batch.images, batch.labels, optimizer)
            }
            #expect(losses[0].bitPattern == losses[1].bitPattern)
        }
        #expect(try engines[0].state().bytes == engines[1].state().bytes)
        let images = network.randomBatch(20, seed: 9).images
        #expect(try engines[0].logits(images) == engines[1].logits(images))
    }

    @Test(
        "batches of 128, 37 and 128 train as in engines of their own",
        arguments: EngineKind.allCases)
    func batchSizes(kind: EngineKind) throws {
        let shared = try engine(kind)
        var state = try shared.state()
        for (step, count) in [128, 37, 128].enumerated() {
            let batch = network.randomBatch(count, seed: UInt64(step))
            let alone = try kind.make(network, state)
            shared.restartOptimizer()
            let losses = try [shared, alone].map {
                try $0.trainStep(batch.images, batch.labels, optimizer)
            }
            #expect(losses[0] == losses[1])
            state = try shared.state()
            #expect(try state.bytes == alone.state().bytes)
        }
    }

    @Test(
        "more batch sizes than the engine keeps, and scoring in between, change nothing",
        arguments: EngineKind.allCases)
    func manyBatchSizes(kind: EngineKind) throws {
        let (one, other) = (try engine(kind), try engine(kind))
        for count in [1, 2, 3, 4, 5, 6, 1] {
            let batch = network.randomBatch(count, seed: UInt64(count))
            let loss = try one.trainStep(batch.images, batch.labels, optimizer)
            _ = try one.logits(network.randomBatch(200, seed: 5).images)
            #expect(try other.trainStep(batch.images, batch.labels, optimizer) == loss)
        }
        #expect(try one.state().bytes == other.state().bytes)
    }

    @Test(
        "restarting the optimiser forgets the momentum and nothing else",
        arguments: EngineKind.allCases)
    func restart(kind: EngineKind) throws {
        let engine = try engine(kind)
        let batch = network.randomBatch(8, seed: 2)
        _ = try engine.trainStep(batch.images, batch.labels, optimizer)
        let state = try engine.state()
        engine.restartOptimizer()
        #expect(try engine.state() == state)
        let fresh = try kind.make(network, state)
        _ = try engine.trainStep(batch.images, batch.labels, optimizer)
        _ = try fresh.trainStep(batch.images, batch.labels, optimizer)
        #expect(try engine.state().bytes == fresh.state().bytes)

        let carried = try kind.make(network, network.initialState(seed: 1))
        for _ in 0..<2 { _ = try carried.trainStep(batch.images, batch.labels, optimizer) }
        #expect(try carried.state() != fresh.state(), "without a restart the momentum counts")
    }

    @Test("scoring in parts gives what one image at a time gives", arguments: EngineKind.allCases)
    func parts(kind: EngineKind) throws {
        let engine = try engine(kind)
        let batch = network.randomBatch(150, seed: 4)
        _ = try engine.trainStep(batch.images, batch.labels, optimizer)
        let together = try engine.logits(batch.images)
        let alone = try (0..<150).flatMap { index in
            try engine.logits(
                Array(batch.images[index * 3072..<(index + 1) * 3072]))
        }
        #expect(deviation(together, from: alone) < 1e-5)
    }

    @Test(
        "scores are the same, however many threads share the images",
        arguments: [Precision.float32, .bfloat16].filter { OneDNNEngine.supports($0) })
    func scoringThreads(precision: Precision) throws {
        let before = omp_get_max_threads()
        defer { omp_set_num_threads(before) }
        let network = ResNet18(width: 32, classes: 10)
        // More than one batch, and a last one with fewer images than threads.
        let images = network.randomBatch(OneDNNEngine.scoringBatch + 3, seed: 8).images
        let state = network.initialState(seed: 1)
        let alone = try OneDNNEngine(network, state, precision).logits(images)
        for threads in [2, 5] as [Int32] {
            omp_set_num_threads(threads)
            let engine = try OneDNNEngine(network, state, precision)
            let shared = try engine.logits(images)
            #expect(deviation(shared, from: alone) < 1e-5)
            #expect(omp_get_max_threads() == threads, "what comes next has all threads again")
            // The same shares in one thread: no bit depends on which thread has them.
            omp_set_num_threads(1)
            let isSame = try engine.logits(images) == shared
            #expect(isSame)
        }
    }

    @Test("scoring no image writes nothing", arguments: EngineKind.allCases)
    func noImage(kind: EngineKind) throws {
        #expect(try engine(kind).logits([]).isEmpty)
    }

    @Test(
        "scoring leaves the state as it was, and sees every training step",
        arguments: EngineKind.allCases)
    func scoringIsPure(kind: EngineKind) throws {
        let engine = try engine(kind)
        let batch = network.randomBatch(16, seed: 6)
        let before = try engine.logits(batch.images)
        #expect(try engine.state().bytes == network.initialState(seed: 1).bytes)
        _ = try engine.trainStep(batch.images, batch.labels, optimizer)
        let after = try engine.logits(batch.images)
        #expect(deviation(after, from: before) > 1e-2)
        let fresh = try kind.make(network, try engine.state())
        #expect(try fresh.logits(batch.images) == after)
    }

    @Test("the logits are the linear layer of the features", arguments: EngineKind.allCases)
    func features(kind: EngineKind) throws {
        let engine = try engine(kind)
        let images = network.randomBatch(5, seed: 7).images
        var logits = [Float](repeating: .nan, count: 5 * network.classes)
        var features = [Float](repeating: .nan, count: 5 * network.featureCount)
        var logitsSpan = logits.mutableSpan
        var featuresSpan = features.mutableSpan
        try engine.evaluate(
            images: images.span, imageCount: 5, logits: &logitsSpan, features: &featuresSpan)
        #expect(try engine.logits(images) == logits)
        let weights = try #require(engine.state()["linear.weight"]?.floats)
        let bias = try #require(engine.state()["linear.bias"]?.floats)
        let expected = (0..<5).flatMap { row in
            (0..<network.classes).map { column in
                (0..<network.featureCount).reduce(bias[column]) {
                    $0 + weights[column * network.featureCount + $1]
                        * features[row * network.featureCount + $1]
                }
            }
        }
        #expect(deviation(logits, from: expected) < 1e-5)
    }

    @Test(
        "one image is a batch; a state of another network is refused by name",
        arguments: EngineKind.allCases)
    func edges(kind: EngineKind) throws {
        let engine = try engine(kind)
        let batch = network.randomBatch(1, seed: 8)
        #expect(try engine.trainStep(batch.images, batch.labels, optimizer).isFinite)
        let wide = ResNet18(width: 16, classes: 10).initialState(seed: 1)
        #expect(
            throws: ClassifierError.state(
                tensor: "conv1.weight",
                problem: "has shape [16, 3, 3, 3]; this network needs [8, 3, 3, 3]")
        ) { try engine.load(wide) }
        let short = NetworkState(tensors: Array(network.initialState(seed: 1).tensors.dropLast()))
        #expect(throws: ClassifierError.self) { try engine.load(short) }
    }
}
