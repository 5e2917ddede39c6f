import Classifier
import Datasets

/// Asks a network about many images, in batches that bound the memory.
struct PoolClassifier {
    /// Images that are asked about at once, which bounds the memory; not the training batch, which
    /// must not decide how fast a pool is scored.
    static let defaultBatchSize = 128

    let engine: any ClassifierEngine
    let assembly: BatchAssembly
    let batchSize: Int
    /// The cycle under way, for errors.
    let cycle: Int
    let shouldStop: () -> Bool

    var classCount: Int { engine.network.classes }
    var featureCount: Int { engine.network.featureCount }

    /// The logits of images in the network's evaluation mode.
    ///
    /// - Parameters:
    ///   - indices: of the images in their set.
    ///   - augmentation: of the images, drawn in the order of `indices`.
    /// - Returns: `(indices.count, classes)`, row-major, finite.
    func logits(
        of indices: [Int], augmentation: () -> Augmentation = { .none }
    ) throws(ExperimentError) -> [Float] {
        var logits = [Float](repeating: 0, count: indices.count * classCount)
        try forEachBatch(of: indices, augmentation) {
            images, first, count throws(ExperimentError) in
            var batch = [Float](repeating: 0, count: count * classCount)
            var span = batch.mutableSpan
            do throws(ClassifierError) {
                try engine.evaluate(images: images, imageCount: count, logits: &span)
            } catch {
                throw .classifier(error)
            }
            try copy(batch, to: &logits, at: first * classCount)
        }
        return logits
    }

    /// The logits and what the linear layer saw, `(indices.count, features)`.
    func outputs(
        of indices: [Int], augmentation: () -> Augmentation = { .none }
    ) throws(ExperimentError) -> (logits: [Float], features: [Float]) {
        var logits = [Float](repeating: 0, count: indices.count * classCount)
        var features = [Float](repeating: 0, count: indices.count * featureCount)
        try forEachBatch(of: indices, augmentation) {
            images, first, count throws(ExperimentError) in
            var batchLogits = [Float](repeating: 0, count: count * classCount)
            var batchFeatures = [Float](repeating: 0, count: count * featureCount)
            var logitSpan = batchLogits.mutableSpan
            var featureSpan = batchFeatures.mutableSpan
            do throws(ClassifierError) {
                try engine.evaluate(
                    images: images, imageCount: count, logits: &logitSpan, features: &featureSpan)
            } catch {
                throw .classifier(error)
            }
            try copy(batchLogits, to: &logits, at: first * classCount)
            try copy(batchFeatures, to: &features, at: first * featureCount)
        }
        return (logits, features)
    }

    /// Assembles batches and hands each on with the place of its first image and their number.
    private func forEachBatch(
        of indices: [Int], _ augmentation: () -> Augmentation,
        _ body: (Span<Float>, Int, Int) throws(ExperimentError) -> Void
    ) throws(ExperimentError) {
        var batch = [Float](
            repeating: 0, count: min(batchSize, indices.count) * BatchAssembly.imageFloatCount)
        for start in stride(from: 0, to: indices.count, by: batchSize) {
            guard !shouldStop() else { throw .stopped(cycle: cycle) }
            let count = min(batchSize, indices.count - start)
            var images = batch.mutableSpan
            for slot in 0..<count {
                assembly.write(indices[start + slot], augmentation(), toSlot: slot, of: &images)
            }
            try body(
                batch.span.extracting(0..<count * BatchAssembly.imageFloatCount), start, count)
        }
    }

    private func copy(
        _ batch: [Float], to values: inout [Float], at start: Int
    ) throws(ExperimentError) {
        for index in batch.indices {
            guard batch[index].isFinite else { throw .diverged(cycle: cycle) }
            values[start + index] = batch[index]
        }
    }
}
