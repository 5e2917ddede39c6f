// The loops around a block's residual sum, over tensors of one layout, in which the order of the
// elements does not matter. Zeros that fill up blocked channels stay zeros.

/// target ← max(target + other, 0). What is not a number stays so, to be seen in the loss.
func addAndRectify<Element: ActivationElement>(
    _ target: UnsafeMutableBufferPointer<Element>, _ other: UnsafeMutableBufferPointer<Element>
) {
    precondition(target.count == other.count)
    forEachPart(of: target.count) { part in
        var into = UnsafeMutableBufferPointer(rebasing: target[part]).mutableSpan
        let summand = UnsafeMutableBufferPointer(rebasing: other[part]).span
        for index in 0..<part.count {
            let sum = into[unchecked: index].float + summand[unchecked: index].float
            into[unchecked: index] = Element(rounding: sum < 0 ? 0 : sum)
        }
    }
}

/// target ← target + other.
func add<Element: ActivationElement>(
    _ target: UnsafeMutableBufferPointer<Element>, _ other: UnsafeMutableBufferPointer<Element>
) {
    precondition(target.count == other.count)
    forEachPart(of: target.count) { part in
        var into = UnsafeMutableBufferPointer(rebasing: target[part]).mutableSpan
        let summand = UnsafeMutableBufferPointer(rebasing: other[part]).span
        for index in 0..<part.count {
            into[unchecked: index] = Element(
                rounding: into[unchecked: index].float + summand[unchecked: index].float)
        }
    }
}

/// target ← (target + other) where `active` is positive, else 0: the gradient of relu at the
/// block's output `active`.
func addAndMask<Element: ActivationElement>(
    _ target: UnsafeMutableBufferPointer<Element>, _ other: UnsafeMutableBufferPointer<Element>?,
    _ active: UnsafeMutableBufferPointer<Element>
) {
    precondition(target.count == active.count && (other?.count ?? target.count) == target.count)
    forEachPart(of: target.count) { part in
        var into = UnsafeMutableBufferPointer(rebasing: target[part]).mutableSpan
        let output = UnsafeMutableBufferPointer(rebasing: active[part]).span
        guard let other else {
            for index in 0..<part.count {
                let gradient = into[unchecked: index].float
                into[unchecked: index] = Element(
                    rounding: output[unchecked: index].float > 0 ? gradient : 0)
            }
            return
        }
        let summand = UnsafeMutableBufferPointer(rebasing: other[part]).span
        for index in 0..<part.count {
            let gradient = into[unchecked: index].float + summand[unchecked: index].float
            into[unchecked: index] = Element(
                rounding: output[unchecked: index].float > 0 ? gradient : 0)
        }
    }
}

/// Copies `values` into `target` from the element `start` on.
func copy(
    _ values: UnsafeMutableBufferPointer<Float>, to target: inout MutableSpan<Float>, at start: Int
) {
    for index in values.indices {
        target[start + index] = values[index]
    }
}
