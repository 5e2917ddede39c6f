/// A convolution with its batch norm's running statistics folded in: w·γ/√(σ² + ε) and
/// β − μ·γ/√(σ² + ε).
struct FoldedUnit {
    /// Like the convolution's, the output channel first.
    private(set) var weights: [Float]
    /// One for each output channel.
    private(set) var bias: [Float]

    init(
        weights: [Float], factors: [Float], summands: [Float], _ running: RunningStatistics
    ) {
        self.weights = weights
        bias = summands
        let fanIn = weights.count / factors.count
        for channel in factors.indices {
            let deviation = (running.variance[channel] + ResNet18.epsilon).squareRoot()
            let factor = factors[channel] / deviation
            bias[channel] -= running.mean[channel] * factor
            for index in channel * fanIn..<(channel + 1) * fanIn {
                self.weights[index] *= factor
            }
        }
    }
}
