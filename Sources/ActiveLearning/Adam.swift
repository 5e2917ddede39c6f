/// The Adam optimiser (Kingma & Ba 2015, arXiv:1412.6980) with PyTorch's defaults and order of
/// operations.
struct Adam: Hashable, Sendable {
    static let learningRate = 1e-3
    static let betas = (0.9, 0.999)
    static let epsilon: Float = 1e-8

    /// Steps taken.
    private(set) var stepCount = 0
    /// Running means of the gradient and of its square, one value per parameter.
    private(set) var means: [Float]
    private(set) var squares: [Float]

    init(parameterCount: Int) {
        means = [Float](repeating: 0, count: parameterCount)
        squares = means
    }

    /// Continues from a saved state; nil if it is none.
    init?(stepCount: Int, means: [Float], squares: [Float]) {
        guard stepCount >= 0, means.count == squares.count else { return nil }
        self.stepCount = stepCount
        self.means = means
        self.squares = squares
    }

    /// One step down the gradient.
    mutating func step(_ parameters: inout [Float], gradient: [Float]) {
        precondition(
            parameters.count == means.count && gradient.count == means.count,
            "an optimiser of another network")
        stepCount += 1
        let bias = (
            1 - power(Self.betas.0, stepCount), 1 - power(Self.betas.1, stepCount)
        )
        let stepSize = Float(Self.learningRate / bias.0)
        let root = Float(bias.1.squareRoot())
        let rates = (Float(1 - Self.betas.0), Float(1 - Self.betas.1))
        for index in parameters.indices {
            let slope = gradient[index]
            means[index] += (slope - means[index]) * rates.0
            squares[index] = squares[index] * Float(Self.betas.1) + rates.1 * slope * slope
            parameters[index] -=
                stepSize * means[index] / (squares[index].squareRoot() / root + Self.epsilon)
        }
    }

    /// By multiplication alone, so that it does not depend on a mathematics library.
    private func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, base, exponent) = (1.0, base, exponent)
        while exponent > 0 {
            if exponent & 1 == 1 { result *= base }
            base *= base
            exponent >>= 1
        }
        return result
    }
}
