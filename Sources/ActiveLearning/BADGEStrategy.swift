import Glibc
import SweepModel

/// BADGE (Ash et al. 2020, arXiv:1906.03671, Alg. 1): k-means++ seeding on the gradients
/// g = (p − onehot(argmax p)) ⊗ h that the predicted classes would cause in the linear layer. Long
/// gradients are uncertain samples, and distant ones are different.
struct BADGEStrategy: QueryStrategy {
    let poolTransform: PoolTransform

    var state: StrategyState { .none }

    func picks(for request: QueryRequest) throws(ExperimentError) -> QueryPicks {
        let candidates = request.candidates
        guard request.count > 0 else { return QueryPicks(indices: []) }
        let (logits, features) = try request.outputs(
            of: candidates, through: poolTransform, purpose: .poolAugmentation)
        let classCount = request.classifier.classCount
        let embeddings = Embeddings(
            count: candidates.count, features: features,
            featureCount: request.classifier.featureCount,
            factors: predictionErrors(logits.span, classCount: classCount),
            factorCount: classCount)
        var stream = RandomStream(
            seed: request.seed, purpose: .clusterSeeding, cycle: request.cycle)
        let picked = try clusterSeeds(
            embeddings, count: request.count, drawing: &stream, goOn: request.goOn)
        return QueryPicks(indices: picked.map { candidates[$0] })
    }
}

/// p − onehot(argmax p): how the cross-entropy of the predicted class changes with the logits.
///
/// - Parameter logits: `(count, classCount)`, row-major, finite.
/// - Returns: of the same shape; every row sums to 0.
func predictionErrors(_ logits: Span<Float>, classCount: Int) -> [Float] {
    var errors = [Float](repeating: 0, count: logits.count)
    for start in stride(from: 0, to: logits.count, by: classCount) {
        let row = logits.extracting(start..<start + classCount)
        let best = predictedClass(row)
        // The sum without the predicted class, so that 1 − max p does not cancel.
        var others = 0.0
        for index in 0..<classCount where index != best {
            others += exp(Double(row[index]) - Double(row[best]))
        }
        for index in 0..<classCount {
            errors[start + index] =
                index == best
                ? Float(-others / (1 + others))
                : Float(exp(Double(row[index]) - Double(row[best])) / (1 + others))
        }
    }
    return errors
}

/// Seeds of clusters by k-means++ (Arthur & Vassilvitskii 2007): the first uniformly, each other with
/// a probability proportional to its squared distance to the nearest seed.
///
/// Distances only shrink, so old ones are bounds: a row drawn by them is accepted with the ratio of
/// its distance now to the old one, which gives exactly the same probabilities as new distances of
/// all rows for every seed. Those are computed for some seeds at once, by a matrix product.
///
/// - Parameters:
///   - count: at most `embeddings.count`.
///   - pendingCapacity: seeds after which all distances are brought up to date, at least 1; with 1
///     no draw is rejected.
///   - goOn: called whenever they are.
/// - Returns: positions in the order in which they were drawn. Where every row left equals a seed,
///   the lowest are taken.
func clusterSeeds<Failure: Error>(
    _ embeddings: Embeddings, count: Int, drawing stream: inout RandomStream,
    pendingCapacity: Int = 64, goOn: () throws(Failure) -> Void
) throws(Failure) -> [Int] {
    precondition(count <= embeddings.count, "there are not so many rows")
    guard count > 0 else { return [] }
    var nearest = [Float](repeating: .infinity, count: embeddings.count)
    var seeds = [stream.below(embeddings.count)]
    var pending = seeds
    while true {
        try goOn()
        embeddings.lower(&nearest, to: embeddings.rows(at: pending))
        for seed in pending { nearest[seed] = 0 }
        guard seeds.count < count else { return seeds }
        let capacity = min(pendingCapacity, count - seeds.count)
        guard
            let drawn = draw(
                capacity, embeddings, nearest: nearest, drawing: &stream)
        else {
            let isSeed = Set(seeds)
            let rest = nearest.indices.filter { !isSeed.contains($0) }
            return seeds + rest.prefix(count - seeds.count)
        }
        seeds += drawn
        pending = drawn
    }
}

/// Up to so many seeds, fewer once most draws are rejected; nil if all distances are 0.
private func draw(
    _ capacity: Int, _ embeddings: Embeddings, nearest: [Float],
    drawing stream: inout RandomStream
) -> [Int]? {
    var sums: [Double] = []
    sums.reserveCapacity(nearest.count)
    var total = 0.0
    for distance in nearest {
        total += Double(distance)
        sums.append(total)
    }
    guard total > 0 else { return nil }
    var drawn: [Int] = []
    for _ in 0..<4 * capacity where drawn.count < capacity {
        let row = firstPosition(in: sums, above: stream.fraction() * total)
        let distance = drawn.reduce(nearest[row]) { min($0, embeddings.squaredDistance(row, $1)) }
        if stream.fraction() * Double(nearest[row]) < Double(distance) { drawn.append(row) }
    }
    return drawn
}

/// The first position whose sum is larger than a target, by bisection.
///
/// - Parameter sums: rising; the last is larger than the target.
private func firstPosition(in sums: [Double], above target: Double) -> Int {
    var (low, high) = (0, sums.count - 1)
    while low < high {
        let middle = (low + high) / 2
        if sums[middle] > target { high = middle } else { low = middle + 1 }
    }
    return low
}
