// The loops around a block's residual sum, over tensors of one layout, in which the order of the
// elements does not matter. Zeros that fill up blocked channels stay zeros.

/// target ← max(target + other, 0). What is not a number stays so, to be seen in the loss.
@inline(__always)
private func addAndRectifyElements<Element: ActivationElement>(
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
@inline(__always)
private func addElements<Element: ActivationElement>(
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
@inline(__always)
private func addAndMaskElements<Element: ActivationElement>(
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

// One copy of each loop for every element type, in this file, where the compiler can specialise
// them in builds file by file as well.

func addAndRectify(
    _ target: UnsafeMutableBufferPointer<Float>, _ other: UnsafeMutableBufferPointer<Float>
) {
    addAndRectifyElements(target, other)
}

func addAndRectify(
    _ target: UnsafeMutableBufferPointer<BFloat16>, _ other: UnsafeMutableBufferPointer<BFloat16>
) {
    addAndRectifyElements(target, other)
}

func add(
    _ target: UnsafeMutableBufferPointer<Float>, _ other: UnsafeMutableBufferPointer<Float>
) {
    addElements(target, other)
}

func add(
    _ target: UnsafeMutableBufferPointer<BFloat16>, _ other: UnsafeMutableBufferPointer<BFloat16>
) {
    addElements(target, other)
}

func addAndMask(
    _ target: UnsafeMutableBufferPointer<Float>, _ other: UnsafeMutableBufferPointer<Float>?,
    _ active: UnsafeMutableBufferPointer<Float>
) {
    addAndMaskElements(target, other, active)
}

func addAndMask(
    _ target: UnsafeMutableBufferPointer<BFloat16>, _ other: UnsafeMutableBufferPointer<BFloat16>?,
    _ active: UnsafeMutableBufferPointer<BFloat16>
) {
    addAndMaskElements(target, other, active)
}

/// Copies `values` into `target` from the element `start` on.
func copy(
    _ values: UnsafeMutableBufferPointer<Float>, to target: inout MutableSpan<Float>, at start: Int
) {
    for index in values.indices {
        target[start + index] = values[index]
    }
}

/// What activations are stored as; sums are taken in float32.
protocol ActivationElement: BitwiseCopyable {
    /// The nearest value, ties to even.
    init(rounding value: Float)

    var float: Float { get }
}

extension Float: ActivationElement {
    @inline(__always)
    init(rounding value: Float) {
        self = value
    }

    @inline(__always)
    var float: Float { self }
}

/// The upper half of a float32: its range with 8 significant bits.
struct BFloat16: ActivationElement {
    let bits: UInt16

    @inline(__always)
    init(rounding value: Float) {
        let bits = value.bitPattern
        // Adding just less than half of the last place kept, or half where that place is odd,
        // carries into it exactly when the value rounds up. What is not a number must not carry
        // into infinity.
        let rounded = (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16
        self.bits = UInt16(truncatingIfNeeded: value == value ? rounded : bits >> 16 | 0x40)
    }

    @inline(__always)
    var float: Float { Float(bitPattern: UInt32(bits) << 16) }
}

/// Rounds every element to bfloat16 and keeps it as float32.
func roundToBFloat16(_ values: UnsafeMutableBufferPointer<Float>) {
    forEachPart(of: values.count) { part in
        var target = UnsafeMutableBufferPointer(rebasing: values[part]).mutableSpan
        for index in 0..<part.count {
            target[unchecked: index] = BFloat16(rounding: target[unchecked: index]).float
        }
    }
}
