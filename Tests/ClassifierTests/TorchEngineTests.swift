import Classifier
import Testing

/// Beside what every engine must do (`EngineTests`, `OracleTests`, `AgreementTests`).
@Suite(
    "Engine torch holds images, and trains and scores on them",
    .enabled(if: TorchPresence.isNamed, TorchPresence.skipReason), .serialized)
struct TorchEngineTests {
    private let network = ResNet18(width: 8, classes: 10)
    private let optimizer = SGD(learningRate: 0.05, momentum: 0.9, weightDecay: 5e-4)
    private static let padding = 4
    private static let imageCount = 50

    /// Random bytes, and a table in which every channel's values differ.
    private struct Bytes {
        var pixels: [UInt8]
        var channels: Int
        var values: [Float]

        init(channels: Int) {
            var generator = TestGenerator(seed: 11)
            pixels = (0..<imageCount * channels * 1024).map { _ in
                UInt8(truncatingIfNeeded: generator.next())
            }
            self.channels = channels
            values = (0..<3).flatMap { channel in
                (0..<256).map { Float($0) / Float(64 + channel) - 2 }
            }
        }

        /// The image that a view shows, NCHW: the border is byte 0, and the flip comes before the crop.
        func image(_ view: ImageView) -> [Float] {
            (0..<3).flatMap { channel in
                (0..<32).flatMap { row in
                    (0..<32).map { column in
                        let (y, x) = (row + view.row - padding, column + view.column - padding)
                        guard (0..<32).contains(y), (0..<32).contains(x) else {
                            return values[channel * 256]
                        }
                        let plane = view.image * channels + (channels == 3 ? channel : 0)
                        let byte = pixels[(plane * 32 + y) * 32 + (view.isFlipped ? 31 - x : x)]
                        return values[channel * 256 + Int(byte)]
                    }
                }
            }
        }
    }

    private func hold(_ bytes: Bytes, in engine: TorchEngine) throws -> HeldImages {
        try engine.hold(
            pixels: bytes.pixels.span, channels: bytes.channels, values: bytes.values,
            padding: Self.padding)
    }

    private func views(_ count: Int, seed: UInt64) -> [ImageView] {
        var generator = TestGenerator(seed: seed)
        func below(_ bound: UInt64) -> Int { Int(generator.next() % bound) }
        return (0..<count).map { _ in
            ImageView(
                image: below(UInt64(Self.imageCount)), isFlipped: below(2) == 1, column: below(9),
                row: below(9))
        }
    }

    private func labels(_ count: Int) -> [Int32] { (0..<count).map { Int32($0 * 7 % 10) } }

    private func engine(
        _ precision: Precision = .float32, isDeterministic: Bool = true
    ) throws -> TorchEngine {
        try TorchEngine(
            network, network.initialState(seed: 1), precision: precision,
            isDeterministic: isDeterministic)
    }

    @Test("flips, crops, borders and normalisation are exact", arguments: [1, 3])
    func assembly(channels: Int) throws {
        let engine = try engine()
        let bytes = Bytes(channels: channels)
        let held = try hold(bytes, in: engine)
        #expect(held.count == Self.imageCount)
        var all = views(40, seed: 2)
        // The image itself, and all corners.
        for (column, row) in [(4, 4), (0, 0), (8, 0), (0, 8), (8, 8)] {
            for isFlipped in [false, true] {
                all.append(ImageView(image: 49, isFlipped: isFlipped, column: column, row: row))
            }
        }
        let expected = all.flatMap(bytes.image)
        #expect(try engine.assembled(held, all) == expected)
    }

    @Test("several sets are told apart")
    func twoSets() throws {
        let engine = try engine()
        let (grey, coloured) = (Bytes(channels: 1), Bytes(channels: 3))
        let sets = [try hold(grey, in: engine), try hold(coloured, in: engine)]
        let view = views(1, seed: 3)
        #expect(try engine.assembled(sets[0], view) == grey.image(view[0]))
        #expect(try engine.assembled(sets[1], view) == coloured.image(view[0]))
    }

