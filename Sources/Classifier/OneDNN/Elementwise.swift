// The loops around a block's residual sum, over tensors of one layout, in which the order of the
// elements does not matter. Zeros that fill up blocked channels stay zeros.

/// target ← max(target + other, 0). What is not a number stays so, to be seen in the loss.
func addAndRectify(
    _ target: UnsafeMutableBufferPointer<Float>, _ other: UnsafeMutableBufferPointer<Float>
) {
    precondition(target.count == other.count)
    forEachPart(of: target.count) { part in
        var into = UnsafeMutableBufferPointer(rebasing: target[part]).mutableSpan
        let summand = UnsafeMutableBufferPointer(rebasing: other[part]).span
        for index in 0..<part.count {
            let sum = into[unchecked: index] + summand[unchecked: index]
            into[unchecked: index] = sum < 0 ? 0 : sum
        }
    }
}

/// target ← target + other.
func add(
    _ target: UnsafeMutableBufferPointer<Float>, _ other: UnsafeMutableBufferPointer<Float>
) {
    precondition(target.count == other.count)
    forEachPart(of: target.count) { part in
        var into = UnsafeMutableBufferPointer(rebasing: target[part]).mutableSpan
        let summand = UnsafeMutableBufferPointer(rebasing: other[part]).span
        for index in 0..<part.count {
            into[unchecked: index] += summand[unchecked: index]
        }
    }
}

/// target ← (target + other) where `active` is positive, else 0: the gradient of relu at the
/// block's output `active`.
func addAndMask(
    _ target: UnsafeMutableBufferPointer<Float>, _ other: UnsafeMutableBufferPointer<Float>?,
    _ active: UnsafeMutableBufferPointer<Float>
) {
    precondition(target.count == active.count && (other?.count ?? target.count) == target.count)
    forEachPart(of: target.count) { part in
        var into = UnsafeMutableBufferPointer(rebasing: target[part]).mutableSpan
        let output = UnsafeMutableBufferPointer(rebasing: active[part]).span
        guard let other else {
            for index in 0..<part.count {
                let gradient = into[unchecked: index]
                into[unchecked: index] = output[unchecked: index] > 0 ? gradient : 0
            }
            return
        }
        let summand = UnsafeMutableBufferPointer(rebasing: other[part]).span
        for index in 0..<part.count {
            let gradient = into[unchecked: index] + summand[unchecked: index]
            into[unchecked: index] = output[unchecked: index] > 0 ? gradient : 0
        }
    }
}
