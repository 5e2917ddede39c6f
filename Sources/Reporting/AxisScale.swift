/// Maps values to positions, with ticks at round numbers.
struct AxisScale {
    /// The lowest and the highest value, and where they are drawn.
    let values: ClosedRange<Double>
    let start: Double
    let end: Double
    let ticks: [Double]
    /// Decimals that tell the ticks apart.
    let places: Int

    /// - Parameters:
    ///   - values: what must be inside; the axis is extended to the next tick on both sides if
    ///     `isExtended`, or else by a twentieth.
    ///   - maximumTicks: at least 2.
    init(
        _ values: ClosedRange<Double>, from start: Double, to end: Double, maximumTicks: Int,
        isExtended: Bool
    ) {
        // Values that are all the same get an axis of about one unit.
        let span = values.upperBound - values.lowerBound
        let width = span > 0 ? span : 1
        var (step, places) = AxisScale.step(atLeast: width / Double(maximumTicks))
        var low = (values.lowerBound / step).rounded(.down)
        var high = (values.upperBound / step).rounded(.up)
        while isExtended, high - low > Double(maximumTicks) {
            (step, places) = AxisScale.step(atLeast: step * 1.01)
            low = (values.lowerBound / step).rounded(.down)
            high = (values.upperBound / step).rounded(.up)
        }
        let margin = width / 20
        self.values =
            isExtended
            ? low * step...max(high, low + 1) * step
            : values.lowerBound - margin...values.upperBound + margin
        let range = self.values
        self.start = start
        self.end = end
        self.places = places
        // Multiples, not sums, of the step: sums drift.
        ticks = stride(from: low, through: high + 1, by: 1).map { $0 * step }
            .filter { $0 >= range.lowerBound - step / 1e6 && $0 <= range.upperBound + step / 1e6 }
    }

    func position(_ value: Double) -> Double {
        let fraction = (value - values.lowerBound) / (values.upperBound - values.lowerBound)
        return start + fraction * (end - start)
    }

    /// The next of 1, 2 and 5 times a power of ten, and the decimals it has.
    private static func step(atLeast width: Double) -> (step: Double, places: Int) {
        var power = 1.0
        var places = 0
        while power > width {
            power /= 10
            places += 1
        }
        while power * 10 <= width {
            power *= 10
        }
        for factor in [1.0, 2, 5] where power * factor >= width {
            return (power * factor, places)
        }
        return (power * 10, max(places - 1, 0))
    }
}
