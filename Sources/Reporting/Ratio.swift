/// A quotient of integers, kept exact: accuracies are counts over the test set, and a mean of five
/// of them must come out to the last digit.
public struct Ratio: Hashable, Sendable {
    public let numerator: Int128
    /// At least 1; the quotient is in lowest terms.
    public let denominator: Int128

    /// - Parameter denominator: not 0.
    public init(_ numerator: Int128, _ denominator: Int128 = 1) {
        precondition(denominator != 0, "a ratio over 0")
        let divisor = Ratio.greatestCommonDivisor(numerator.magnitude, denominator.magnitude)
        let sign: Int128 = denominator < 0 ? -1 : 1
        self.numerator = sign * numerator / Int128(divisor)
        self.denominator = sign * denominator / Int128(divisor)
    }

    /// A count of test images in percent.
    public init(percent correct: Int, of total: Int) {
        self.init(100 * Int128(correct), Int128(total))
    }

    public var magnitude: Ratio { numerator < 0 ? Ratio(-numerator, denominator) : self }

    /// The nearest floating-point number, but for the rounding of both integers.
    public var double: Double {
        // Conversion from 128 bits is some ten times slower.
        if let numerator = Int64(exactly: numerator), let denominator = Int64(exactly: denominator)
        {
            return Double(numerator) / Double(denominator)
        }
        return Double(numerator) / Double(denominator)
    }

    private static func greatestCommonDivisor(_ first: UInt128, _ second: UInt128) -> UInt128 {
        // Counts fit 64 bits nearly always, and 128-bit division is some ten times slower.
        if let first = UInt64(exactly: first), let second = UInt64(exactly: second) {
            var (first, second) = (first, second)
            while second != 0 { (first, second) = (second, first % second) }
            return UInt128(max(first, 1))
        }
        var (first, second) = (first, second)
        while second != 0 { (first, second) = (second, first % second) }
        return max(first, 1)
    }
}

extension Ratio: Comparable {
    public static func < (first: Ratio, second: Ratio) -> Bool {
        first.numerator * second.denominator < second.numerator * first.denominator
    }

    public static func + (first: Ratio, second: Ratio) -> Ratio {
        Ratio(
            first.numerator * second.denominator + second.numerator * first.denominator,
            first.denominator * second.denominator)
    }

    public static func - (first: Ratio, second: Ratio) -> Ratio {
        Ratio(
            first.numerator * second.denominator - second.numerator * first.denominator,
            first.denominator * second.denominator)
    }

    public static func / (first: Ratio, count: Int) -> Ratio {
        Ratio(first.numerator, first.denominator * Int128(count))
    }

    public static func * (first: Ratio, second: Ratio) -> Ratio {
        Ratio(first.numerator * second.numerator, first.denominator * second.denominator)
    }
}

extension Ratio {
    /// The integers that stand in the same proportions as `values`, and what they are over.
    static func overCommonDenominator(
        _ values: [Ratio]
    ) -> (numerators: [Int128], denominator: Int128) {
        let denominator = values.reduce(Int128(1)) { common, value in
            // Counts over one test set meet again and again.
            if common == value.denominator || value.denominator == 1 { return common }
            let divisor = greatestCommonDivisor(common.magnitude, value.denominator.magnitude)
            return common / Int128(divisor) * value.denominator
        }
        if let common = Int64(exactly: denominator) {
            return (
                values.map { $0.numerator * Int128(common / Int64($0.denominator)) }, denominator
            )
        }
        return (values.map { $0.numerator * (denominator / $0.denominator) }, denominator)
    }
}
