import SweepModel

/// `value` with a fixed number of decimals, rounded exactly; halves go to the even digit.
///
/// - Parameters:
///   - places: from 0 to 9.
///   - minus: the sign of a negative result; a result that rounds to zero has none.
func decimals(_ value: Ratio, _ places: Int, minus: String = minusSign) -> String {
    let quotient = rounded(
        value.numerator.magnitude * powerOfTen(places), over: value.denominator.magnitude)
    return written(quotient, places: places, isNegative: value.numerator < 0, minus: minus)
}

/// `value` with a fixed number of decimals, rounded exactly from its binary value as C's `printf`
/// does; halves go to the even digit. What is not finite is `–`.
///
/// - Parameters:
///   - places: from 0 to 9.
///   - minus: the sign of a negative result; a result that rounds to zero has none.
func decimals(_ value: Double, _ places: Int, minus: String = minusSign) -> String {
    guard value.isFinite else { return missingMark }
    // Beyond 2^53 a Double has no fraction, and beyond 2^60 the product below could overflow.
    guard value.magnitude < 0x1p60 else { return "\(value)" }
    guard value != 0 else { return written(0, places: places, isNegative: false, minus: minus) }
    let significand = UInt128(value.significandBitPattern) | (value.isNormal ? 1 << 52 : 0)
    let exponent = max(Int(value.exponentBitPattern), 1) - 1075
    let scaled = significand * powerOfTen(places)
    let quotient: UInt128 =
        if exponent >= 0 {
            scaled << UInt128(exponent)
        } else if exponent <= -127 {
            0
        } else {
            rounded(scaled, over: UInt128(1) << UInt128(-exponent))
        }
    return written(quotient, places: places, isNegative: value < 0, minus: minus)
}

/// What stands where there is no number.
let missingMark = "\u{2013}"

private func powerOfTen(_ places: Int) -> UInt128 {
    precondition((0...9).contains(places), "\(places) decimals")
    return (0..<places).reduce(1) { power, _ in power * 10 }
}

/// The nearest integer to a quotient; halves go to the even one.
private func rounded(_ numerator: UInt128, over denominator: UInt128) -> UInt128 {
    let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: denominator)
    let complement = denominator - remainder
    let roundsUp = remainder > complement || remainder == complement && quotient % 2 == 1
    return roundsUp ? quotient + 1 : quotient
}

private func written(
    _ scaled: UInt128, places: Int, isNegative: Bool, minus: String
) -> String {
    var digits = String(scaled)
    if digits.utf8.count <= places {
        digits = String(repeating: "0", count: places + 1 - digits.utf8.count) + digits
    }
    let sign = isNegative && scaled > 0 ? minus : ""
    guard places > 0 else { return sign + digits }
    return sign + digits.dropLast(places) + "." + digits.suffix(places)
}
