import SweepModel

/// The samples that k-center greedy picks in the last feature space (Sener & Savarese 2018,
/// arXiv:1708.00489, Alg. 1): repeatedly the one farthest from all labelled and picked ones. Ties go
/// to the lower index, so that runs with equal seeds agree.
struct KCenterStrategy: QueryStrategy {
    let poolTransform: PoolTransform

    var state: StrategyState { .none }

    func picks(for request: QueryRequest) throws(ExperimentError) -> QueryPicks {
        let candidates = request.candidates
        guard request.count > 0 else { return QueryPicks(indices: []) }
        var (_, features) = try request.outputs(
            of: candidates + request.labelled, through: poolTransform, purpose: .poolAugmentation)
        let length = request.classifier.featureCount
        center(&features, length: length)
        let labelled = Array(features[(candidates.count * length)...])
        features.removeLast(labelled.count)
        let picked = try farthestFirst(
            Embeddings(count: candidates.count, features: features, featureCount: length),
            from: Embeddings(
                count: request.labelled.count, features: labelled, featureCount: length),
            count: request.count, goOn: request.goOn)
        return QueryPicks(indices: picked.map { candidates[$0] })
    }
}

/// Takes the mean of the rows from each: their distances stay, and cancel less.
///
/// - Parameter features: `(count, length)`, row-major.
func center(_ features: inout [Float], length: Int) {
    var sums = [Double](repeating: 0, count: length)
    let count = features.count / length
    for row in 0..<count {
        for column in 0..<length { sums[column] += Double(features[row * length + column]) }
    }
    let means = sums.map { Float($0 / Double(max(1, count))) }
    for row in 0..<count {
        for column in 0..<length { features[row * length + column] -= means[column] }
    }
}

/// Repeatedly the row farthest from its nearest center, which then is a center too.
///
/// Distances only shrink, so a row outside the block of those that were farthest can not be the
/// next as long as one inside is farther than all outside were. Within the block, the inner products
/// of its rows are known from one matrix product; when it is used up, all rows are brought up to
/// date by another. This picks what a search through all rows for every pick would, tens of times
/// faster.
///
/// - Parameters:
///   - centers: of the same space; none makes the first row the first pick.
///   - count: at most `embeddings.count`.
///   - blockCapacity: rows of a block, at least 1; no pick depends on it.
///   - goOn: called before every block.
/// - Returns: positions in the order in which they were picked; ties go to the lower one.
func farthestFirst<Failure: Error>(
    _ embeddings: Embeddings, from centers: Embeddings, count: Int, blockCapacity: Int = 512,
    goOn: () throws(Failure) -> Void
) throws(Failure) -> [Int] {
    precondition(count <= embeddings.count, "there are not so many rows")
    var nearest = [Float](repeating: .infinity, count: embeddings.count)
    embeddings.lower(&nearest, to: centers)
    var picks: [Int] = []
    while picks.count < count {
        try goOn()
        let farthest = topPositions(nearest, blockCapacity + 1)
        let rival = farthest.count > blockCapacity ? farthest.last : nil
        // In ascending order, so that the first of equals has the lower index.
        var block = FarthestBlock(
            farthest.prefix(blockCapacity).sorted(), of: embeddings, nearest: nearest)
        var picked: [Int] = []
        while picks.count + picked.count < count {
            let best = block.farthest
            // The row outside is at most as far as it was; it wins a tie with a lower index.
            if let rival,
                (-block.nearest[best], block.positions[best]) > (-nearest[rival], rival)
            {
                break
            }
            block.pick(best)
            picked.append(block.positions[best])
        }
        embeddings.lower(&nearest, to: embeddings.rows(at: picked))
        for position in picked { nearest[position] = pickedDistance }
        picks += picked
    }
    return picks
}

/// Below every distance, so that no row is picked twice.
private let pickedDistance: Float = -1

/// Rows whose distances among each other are known.
private struct FarthestBlock {
    let positions: [Int]
    private let rows: Embeddings
    /// `(positions.count, positions.count)`.
    private let products: [Float]
    /// Each row's squared distance to its nearest center.
    private(set) var nearest: [Float]

    init(_ positions: [Int], of embeddings: Embeddings, nearest: [Float]) {
        self.positions = positions
        rows = embeddings.rows(at: positions)
        products = rows.innerProducts(
            of: 0..<positions.count, with: rows, 0..<positions.count)
        self.nearest = positions.map { nearest[$0] }
    }

    /// The place of the row that is farthest, the first of equals.
    var farthest: Int {
        var best = 0
        for place in nearest.indices where nearest[place] > nearest[best] { best = place }
        return best
    }

    mutating func pick(_ place: Int) {
        let count = positions.count
        for other in 0..<count {
            let norms = rows.squaredNorms[place] + rows.squaredNorms[other]
            let distance = norms - 2 * products[place * count + other]
            let clean = distance < Embeddings.noise * norms ? 0 : distance
            if clean < nearest[other] { nearest[other] = clean }
        }
        nearest[place] = pickedDistance
    }
}