    @Test(
        "steps on held images are steps on the same images as floats, bit for bit",
        arguments: [Precision.float32, .bfloat16])
    func training(precision: Precision) throws {
        let (one, other) = (try engine(precision), try engine(precision))
        let bytes = Bytes(channels: 3)
        let held = try hold(bytes, in: one)
        // Two full batches and a short one, twice: at other learning rates, in two runs and in one.
        var expected: [Double] = []
        var losses: [Float] = []
        for (epoch, rate) in [Float(0.05), 0.01].enumerated() {
            var optimizer = optimizer
            optimizer.learningRate = rate
            let (all, labels) = (views(21, seed: UInt64(epoch)), labels(21))
            let runs = epoch == 0 ? [0..<21] : [0..<8, 8..<21]
            for run in runs {
                try one.train(
                    on: held, Array(all[run]), labels: Array(labels[run]), batchSize: 8,
                    optimizer: optimizer)
            }
            for start in stride(from: 0, to: 21, by: 8) {
                let batch = start..<min(21, start + 8)
                expected.append(
                    try other.trainStep(
                        all[batch].flatMap(bytes.image), Array(labels[batch]), optimizer))
            }
            losses += try one.losses(stepCount: 3)
        }
        #expect(losses.map(Double.init) == expected)
        #expect(try one.state().bytes == other.state().bytes)
        #expect(try one.state()["bn1.num_batches_tracked"]?.integers == [6])
    }

    @Test("scores of held images are those of the same images as floats")
    func scoring() throws {
        let engine = try engine()
        let bytes = Bytes(channels: 1)
        let held = try hold(bytes, in: engine)
        let all = views(150, seed: 5)
        let images = all.flatMap(bytes.image)
        _ = try engine.trainStep(
            Array(images.prefix(8 * 3072)), labels(8), optimizer)
        let scores = try engine.evaluate(held, all, withFeatures: true)
        #expect(scores.logits == (try engine.logits(images)))
        #expect(scores.features.count == 150 * network.featureCount)
        let without = try engine.evaluate(held, all, withFeatures: false)
        #expect(without.logits == scores.logits && without.features.isEmpty)
        #expect(try engine.evaluate(held, [], withFeatures: true).logits.isEmpty)
    }

