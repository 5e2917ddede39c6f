import Foundation
import Testing

@testable import Reporting

/// A sample of `statistics.json`, whose values are SciPy's.
private struct StatisticsFixture: Decodable {
    var a: [Double]
    var b: [Double]
    var meanA: Double
    var sdA: Double
    var intervalA: [Double]
    var pairedT: Double
    var pairedTProbability: Double
    var wilcoxonProbability: Double

    enum CodingKeys: String, CodingKey {
        case a, b
        case meanA = "mean_a"
        case sdA = "sd_a"
        case intervalA = "ci95_a"
        case pairedT = "paired_t"
        case pairedTProbability = "paired_t_p"
        case wilcoxonProbability = "wilcoxon_exact_p"
    }
}

/// Values of SciPy; `distributions.py` beside the file writes it.
private struct DistributionsFixture: Decodable {
    struct Probability: Decodable {
        var df: Int
        var t: Double
        var p: Double
    }

    struct Quantile: Decodable {
        var df: Int
        var level: Double
        var t: Double
    }

    struct Pairs: Decodable {
        var a: [Int]
        var b: [Int]
        var t: Double?
        var tProbability: Double?
        var interval: [Double]?
        var wilcoxonProbability: Double?

        enum CodingKeys: String, CodingKey {
            case a, b, t, interval
            case tProbability = "t_p"
            case wilcoxonProbability = "wilcoxon_p"
        }
    }

    var twoSided: [Probability]
    var quantiles: [Quantile]
    var pairs: [Pairs]

    enum CodingKeys: String, CodingKey {
        case quantiles, pairs
        case twoSided = "two_sided_p"
    }
}

private func fixture<Value: Decodable>(_ name: String, in folder: URL) throws -> Value {
    try JSONDecoder().decode(
        Value.self, from: Data(contentsOf: folder.appending(path: name)))
}

private let distributions: DistributionsFixture = try! fixture(
    "distributions.json", in: Bundle.module.resourceURL!.appending(path: "Fixtures"))

/// An accuracy with at most twelve decimals, exactly.
private func exact(_ value: Double) -> Ratio {
    Ratio(Int128((value * 1e12).rounded()), 1_000_000_000_000)
}

private func isClose(_ found: Double?, _ expected: Double, relative: Double = 1e-9) -> Bool {
    guard let found else { return false }
    return abs(found - expected) <= relative * max(abs(expected), 1e-300)
}

@Test("mean, deviation, interval and paired tests are SciPy's")
func statisticsFixture() throws {
    let samples: [StatisticsFixture] = try fixture("statistics.json", in: fixtureFolder)
    #expect(!samples.isEmpty)
    for sample in samples {
        let statistics = try #require(SampleStatistics(sample.a.map(exact)))
        #expect(isClose(statistics.mean.double, sample.meanA, relative: 1e-14))
        #expect(isClose(statistics.standardDeviation, sample.sdA))
        #expect(isClose(statistics.interval95?.lowerBound, sample.intervalA[0]))
        #expect(isClose(statistics.interval95?.upperBound, sample.intervalA[1]))
        let differences = zip(sample.a, sample.b).map { exact($0) - exact($1) }
        let comparison = try #require(PairedComparison(differences: differences))
        #expect(isClose(comparison.t, sample.pairedT))
        #expect(isClose(comparison.tProbability, sample.pairedTProbability))
        #expect(isClose(comparison.wilcoxonProbability, sample.wilcoxonProbability))
        #expect((comparison.wilcoxonObstacle == nil) == (differences.count >= 6))
    }
}

