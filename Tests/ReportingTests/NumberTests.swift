import Foundation
import Testing

@testable import Reporting

@Test("ratios round exactly, halves to the even digit")
func ratioDecimals() {
    #expect(decimals(Ratio(1, 8), 2) == "0.12")
    #expect(decimals(Ratio(3, 8), 2) == "0.38")
    #expect(decimals(Ratio(-1, 3), 3) == "\u{2212}0.333")
    #expect(decimals(Ratio(-1, 3000), 2) == "0.00")
    #expect(decimals(Ratio(999_999, 1000), 2) == "1000.00")
    #expect(decimals(Ratio(-311, 100), 2, minus: "-") == "-3.11")
    #expect(decimals(Ratio(7, 1), 0) == "7")
}

@Test("a Double with fixed decimals is what C's printf writes", arguments: 0...6)
func doubleDecimals(places: Int) {
    // A linear congruential generator, so that the numbers are the same in every run.
    var state: UInt64 = 20_260_101
    var values: [Double] = [
        0, 0.5, 1.5, 2.5, 0.125, 1e-300, .leastNonzeroMagnitude, 123_456_789.5, 0x1p59,
    ]
    for _ in 0..<500 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let fraction = Double(state >> 11) / 0x1p53
        values.append((fraction - 0.5) * [1e-6, 1, 100, 1e9][Int(state % 4)])
    }
    for value in values {
        let printed = String(format: "%.\(places)f", value)
        let isZero = printed.allSatisfy { "-0.".contains($0) }
        let expected = isZero ? printed.filter { $0 != "-" } : printed
        #expect(decimals(value, places, minus: "-") == expected)
    }
}

@Test("mean and standard deviation of counts are exact where rounding would show")
func exactStatistics() throws {
    // Σx² − (Σx)²/n cancels to nothing in floating point at this size.
    let values = [Ratio(10_000_000_000_001), Ratio(10_000_000_000_002), Ratio(10_000_000_000_003)]
    let statistics = try #require(SampleStatistics(values))
    #expect(statistics.mean == Ratio(10_000_000_000_002))
    #expect(statistics.standardDeviation == 1)
    #expect(SampleStatistics([Ratio(1, 3)])?.standardDeviation == nil)
    #expect(SampleStatistics([]) == nil)
    #expect(SampleStatistics([Ratio(1, 3), Ratio(1, 4)])?.mean == Ratio(7, 24))
}

@Test("wide and combining characters take the columns that terminals give them")
func terminalWidths() {
    #expect(displayWidth("node1") == 5)
    #expect(displayWidth("± 3") == 3)
    #expect(displayWidth("節点") == 4)
    #expect(displayWidth("e\u{301}") == 1)
    #expect(displayWidth("🚀") == 2)
    #expect(wrapped("aaaa bbb cc", to: 8) == ["aaaa bbb", "cc"])
    #expect(wrapped("abcdefghij", to: 4) == ["abcd", "efgh", "ij"])
}
