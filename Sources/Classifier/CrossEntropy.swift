import Foundation

/// The mean cross-entropy of a batch, in nats, and its gradient with respect to the logits.
///
/// - Parameters:
///   - logits: row-major `(labels.count, classes)`.
///   - labels: classes from 0, at least one label.
///   - gradient: like `logits`: (softmax − onehot) / labels.count; overwritten.
func crossEntropy(
    logits: Span<Float>, labels: Span<Int32>, classes: Int, gradient: inout MutableSpan<Float>
) -> Double {
    let batch = labels.count
    precondition(batch > 0 && logits.count == batch * classes && gradient.count == logits.count)
    var total = 0.0
    for row in 0..<batch {
        let start = row * classes
        let label = Int(labels[row])
        precondition(0 <= label && label < classes, "labels are classes from 0")
        var largest = -Float.infinity
        for index in start..<start + classes {
            largest = max(largest, logits[index])
        }
        var sum = 0.0
        for index in start..<start + classes {
            sum += exp(Double(logits[index]) - Double(largest))
        }
        total += log(sum) - (Double(logits[start + label]) - Double(largest))
        for index in start..<start + classes {
            let probability = exp(Double(logits[index]) - Double(largest)) / sum
            let target = index == start + label ? 1.0 : 0.0
            gradient[index] = Float((probability - target) / Double(batch))
        }
    }
    return total / Double(batch)
}
