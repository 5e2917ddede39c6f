/// Mean and spread of a sample of accuracies.
public struct SampleStatistics: Hashable, Sendable {
    public let count: Int
    /// Exact.
    public let mean: Ratio
    /// The sample standard deviation, with n − 1; nil of a single value.
    public let standardDeviation: Double?

    /// - Parameter values: nil is returned if there are none.
    public init?(_ values: [Ratio]) {
        guard !values.isEmpty else { return nil }
        let (numerators, denominator) = Ratio.overCommonDenominator(values)
        let count = Int128(values.count)
        let sum = numerators.reduce(0, +)
        self.count = values.count
        mean = Ratio(sum, denominator * count)
        guard values.count > 1 else {
            standardDeviation = nil
            return
        }
        // n·Σx² − (Σx)² is exact in integers, where Σ(x − mean)² in floating point cancels.
        let squares = numerators.reduce(0) { $0 + $1 * $1 }
        let scatter = Double(count * squares - sum * sum) / Double(count * (count - 1))
        standardDeviation = scatter.squareRoot() / Double(denominator)
    }
}

extension SampleStatistics {
    /// Of the mean; nil of a single value.
    public var standardError: Double? {
        standardDeviation.map { $0 / Double(count).squareRoot() }
    }

    /// Half the width of the mean's 95 % interval by Student's t; nil of a single value.
    public var halfWidth95: Double? {
        standardError.map { $0 * StudentT.quantile95(degreesOfFreedom: count - 1) }
    }

    /// The mean's 95 % interval by Student's t; nil of a single value.
    public var interval95: ClosedRange<Double>? {
        halfWidth95.map { mean.double - $0...mean.double + $0 }
    }
}
