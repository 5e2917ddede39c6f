import Classifier
import Datasets

/// Gives images of one set to an engine, flipped and cropped. An engine that holds images gets all of
/// them once, and then indices; any other gets batches of floats that are assembled here. The images,
/// their order and the augmentations drawn for them are the same.
struct ImageFeed {
    let engine: any ClassifierEngine
    let images: ImageSet

    private enum Way {
        case assembled(BatchAssembly)
        case held(any ImageHoldingEngine, HeldImages)
    }

    private let way: Way

    init(_ images: ImageSet, to engine: any ClassifierEngine) throws(ExperimentError) {
        self.engine = engine
        self.images = images
        guard let holder = engine as? any ImageHoldingEngine else {
            way = .assembled(BatchAssembly(images))
            return
        }
        do throws(ClassifierError) {
            way = .held(holder, try holder.hold(images))
        } catch {
            throw .classifier(error)
        }
    }

    /// One pass of SGD over images in their order.
    ///
    /// - Parameters:
    ///   - order: indices in the set, at least one.
    ///   - batchSize: images of a step; the last, short batch is kept.
    ///   - augmentation: of the images, drawn in their order.
    ///   - goOn: asked before every batch, or run of batches, and throws to end the pass.
    /// - Returns: the mean cross-entropy, in nats; not finite where a step's is not.
    func train(
        on order: [Int], batchSize: Int, optimizer: SGD, augmentation: () -> Augmentation,
        goOn: () throws(ExperimentError) -> Void
    ) throws(ExperimentError) -> Double {
        switch way {
        case .assembled(let assembly):
            try train(
                assembly, on: order, batchSize, optimizer, augmentation: augmentation, goOn: goOn)
        case .held(let holder, let held):
            try train(
                holder, held, on: order, batchSize, optimizer, augmentation: augmentation,
                goOn: goOn)
        }
    }

    private func train(
        _ assembly: BatchAssembly, on order: [Int], _ batchSize: Int, _ optimizer: SGD,
        augmentation: () -> Augmentation, goOn: () throws(ExperimentError) -> Void
    ) throws(ExperimentError) -> Double {
        let capacity = min(batchSize, order.count)
        var batch = [Float](repeating: 0, count: capacity * BatchAssembly.imageFloatCount)
        var labels = [Int32](repeating: 0, count: capacity)
        var lossSum = 0.0
        for start in stride(from: 0, to: order.count, by: batchSize) {
            try goOn()
            let count = min(batchSize, order.count - start)
            var target = batch.mutableSpan
            for slot in 0..<count {
                let index = order[start + slot]
                assembly.write(index, augmentation(), toSlot: slot, of: &target)
                labels[slot] = Int32(images.labels[index])
            }
            let loss: Double
            do {
                loss = try engine.trainStep(
                    images: batch.span.extracting(0..<count * BatchAssembly.imageFloatCount),
                    labels: labels.span.extracting(0..<count), optimizer: optimizer)
            } catch {
                throw .classifier(error)
            }
            // What follows a step that went wrong is of no use.
            guard loss.isFinite else { return loss }
            lossSum += loss * Double(count)
        }
        return lossSum / Double(order.count)
    }

    private func train(
        _ holder: any ImageHoldingEngine, _ held: HeldImages, on order: [Int], _ batchSize: Int,
        _ optimizer: SGD, augmentation: () -> Augmentation,
        goOn: () throws(ExperimentError) -> Void
    ) throws(ExperimentError) -> Double {
        let runLength = batchSize * holder.batchesPerRun
        for start in stride(from: 0, to: order.count, by: runLength) {
            try goOn()
            let run = order[start..<min(order.count, start + runLength)]
            do throws(ClassifierError) {
                try holder.train(
                    on: held, run.map { ImageView($0, augmentation()) },
                    labels: run.map { Int32(images.labels[$0]) }, batchSize: batchSize,
                    optimizer: optimizer)
            } catch {
                throw .classifier(error)
            }
        }
        let losses: [Float]
        do throws(ClassifierError) {
            losses = try holder.losses(stepCount: (order.count + batchSize - 1) / batchSize)
        } catch {
            throw .classifier(error)
        }
        var lossSum = 0.0
        for (step, loss) in losses.enumerated() {
            lossSum += Double(loss) * Double(min(batchSize, order.count - step * batchSize))
        }
        return lossSum / Double(order.count)
    }

    /// Asks the network about images, in parts.
    ///
    /// - Parameters:
    ///   - indices: in the set.
    ///   - batchSize: images of a part; an engine that holds them has its own.
    ///   - augmentation: of the images, drawn in the order of `indices`.
    ///   - goOn: asked before every part, and throws to end the scoring.
    ///   - collect: takes the place of a part's first image, its logits `(count, classes)` and, where asked
    ///     for, what its linear layer saw, `(count, features)`.
    func score(
        _ indices: [Int], batchSize: Int, withFeatures: Bool, augmentation: () -> Augmentation,
        goOn: () throws(ExperimentError) -> Void,
        collect: (Int, [Float], [Float]) throws(ExperimentError) -> Void
    ) throws(ExperimentError) {
        let partSize =
            if case .held(let holder, _) = way { holder.scoredImagesPerRun } else { batchSize }
        for start in stride(from: 0, to: indices.count, by: partSize) {
            try goOn()
            let part = indices[start..<min(indices.count, start + partSize)]
            let answers: (logits: [Float], features: [Float])
            do throws(ClassifierError) {
                switch way {
                case .assembled(let assembly):
                    answers = try evaluate(part, assembly, withFeatures, augmentation)
                case .held(let holder, let held):
                    answers = try holder.evaluate(
                        held, part.map { ImageView($0, augmentation()) }, withFeatures: withFeatures
                    )
                }
            } catch {
                throw .classifier(error)
            }
            try collect(start, answers.logits, answers.features)
        }
    }

    private func evaluate(
        _ indices: ArraySlice<Int>, _ assembly: BatchAssembly, _ withFeatures: Bool,
        _ augmentation: () -> Augmentation
    ) throws(ClassifierError) -> (logits: [Float], features: [Float]) {
        let count = indices.count
        var batch = [Float](repeating: 0, count: count * BatchAssembly.imageFloatCount)
        var target = batch.mutableSpan
        for (slot, index) in indices.enumerated() {
            assembly.write(index, augmentation(), toSlot: slot, of: &target)
        }
        var logits = [Float](repeating: 0, count: count * engine.network.classes)
        var logitSpan = logits.mutableSpan
        guard withFeatures else {
            try engine.evaluate(images: batch.span, imageCount: count, logits: &logitSpan)
            return (logits, [])
        }
        var features = [Float](repeating: 0, count: count * engine.network.featureCount)
        var featureSpan = features.mutableSpan
        try engine.evaluate(
            images: batch.span, imageCount: count, logits: &logitSpan, features: &featureSpan)
        return (logits, features)
    }
}

extension ImageHoldingEngine {
    /// The set as its batches are assembled elsewhere.
    func hold(_ images: ImageSet) throws(ClassifierError) -> HeldImages {
        let normalization = Normalization(of: images.name)
        let values = (0..<3).flatMap(normalization.table(ofChannel:))
        return try images.withPixels { pixels throws(ClassifierError) in
            try hold(
                pixels: pixels, channels: images.channels, values: values,
                padding: Augmentation.padding)
        }
    }
}

extension ImageView {
    init(_ image: Int, _ augmentation: Augmentation) {
        self.init(
            image: image, isFlipped: augmentation.isFlipped, column: augmentation.column,
            row: augmentation.row)
    }
}
