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

    /// The logits of images in the network's evaluation mode.
    ///
    /// - Parameters:
    ///   - indices: of the images in their set.
    ///   - augmentation: of the images, drawn in the order of `indices`.
    /// - Returns: `(indices.count, classes)`, row-major, finite.
    func logits(
        of indices: [Int], augmentation: () -> Augmentation = { .none }
    ) throws(ExperimentError) -> [Float] {
        var batch = [Float](
            repeating: 0, count: min(batchSize, indices.count) * BatchAssembly.imageFloatCount)
        var logits = [Float](repeating: 0, count: indices.count * classCount)
        var batchLogits = [Float](repeating: 0, count: min(batchSize, indices.count) * classCount)
        for start in stride(from: 0, to: indices.count, by: batchSize) {
            guard !shouldStop() else { throw .stopped(cycle: cycle) }
            let count = min(batchSize, indices.count - start)
            var images = batch.mutableSpan
            for slot in 0..<count {
                assembly.write(indices[start + slot], augmentation(), toSlot: slot, of: &images)
            }
            try evaluate(images.span, count: count, logits: &batchLogits)
            for index in 0..<count * classCount {
                let logit = batchLogits[index]
                guard logit.isFinite else { throw .diverged(cycle: cycle) }
                logits[start * classCount + index] = logit
            }
        }
        return logits
    }

    /// - Parameter images: the first `count` images of the span count.
    private func evaluate(
        _ images: Span<Float>, count: Int, logits: inout [Float]
    ) throws(ExperimentError) {
        if logits.count != count * classCount {
            logits = [Float](repeating: 0, count: count * classCount)
        }
        var result = logits.mutableSpan
        do {
            try engine.evaluate(
                images: images.extracting(0..<count * BatchAssembly.imageFloatCount),
                imageCount: count, logits: &result)
        } catch {
            throw .classifier(error)
        }
    }
}
