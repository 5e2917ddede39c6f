/// Stochastic gradient descent with momentum and weight decay:
/// g ← g + wd·p; b ← g on the first step and m·b + g after; p ← p − lr·b.
public struct SGD: Hashable, Sendable {
    public var learningRate: Float
    public var momentum: Float
    public var weightDecay: Float

    public init(learningRate: Float, momentum: Float, weightDecay: Float) {
        self.learningRate = learningRate
        self.momentum = momentum
        self.weightDecay = weightDecay
    }
}

extension SGD {
    /// One step over flat buffers of one length. A first step is one with `velocity` all 0.
    ///
    /// - Parameters:
    ///   - parameters: p; changed.
    ///   - velocity: b; changed.
    ///   - gradients: g without weight decay.
    func update(
        parameters: inout MutableSpan<Float>, velocity: inout MutableSpan<Float>,
        gradients: Span<Float>
    ) {
        let count = gradients.count
        precondition(parameters.count == count && velocity.count == count)
        for index in 0..<count {
            let parameter = parameters[unchecked: index]
            let gradient = gradients[unchecked: index] + weightDecay * parameter
            let step = momentum * velocity[unchecked: index] + gradient
            velocity[unchecked: index] = step
            parameters[unchecked: index] = parameter - learningRate * step
        }
    }
}

extension SGD {
    /// One step over the first `count` floats of each buffer, in oneDNN's team of threads.
    func update(
        parameters: UnsafeMutableBufferPointer<Float>, velocity: UnsafeMutableBufferPointer<Float>,
        gradients: UnsafeMutableBufferPointer<Float>, count: Int
    ) {
        forEachPart(of: count) { part in
            var values = UnsafeMutableBufferPointer(rebasing: parameters[part]).mutableSpan
            var momenta = UnsafeMutableBufferPointer(rebasing: velocity[part]).mutableSpan
            update(
                parameters: &values, velocity: &momenta,
                gradients: UnsafeMutableBufferPointer(rebasing: gradients[part]).span)
        }
    }
}
