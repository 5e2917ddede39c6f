import SweepModel

/// The smallest lead of the best class over the second.
struct MarginStrategy: UncertaintyStrategy {
    let poolTransform: PoolTransform

    static func uncertainty(_ state: ArraySlice<Float>) -> Float { -state[state.endIndex - 2] }
}
