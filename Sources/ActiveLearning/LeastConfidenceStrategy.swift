import SweepModel

/// The smallest max p.
struct LeastConfidenceStrategy: UncertaintyStrategy {
    let poolTransform: PoolTransform

    /// The order of 1 − max p, without its rounding next to 0.
    static func uncertainty(_ state: ArraySlice<Float>) -> Float { -state[state.endIndex - 3] }
}
