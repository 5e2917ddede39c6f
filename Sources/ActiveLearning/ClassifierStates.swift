import Glibc

/// What the Q-network sees of samples: for each the class probabilities p, the largest of them,
/// its lead over the second, and the entropy −Σ p·ln(p + 1e-8).
struct ClassifierStates: Sendable {
    /// Values of one state: C + 3.
    let length: Int
    /// `(count, C + 3)`, row-major.
    let values: [Float]

    static func length(ofClasses classCount: Int) -> Int { classCount + 3 }

    /// - Parameter logits: `(count, classCount)`, row-major, finite.
    init(logits: Span<Float>, classCount: Int) {
        precondition(
            classCount > 1 && logits.count % classCount == 0, "logits are not complete rows")
        let length = Self.length(ofClasses: classCount)
        let count = logits.count / classCount
        var values = [Float](repeating: 0, count: count * length)
        var states = values.mutableSpan
        for row in 0..<count {
            writeState(
                of: logits.extracting(row * classCount..<(row + 1) * classCount), to: &states,
                from: row * length)
        }
        self.length = length
        self.values = values
    }

    var count: Int { values.count / length }

    /// One sample's state.
    func row(_ index: Int) -> ArraySlice<Float> {
        values[index * length..<(index + 1) * length]
    }

    /// The lead of a sample's best class over the second.
    func margin(_ index: Int) -> Float { values[(index + 1) * length - 2] }
}

/// Computes in Double, so that what is rounded to Float is all the error there is.
private func writeState(
    of logits: Span<Float>, to states: inout MutableSpan<Float>, from start: Int
) {
    let classCount = logits.count
    var maximum = logits[0]
    for index in 1..<classCount { maximum = max(maximum, logits[index]) }
    var sum = 0.0
    for index in 0..<classCount { sum += exp(Double(logits[index]) - Double(maximum)) }

    var (first, second, entropy) = (0.0, 0.0, 0.0)
    for index in 0..<classCount {
        let probability = exp(Double(logits[index]) - Double(maximum)) / sum
        states[start + index] = Float(probability)
        entropy -= probability * log(probability + 1e-8)
        if probability > first {
            (first, second) = (probability, first)
        } else if probability > second {
            second = probability
        }
    }
    states[start + classCount] = Float(first)
    states[start + classCount + 1] = Float(first - second)
    states[start + classCount + 2] = Float(entropy)
}

/// The class with the largest logit, the first of equals.
func predictedClass(_ logits: Span<Float>) -> Int {
    var best = 0
    for index in 1..<logits.count where logits[index] > logits[best] { best = index }
    return best
}

/// −ln of the softmax probability of a class, in nats.
func crossEntropy(_ logits: Span<Float>, label: Int) -> Double {
    var maximum = logits[0]
    for index in 1..<logits.count { maximum = max(maximum, logits[index]) }
    var sum = 0.0
    for index in 0..<logits.count { sum += exp(Double(logits[index]) - Double(maximum)) }
    return log(sum) - (Double(logits[label]) - Double(maximum))
}