@Test("two-sided probabilities of t are SciPy's, deep into the tails")
func probabilitiesOfT() {
    #expect(distributions.twoSided.count == 288)
    for value in distributions.twoSided {
        let found = StudentT(degreesOfFreedom: value.df).twoSidedProbability(value.t)
        #expect(isClose(found, value.p, relative: 1e-11), "\(value)")
    }
    // With one degree of freedom p is 1 − 2/π·atan t, where SciPy 1.17 loses four digits.
    let central = StudentT(degreesOfFreedom: 1).twoSidedProbability(1e-6)
    #expect(isClose(central, 1 - 2e-6 / Double.pi, relative: 1e-15))
    #expect(StudentT(degreesOfFreedom: 4).twoSidedProbability(.infinity) == 0)
    #expect(
        StudentT(degreesOfFreedom: 4).twoSidedProbability(-2)
            == StudentT(degreesOfFreedom: 4)
            .twoSidedProbability(2))
}

@Test("quantiles of t are SciPy's")
func quantilesOfT() {
    #expect(distributions.quantiles.count == 108)
    for value in distributions.quantiles {
        let found = StudentT(degreesOfFreedom: value.df).centralQuantile(value.level)
        #expect(isClose(found, value.t, relative: 1e-11), "\(value)")
        guard value.level == 0.95 else { continue }
        #expect(isClose(StudentT.quantile95(degreesOfFreedom: value.df), value.t, relative: 1e-11))
    }
}

@Test("paired t and exact Wilcoxon are SciPy's for 2 to 30 pairs, ties and zeros included")
func pairedTests() throws {
    for pairs in distributions.pairs {
        let differences = zip(pairs.a, pairs.b).map { Ratio(Int128($0 - $1)) }
        let comparison = try #require(PairedComparison(differences: differences))
        if let t = pairs.t, let probability = pairs.tProbability, let interval = pairs.interval {
            #expect(isClose(comparison.t, t))
            #expect(isClose(comparison.tProbability, probability))
            let found = try #require(comparison.statistics.interval95)
            let tolerance = 1e-9 * (interval[1] - interval[0])
            #expect(abs(found.lowerBound - interval[0]) < tolerance)
            #expect(abs(found.upperBound - interval[1]) < tolerance)
        }
        if let probability = pairs.wilcoxonProbability {
            #expect(isClose(comparison.wilcoxonProbability, probability), "\(pairs)")
        }
    }
    #expect(distributions.pairs.count { $0.wilcoxonProbability != nil } >= 60)
}

@Test("a Wilcoxon test over too few differing pairs says why there is none")
func tooFewPairs() throws {
    let five = try #require(PairedComparison(differences: (1...5).map { Ratio($0) }))
    #expect(five.wilcoxonObstacle == "over 5 differing pairs its p is never below 0.0625")
    let many = try #require(PairedComparison(differences: (1...101).map { Ratio($0) }))
    #expect(many.wilcoxonProbability == nil)
    #expect(many.wilcoxonObstacle == "over more than 100 pairs the exact one is not computed")
    let zeros = try #require(
        PairedComparison(differences: [0, 0, 1, 2, 3, 4, 5].map { Ratio($0) }))
    #expect(zeros.wilcoxonObstacle?.hasPrefix("over 5 differing pairs") == true)
    let equal = try #require(PairedComparison(differences: [Ratio(0), Ratio(0)]))
    #expect(equal.wilcoxonObstacle == "all differences are 0")
    #expect(equal.t == nil)
    #expect(PairedComparison(differences: [Ratio(2), Ratio(2)])?.tProbability == 0)
    #expect(PairedComparison(differences: [Ratio(2)])?.t == nil)
}

/// Holm, S. (1979), by hand: 0.01·4, 0.02·3, then 0.03·2 and 0.04·1 no lower than before.
@Test("Holm's adjustment is monotone and never above 1")
func holmAdjustment() {
    let adjusted = holmAdjusted([0.04, 0.01, 0.03, 0.02])
    let expected = [0.06, 0.04, 0.06, 0.06]
    for (found, expected) in zip(adjusted, expected) { #expect(abs(found - expected) < 1e-15) }
    #expect(holmAdjusted([0.7, 0.6]) == [1, 1])
    #expect(holmAdjusted([]).isEmpty)
}
