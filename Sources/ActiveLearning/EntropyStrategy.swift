import SweepModel

/// The largest −Σ p·ln(p + 1e-8).
struct EntropyStrategy: UncertaintyStrategy {
    let poolTransform: PoolTransform

    static func uncertainty(_ state: ArraySlice<Float>) -> Float { state[state.endIndex - 1] }
}