    @Test("views of no image, a wrong number of losses and unknown sets are refused, not computed")
    func refusals() throws {
        let engine = try engine()
        let held = try hold(Bytes(channels: 1), in: engine)
        for view in [
            ImageView(image: 50, isFlipped: false, column: 4, row: 4),
            ImageView(image: -1, isFlipped: false, column: 4, row: 4),
            ImageView(image: 0, isFlipped: false, column: 9, row: 4),
            ImageView(image: 0, isFlipped: false, column: 4, row: -1),
        ] {
            let error = #expect(throws: ClassifierError.self) {
                try engine.evaluate(held, [view], withFeatures: false)
            }
            #expect(error.map { "\($0)" }?.contains("none of the 50 images held") ?? false)
        }
        let other = try self.engine()
        let error = #expect(throws: ClassifierError.self) {
            try other.evaluate(held, views(1, seed: 1), withFeatures: false)
        }
        #expect(error.map { "\($0)" }?.contains("no set 0 is held") ?? false)
        #expect(throws: ClassifierError.self) { try engine.losses(stepCount: 1) }
        try engine.train(
            on: held, views(2, seed: 1), labels: [0, 1], batchSize: 2, optimizer: optimizer)
        #expect(throws: ClassifierError.self) { try engine.losses(stepCount: 2) }
        #expect(try engine.losses(stepCount: 1).count == 1)
    }

    @Test("a run that is repeated has the same bits", arguments: [Precision.float32, .bfloat16])
    func repetition(precision: Precision) throws {
        let bytes = Bytes(channels: 3)
        let runs = try (0..<2).map { _ in
            let engine = try engine(precision)
            let held = try hold(bytes, in: engine)
            try engine.train(
                on: held, views(37, seed: 8), labels: labels(37), batchSize: 16,
                optimizer: optimizer)
            let losses = try engine.losses(stepCount: 3)
            let scores = try engine.evaluate(held, views(20, seed: 9), withFeatures: true)
            return (losses, try engine.state().bytes, scores.logits, scores.features)
        }
        #expect(runs[0] == runs[1])
        let without = try engine(precision, isDeterministic: false)
        let held = try hold(bytes, in: without)
        try without.train(
            on: held, views(37, seed: 8), labels: labels(37), batchSize: 16, optimizer: optimizer)
        let losses = try without.losses(stepCount: 3)
        #expect(deviation(losses, from: runs[0].0) < 1e-2)
    }

    /// A state goes from one engine to another and back as it is, so a step after it is the other's.
    @Test("a network that one engine has trained, the other goes on with", arguments: [0, 1])
    func exchange(first: Int) throws {
        let start = network.initialState(seed: 4)
        let kinds: [EngineKind] = first == 0 ? [.torch, .oneDNN] : [.oneDNN, .torch]
        let trained = try kinds[0].make(network, start)
        let batch = network.randomBatch(24, seed: 4)
        for _ in 0..<3 { _ = try trained.trainStep(batch.images, batch.labels, optimizer) }
        let state = try trained.state()
        let other = try kinds[1].make(network, state)
        #expect(try other.state().bytes == state.bytes)
        #expect(
            deviation(try other.logits(batch.images), from: try trained.logits(batch.images)) < 1e-4
        )
        trained.restartOptimizer()
        let losses = try [trained, other].map {
            try $0.trainStep(batch.images, batch.labels, optimizer)
        }
        #expect(abs(losses[0] / losses[1] - 1) < 1e-4)
    }

    @Test("a precision that the device lacks is refused with the remedy")
    func precision() throws {
        let error = #expect(throws: ClassifierError.self) {
            try TorchEngine(
                network, network.initialState(seed: 1), precision: .tf32, device: .cpu)
        }
        #expect(
            error.map { "\($0)" } == "engine torch cannot compute as asked: a CPU has no TF32\n"
                + "hint: ask for precision float32")
    }

    @Test("it tells what it computes on")
    func description() throws {
        let engine = try engine()
        #expect(try !TorchLibrary.shared().name(of: engine.device).isEmpty)
        #expect(try engine.matrixPeak() > 1e8)
        let memory = try engine.peakMemory()
        #expect(engine.device == .cpu ? memory == 0 : memory > 1 << 20)
    }
}

/// The bounds are those of oneDNN's bfloat16 (`BFloat16EngineTests`).
@Suite(
    "Engine torch in bfloat16",
    .enabled(if: TorchPresence.isNamed, TorchPresence.skipReason), .serialized)
struct TorchBFloat16Tests {
    @Test("one step is near PyTorch's in float64, and all its numbers are float32's on the host")
    func firstStep() throws {
        let oracle = try OracleVectors()
        let engine = try TorchEngine(
            oracle.network, oracle.state("initial"), precision: .bfloat16)
        try expectFirstStep(of: engine, near: oracle)
    }

    @Test("twenty steps reduce the loss as float32 does")
    func descent() throws {
        let network = ResNet18(width: 16, classes: 10)
        let state = network.initialState(seed: 1)
        let batch = network.randomBatch(37, seed: 1)
        let optimizer = SGD(learningRate: 0.02, momentum: 0.9, weightDecay: 5e-4)
        let losses = try [Precision.float32, .bfloat16].map { precision in
            let engine = try TorchEngine(network, state, precision: precision)
            return try (0..<20).map { _ in
                try engine.trainStep(batch.images, batch.labels, optimizer)
            }
        }
        for losses in losses { #expect(losses[19] < 0.5 * losses[0]) }
        #expect(abs(losses[0][19] - losses[1][19]) < 0.1 * losses[0][0])
    }
}
