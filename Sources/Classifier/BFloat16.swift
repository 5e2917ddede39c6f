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
