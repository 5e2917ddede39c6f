/// Vectors that are known by their inner products: features h, or Kronecker products q ⊗ h, whose
/// inner products are ⟨q, q'⟩⟨h, h'⟩, so that the C·d values of one are never written down.
///
/// Squared distances come from |g|² + |g'|² − 2⟨g, g'⟩ by matrix products over tiles of rows, which
/// bounds the memory. What is left of two equal vectors is rounding: a squared distance below
/// `noise` times |g|² + |g'|² counts as 0, so that duplicates tie exactly.
struct Embeddings {
    /// Relative rounding of an inner product of some hundred float32 terms, with room to spare:
    /// vectors nearer than 0.2 % of their length are not told apart.
    static let noise: Float = 0x1p-18
    /// Rows of one tile, and centers of one product with it: 0.5 MiB.
    private static let tileRowCount = 1_024
    private static let tileCenterCount = 128

    let count: Int
    /// Values of h.
    let featureCount: Int
    /// `(count, featureCount)`, row-major.
    let features: [Float]
    /// Values of q; 0 if the vectors are the features themselves.
    let factorCount: Int
    /// `(count, factorCount)`, row-major.
    let factors: [Float]
    private(set) var squaredNorms: [Float]

    /// - Parameters:
    ///   - features: `(count, featureCount)`, row-major.
    ///   - factors: `(count, factorCount)`, row-major; empty for the features themselves.
    init(
        count: Int, features: consuming [Float], featureCount: Int, factors: [Float] = [],
        factorCount: Int = 0
    ) {
        precondition(
            features.count == count * featureCount && factors.count == count * factorCount,
            "features and factors are not complete rows")
        _ = useOneThread
        self.count = count
        self.featureCount = featureCount
        self.features = features
        self.factorCount = factorCount
        self.factors = factors
        squaredNorms = []
        squaredNorms = (0..<count).map { Float(innerProduct($0, $0)) }
    }

    /// The vectors of some rows.
    func rows(at positions: [Int]) -> Embeddings {
        func gather(_ values: [Float], _ length: Int) -> [Float] {
            var rows: [Float] = []
            rows.reserveCapacity(positions.count * length)
            for position in positions {
                rows += values[position * length..<(position + 1) * length]
            }
            return rows
        }
        return Embeddings(
            count: positions.count, features: gather(features, featureCount),
            featureCount: featureCount, factors: gather(factors, factorCount),
            factorCount: factorCount)
    }

    /// The squared distance of two rows.
    func squaredDistance(_ first: Int, _ second: Int) -> Float {
        let norms = squaredNorms[first] + squaredNorms[second]
        let distance = norms - 2 * Float(innerProduct(first, second))
        return distance < Self.noise * norms ? 0 : distance
    }

    /// Lowers every row's squared distance to the nearest of the centers known before to that of
    /// the nearest of these, too.
    ///
    /// - Parameter nearest: `count` values; a negative one stays.
    func lower(_ nearest: inout [Float], to centers: Embeddings) {
        precondition(nearest.count == count, "one distance for every row")
        precondition(
            centers.featureCount == featureCount && centers.factorCount == factorCount,
            "vectors of another space")
        for rows in tiles(of: count, Self.tileRowCount) {
            for others in tiles(of: centers.count, Self.tileCenterCount) {
                let products = centers.innerProducts(of: others, with: self, rows)
                lowerNearest(
                    &nearest, rows, norms: squaredNorms, products: products,
                    centerNorms: centers.squaredNorms[others])
            }
        }
    }

    /// ⟨g, g'⟩ of rows g of these and g' of others, `(rows.count, otherRows.count)`, row-major.
    func innerProducts(
        of rows: Range<Int>, with others: Embeddings, _ otherRows: Range<Int>
    ) -> [Float] {
        func products(_ first: [Float], _ second: [Float], _ length: Int) -> [Float] {
            var products = [Float](repeating: 0, count: rows.count * otherRows.count)
            var sums = products.mutableSpan
            addProduct(
                first.span.extracting(rows.lowerBound * length..<rows.upperBound * length),
                second.span.extracting(
                    otherRows.lowerBound * length..<otherRows.upperBound * length),
                transposed: .second,
                MatrixShape(rows: rows.count, columns: otherRows.count, inner: length), to: &sums)
            return products
        }
        var result = products(features, others.features, featureCount)
        guard factorCount > 0 else { return result }
        let factorProducts = products(factors, others.factors, factorCount)
        for index in result.indices { result[index] *= factorProducts[index] }
        return result
    }

    private func innerProduct(_ first: Int, _ second: Int) -> Double {
        let product = dotProduct(features.span, first, second, length: featureCount)
        guard factorCount > 0 else { return product }
        return product * dotProduct(factors.span, first, second, length: factorCount)
    }
}

/// The ranges of at most `length` that make up 0..<count.
private func tiles(of count: Int, _ length: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: length).map { $0..<min($0 + length, count) }
}

private func dotProduct(_ values: Span<Float>, _ first: Int, _ second: Int, length: Int) -> Double {
    let (first, second) = (first * length, second * length)
    var sum = 0.0
    for index in 0..<length {
        sum += Double(values[first + index]) * Double(values[second + index])
    }
    return sum
}

/// Rows are the inner loop, in which each is on its own: so it becomes vector instructions.
private func lowerNearest(
    _ nearest: inout [Float], _ rows: Range<Int>, norms: [Float], products: [Float],
    centerNorms: ArraySlice<Float>
) {
    let noise = Embeddings.noise
    nearest.withUnsafeMutableBufferPointer { nearest in
        norms.withUnsafeBufferPointer { norms in
            products.withUnsafeBufferPointer { products in
                let nearest = nearest.baseAddress! + rows.lowerBound
                let norms = norms.baseAddress! + rows.lowerBound
                for (center, centerNorm) in centerNorms.enumerated() {
                    let products = products.baseAddress! + center * rows.count
                    for row in 0..<rows.count {
                        let sum = norms[row] + centerNorm
                        let distance = sum - 2 * products[row]
                        let clean = distance < noise * sum ? 0 : distance
                        nearest[row] = clean < nearest[row] ? clean : nearest[row]
                    }
                }
            }
        }
    }
}
