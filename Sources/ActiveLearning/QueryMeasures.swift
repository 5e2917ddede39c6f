import Glibc

/// The rank of every value, 1 being the smallest; equal values share the mean of their ranks.
///
/// - Parameter values: not NaN.
func midranks(_ values: [Float]) -> [Double] {
    let ordered = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < ordered.count {
        var end = start + 1
        while end < ordered.count, values[ordered[end]] == values[ordered[start]] { end += 1 }
        // The mean of the ranks start + 1 ... end.
        for place in start..<end { ranks[ordered[place]] = Double(start + 1 + end) / 2 }
        start = end
    }
    return ranks
}

/// The area under the ROC curve: the probability that a positive sample scores above a negative one,
/// ties counting half (Mann & Whitney 1947; Hanley & McNeil 1982).
///
/// - Returns: nil unless there are samples of both kinds.
func areaUnderROC(scores: [Float], isPositive: [Bool]) -> Double? {
    precondition(scores.count == isPositive.count, "one truth for every score")
    let positiveCount = isPositive.count { $0 }
    let negativeCount = isPositive.count - positiveCount
    guard positiveCount > 0, negativeCount > 0 else { return nil }
    let rankSum = zip(midranks(scores), isPositive).reduce(0.0) { $1.1 ? $0 + $1.0 : $0 }
    let wins = rankSum - Double(positiveCount * (positiveCount + 1)) / 2
    return wins / Double(positiveCount * negativeCount)
}

/// −Σ f·ln f of the shares f of some counts, in nats; 0 if there is nothing.
func shareEntropy(_ counts: [Int]) -> Double {
    let total = Double(counts.reduce(0, +))
    return counts.filter { $0 > 0 }.reduce(0.0) { entropy, count in
        let share = Double(count) / total
        // Subtracted from, so that a single class has 0 and not −0.
        return entropy - share * log(share)
    }
}
