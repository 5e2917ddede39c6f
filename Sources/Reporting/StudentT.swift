/// Student's t distribution with a whole number of degrees of freedom.
///
/// All its values follow from the incomplete beta function with halves of integers as parameters,
/// which needs no logarithm and no gamma function.
public struct StudentT: Hashable, Sendable {
    /// At least 1.
    public let degreesOfFreedom: Int

    public init(degreesOfFreedom: Int) {
        precondition(degreesOfFreedom >= 1, "\(degreesOfFreedom) degrees of freedom")
        self.degreesOfFreedom = degreesOfFreedom
    }

    /// The probability of a value at least as far from 0 as `t`; relative error about 1e-13.
    public func twoSidedProbability(_ t: Double) -> Double {
        guard !t.isNaN else { return .nan }
        guard t.isFinite else { return 0 }
        // x and 1 − x are each computed without cancellation.
        let freedom = Double(degreesOfFreedom)
        let sum = freedom + t * t
        return regularizedIncompleteBeta(
            freedom / sum, complement: t * t / sum, halvesA: degreesOfFreedom, halvesB: 1)
    }

    /// The t between whose negative and itself lies `level` of the probability.
    ///
    /// - Parameter level: between 0 and 1, both excluded.
    public func centralQuantile(_ level: Double) -> Double {
        precondition(0 < level && level < 1, "a level of \(level)")
        let outside = 1 - level
        // The two-sided probability falls and is convex, so that Newton's steps from 0 approach
        // from below and never pass the root; rounding ends them.
        var t = 0.0
        let maximumSteps = 200
        for _ in 0..<maximumSteps {
            let next = t + (twoSidedProbability(t) - outside) / (2 * density(t))
            guard next > t else { break }
            t = next
        }
        return t
    }

    /// The probability density.
    private func density(_ t: Double) -> Double {
        let freedom = Double(degreesOfFreedom)
        let shrinkage = (freedom / (freedom + t * t)).squareRoot()
        return power(shrinkage, degreesOfFreedom + 1)
            / (freedom.squareRoot() * beta(degreesOfFreedom, 1))
    }

    /// Half the width of a 95 % interval in standard errors.
    public static func quantile95(degreesOfFreedom: Int) -> Double {
        let index = degreesOfFreedom - 1
        if index < commonQuantiles.count { return commonQuantiles[index] }
        return StudentT(degreesOfFreedom: degreesOfFreedom).centralQuantile(0.95)
    }

    /// By degrees of freedom from 1 on: reports draw thousands of intervals over few seeds.
    private static let commonQuantiles = (1...64).map {
        StudentT(degreesOfFreedom: $0).centralQuantile(0.95)
    }
}

/// I_x(a, b), the regularised incomplete beta function, with a = halvesA/2 and b = halvesB/2.
///
/// By Lentz's evaluation of its continued fraction (Abramowitz & Stegun 1964, 26.5.8), on the side
/// of x where that converges fast.
///
/// - Parameters:
///   - x: from 0 to 1.
///   - complement: 1 − x, which the caller may know more exactly.
func regularizedIncompleteBeta(
    _ x: Double, complement: Double, halvesA: Int, halvesB: Int
) -> Double {
    guard x > 0 else { return 0 }
    guard complement > 0 else { return 1 }
    let (a, b) = (Double(halvesA) / 2, Double(halvesB) / 2)
    guard x <= (a + 1) / (a + b + 2) else {
        return 1
            - regularizedIncompleteBeta(
                complement, complement: x, halvesA: halvesB, halvesB: halvesA)
    }
    let front =
        power(x.squareRoot(), halvesA) * power(complement.squareRoot(), halvesB)
        / (a * beta(halvesA, halvesB))
    return front * betaFraction(x, a, b)
}

/// The continued fraction of the incomplete beta function.
private func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    /// Keeps a denominator that vanishes from dividing by zero (Thompson & Barnett 1986).
    func kept(_ value: Double) -> Double { abs(value) < 1e-300 ? 1e-300 : value }
    var numerator = 1.0
    var denominator = 1 / kept(1 - (a + b) * x / (a + 1))
    var fraction = denominator
    let maximumTerms = 10_000
    for term in 1...maximumTerms {
        let m = Double(term)
        let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1 / kept(1 + even * denominator)
        numerator = kept(1 + even / numerator)
        fraction *= denominator * numerator
        let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        denominator = 1 / kept(1 + odd * denominator)
        numerator = kept(1 + odd / numerator)
        let change = denominator * numerator
        fraction *= change
        if abs(change - 1) < 1e-16 { break }
    }
    return fraction
}

/// B(a, b) with a = halvesA/2 and b = halvesB/2, from B(½, ½) = π, B(1, ½) = 2 and B(1, 1) = 1 by
/// B(a + 1, b) = B(a, b) · a/(a + b).
private func beta(_ halvesA: Int, _ halvesB: Int) -> Double {
    precondition(halvesA >= 1 && halvesB >= 1, "a beta function at \(halvesA)/2, \(halvesB)/2")
    var (firstHalves, secondHalves) = (halvesA % 2 == 0 ? 2 : 1, halvesB % 2 == 0 ? 2 : 1)
    var value =
        switch firstHalves + secondHalves {
        case 2: Double.pi
        case 3: 2.0
        default: 1.0
        }
    while firstHalves < halvesA {
        value *= Double(firstHalves) / Double(firstHalves + secondHalves)
        firstHalves += 2
    }
    while secondHalves < halvesB {
        value *= Double(secondHalves) / Double(firstHalves + secondHalves)
        secondHalves += 2
    }
    return value
}

private func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, square, rest) = (1.0, base, exponent)
    while rest > 0 {
        if rest % 2 == 1 { result *= square }
        square *= square
        rest /= 2
    }
    return result
}
