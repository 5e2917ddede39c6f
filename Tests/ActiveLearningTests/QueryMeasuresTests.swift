import Foundation
import Testing

@testable import ActiveLearning

@Suite struct QueryMeasuresTests {
    @Test("the AUC is the share of pairs in order, ties counting half", arguments: 0..<20)
    func auc(_ seed: UInt64) throws {
        var stream = RandomStream(seed: seed, purpose: .augmentation, cycle: 1)
        // Few distinct scores, so that many tie.
        let scores = (0..<40).map { _ in Float(stream.below(7)) }
        var isPositive = (0..<40).map { _ in stream.below(3) == 0 }
        isPositive[0] = true
        isPositive[1] = false
        var (wins, pairs) = (0.0, 0.0)
        for (positive, isFirst) in zip(scores, isPositive) where isFirst {
            for (negative, isOther) in zip(scores, isPositive) where !isOther {
                pairs += 1
                wins += positive > negative ? 1 : positive == negative ? 0.5 : 0
            }
        }
        let auc = try #require(areaUnderROC(scores: scores, isPositive: isPositive))
        #expect(abs(auc - wins / pairs) < 1e-12)
    }

    @Test("perfect order is 1, the reverse 0, equal scores ½, and one kind alone has none")
    func aucLimits() {
        #expect(areaUnderROC(scores: [1, 2, 3, 4], isPositive: [false, false, true, true]) == 1)
        #expect(areaUnderROC(scores: [1, 2, 3, 4], isPositive: [true, true, false, false]) == 0)
        #expect(areaUnderROC(scores: [5, 5, 5], isPositive: [true, false, true]) == 0.5)
        #expect(areaUnderROC(scores: [1, 2], isPositive: [true, true]) == nil)
        #expect(areaUnderROC(scores: [1, 2], isPositive: [false, false]) == nil)
        #expect(areaUnderROC(scores: [], isPositive: []) == nil)
    }

    @Test("equal values share the mean of their ranks")
    func ranks() {
        #expect(midranks([10, 30, 20, 20]) == [1, 4, 2.5, 2.5])
        #expect(midranks([7, 7, 7]) == [2, 2, 2])
        #expect(midranks([]) == [])
    }

    @Test("the entropy of shares is ln n for n even ones, 0 for one or none")
    func entropy() {
        #expect(abs(shareEntropy([5, 5, 5, 5, 0]) - log(4)) < 1e-12)
        #expect(shareEntropy([0, 9]) == 0 && shareEntropy([0, 9]).sign == .plus)
        #expect(shareEntropy([0, 0]) == 0 && shareEntropy([]) == 0)
        #expect(abs(shareEntropy([1, 3]) - 0.5623351446188083) < 1e-12)
    }
}
