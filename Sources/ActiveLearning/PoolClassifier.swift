import Classifier
import Datasets

/// Asks a network about many images, in parts that bound the memory.
struct PoolClassifier {
    /// Images that are asked about at once, which bounds the memory; not the training batch, which
    /// must not decide how fast a pool is scored.
    static let defaultBatchSize = 128

    let feed: ImageFeed
    let batchSize: Int
    /// The cycle under way, for errors.
    let cycle: Int
    let shouldStop: () -> Bool

    var classCount: Int { feed.engine.network.classes }
    var featureCount: Int { feed.engine.network.featureCount }

    /// The logits of images in the network's evaluation mode.
    ///
    /// - Parameters:
    ///   - indices: of the images in their set.
    ///   - augmentation: of the images, drawn in the order of `indices`.
    /// - Returns: `(indices.count, classes)`, row-major, finite.
    func logits(
        of indices: [Int], augmentation: () -> Augmentation = { .none }
    ) throws(ExperimentError) -> [Float] {
        try answers(of: indices, withFeatures: false, augmentation).logits
    }

    /// The logits and what the linear layer saw, `(indices.count, features)`.
    func outputs(
        of indices: [Int], augmentation: () -> Augmentation = { .none }
    ) throws(ExperimentError) -> (logits: [Float], features: [Float]) {
        try answers(of: indices, withFeatures: true, augmentation)
    }

    private func answers(
        of indices: [Int], withFeatures: Bool, _ augmentation: () -> Augmentation
    ) throws(ExperimentError) -> (logits: [Float], features: [Float]) {
        var logits = [Float](repeating: 0, count: indices.count * classCount)
        var features = [Float](
            repeating: 0, count: withFeatures ? indices.count * featureCount : 0)
        try feed.score(
            indices, batchSize: batchSize, withFeatures: withFeatures, augmentation: augmentation,
            goOn: { () throws(ExperimentError) in
                guard !shouldStop() else { throw .stopped(cycle: cycle) }
            }
        ) { first, partLogits, partFeatures throws(ExperimentError) in
            try copy(partLogits, to: &logits, at: first * classCount)
            try copy(partFeatures, to: &features, at: first * featureCount)
        }
        return (logits, features)
    }

    private func copy(
        _ part: [Float], to values: inout [Float], at start: Int
    ) throws(ExperimentError) {
        for index in part.indices {
            guard part[index].isFinite else { throw .diverged(cycle: cycle) }
            values[start + index] = part[index]
        }
    }
}

/// The logits of all images of a set, `(images.count, classes)`, row-major, as an experiment finds them.
public func logits(
    of images: ImageSet, by engine: any ClassifierEngine
) throws(ExperimentError) -> [Float] {
    try PoolClassifier(
        feed: ImageFeed(images, to: engine), batchSize: PoolClassifier.defaultBatchSize, cycle: 1,
        shouldStop: { false }
    ).logits(of: Array(0..<images.count))
}
