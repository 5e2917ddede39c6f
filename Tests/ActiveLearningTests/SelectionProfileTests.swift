import Foundation
import Testing

@testable import ActiveLearning

private let profiledCounts = ProcessInfo.processInfo.environment["ALSWEEP_PROFILE_SELECTION"].map {
    $0.split(separator: ",").compactMap { Int($0) }
}

/// Prints how long choosing takes once the pool is scored, on request, as `Benchmarks/selection.sh`
/// does. The value lists the numbers of labelled samples. Times are the thread's CPU time.
@Suite("The time of a choice", .enabled(if: profiledCounts != nil), .serialized)
struct SelectionProfileTests {
    private let poolCount = 50_000
    private let length = 512
    private let classCount = 10
    private let pickCount = 1_000

    @Test("k-center and BADGE over a whole pool", arguments: profiledCounts ?? [])
    func profile(labelledCount: Int) {
        var features = groupedRows(poolCount, seed: 1)
        let logits = randomRows(poolCount, length: classCount, seed: 2)
        report("badge") {
            var stream = RandomStream(seed: 1, purpose: .clusterSeeding, cycle: 1)
            let embeddings = Embeddings(
                count: poolCount, features: features, featureCount: length,
                factors: predictionErrors(logits.span, classCount: classCount),
                factorCount: classCount)
            return clusterSeeds(embeddings, count: pickCount, drawing: &stream, goOn: {})
        }
        report("k_center, \(labelledCount) labelled") {
            features += groupedRows(labelledCount, seed: 3)
            center(&features, length: length)
            let labelled = Array(features[(poolCount * length)...])
            features.removeLast(labelled.count)
            return farthestFirst(
                Embeddings(count: poolCount, features: features, featureCount: length),
                from: Embeddings(
                    count: labelledCount, features: labelled, featureCount: length),
                count: pickCount, goOn: {})
        }
    }

    /// Features as of a network: not negative, in a group for each class.
    private func groupedRows(_ count: Int, seed: UInt64) -> [Float] {
        let groups = randomRows(classCount, length: length, seed: 9)
        var stream = RandomStream(seed: seed, purpose: .augmentation, cycle: 2)
        var rows: [Float] = []
        rows.reserveCapacity(count * length)
        for _ in 0..<count {
            let start = stream.below(classCount) * length
            for index in start..<start + length {
                rows.append(max(0, groups[index] + stream.uniform(within: 1)))
            }
        }
        return rows
    }

    private func report(_ what: String, _ body: () -> [Int]) {
        let start = clock()
        let picks = body()
        let seconds = Double(clock() - start) / Double(CLOCKS_PER_SEC)
        #expect(Set(picks).count == pickCount)
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        print(
            String(
                format: "%@: %d of %d × %d in %.2f s, at most %d MiB so far", what, pickCount,
                poolCount, length, seconds, usage.ru_maxrss / 1_024))
    }
}
