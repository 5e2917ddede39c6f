import Classifier
import Foundation
import SweepModel
import Testing

@testable import ActiveLearning

@Suite struct BADGEStrategyTests {
    /// The gradients themselves, all C·d values of each, in Double.
    private func gradients(logits: [Float], features: [Float], classCount: Int) -> [[Double]] {
        let count = logits.count / classCount
        let length = features.count / count
        return (0..<count).map { row in
            let exponentials = logits[row * classCount..<(row + 1) * classCount]
                .map { exp(Double($0)) }
            let sum = exponentials.reduce(0, +)
            let best = exponentials.firstIndex(of: exponentials.max()!)!
            return exponentials.indices.flatMap { index -> [Double] in
                let error = exponentials[index] / sum - (index == best ? 1 : 0)
                return (0..<length).map { error * Double(features[row * length + $0]) }
            }
        }
    }

    private func embeddings(
        _ count: Int, classCount: Int = 5, length: Int = 12, seed: UInt64 = 1
    ) -> (Embeddings, gradients: [[Double]]) {
        let logits = randomRows(count, length: classCount, seed: seed)
        let features = randomRows(count, length: length, seed: seed + 100, offset: 1)
        let embeddings = Embeddings(
            count: count, features: features, featureCount: length,
            factors: predictionErrors(logits.span, classCount: classCount), factorCount: classCount)
        return (embeddings, gradients(logits: logits, features: features, classCount: classCount))
    }

    @Test("a prediction's errors are p − onehot(argmax), also of a sure prediction")
    func errors() {
        let logits: [Float] = [0, 0, 100, 0]
        let errors = predictionErrors(logits.span, classCount: 4)
        #expect(errors[0] == Float(exp(-100.0)) && errors[0] > 0)
        #expect(errors[2] == Float(-3 * exp(-100.0)), "1 − max p, which float32 rounds to 0")
        let even: [Float] = [2, 2]
        #expect(predictionErrors(even.span, classCount: 2) == [-0.5, 0.5])
    }

    @Test("distances by the product of two inner products are those of the whole gradients")
    func distances() {
        let (embeddings, gradients) = embeddings(1_300)
        let centers = [3, 1_299, 500]
        var nearest = [Float](repeating: .infinity, count: 1_300)
        embeddings.lower(&nearest, to: embeddings.rows(at: centers))
        for row in 0..<1_300 {
            let expected = centers.map { squaredDistance(gradients[row], gradients[$0]) }.min()!
            let scale = squaredDistance(gradients[row], gradients[row].map { _ in 0 })
            #expect(abs(Double(nearest[row]) - expected) < 1e-4 * (scale + expected), "row \(row)")
            let one = embeddings.squaredDistance(row, 3)
            let exact = squaredDistance(gradients[row], gradients[3])
            #expect(abs(Double(one) - exact) < 1e-4 * (scale + exact))
        }
        #expect(centers.allSatisfy { nearest[$0] == 0 })
    }

    @Test("without pending seeds, draws are those of k-means++ over whole gradients, one by one")
    func oracle() {
        let (embeddings, gradients) = embeddings(150)
        for seed in 0..<5 as Range<UInt64> {
            var stream = RandomStream(seed: seed, purpose: .clusterSeeding, cycle: 2)
            var expectedStream = stream
            let seeds = clusterSeeds(
                embeddings, count: 30, drawing: &stream, pendingCapacity: 1, goOn: {})
            var expected = [expectedStream.below(150)]
            while expected.count < 30 {
                let weights = gradients.map { gradient in
                    expected.map { squaredDistance(gradient, gradients[$0]) }.min()!
                }
                let target = expectedStream.fraction() * weights.reduce(0, +)
                _ = expectedStream.fraction()
                var sum = 0.0
                expected.append(
                    weights.firstIndex { weight in
                        sum += weight
                        return sum > target
                    }!)
            }
            #expect(seeds == expected)
        }
    }

    @Test("with pending seeds, the probabilities are still those of the squared distances")
    func distribution() {
        let (embeddings, gradients) = embeddings(6, classCount: 3, length: 2)
        // The exact probability of the third seed, over all first and second ones.
        var expected = [Double](repeating: 0, count: 6)
        func probabilities(_ seeds: [Int]) -> [Double] {
            let weights = gradients.map { gradient in
                seeds.map { squaredDistance(gradient, gradients[$0]) }.min()!
            }
            return weights.map { $0 / weights.reduce(0, +) }
        }
        for first in 0..<6 {
            for (second, chance) in probabilities([first]).enumerated() {
                for (third, last) in probabilities([first, second]).enumerated() where chance > 0 {
                    expected[third] += chance * last / 6
                }
            }
        }
        let runCount = 20_000
        var counts = [Int](repeating: 0, count: 6)
        for seed in 0..<runCount {
            var stream = RandomStream(seed: UInt64(seed), purpose: .clusterSeeding, cycle: 1)
            let seeds = clusterSeeds(embeddings, count: 4, drawing: &stream, goOn: {})
            #expect(Set(seeds).count == 4)
            counts[seeds[2]] += 1
        }
        let chiSquare = zip(counts, expected).reduce(0.0) { sum, pair in
            let mean = pair.1 * Double(runCount)
            return sum + (Double(pair.0) - mean) * (Double(pair.0) - mean) / mean
        }
        // The 99.99 % quantile of chi-square with 5 degrees of freedom is 25.7.
        #expect(chiSquare < 25.7, "\(counts) where \(expected) is expected")
    }

    @Test("every row is drawn once where all are asked for; equal rows come in order")
    func duplicates() {
        let (varied, _) = embeddings(40)
        var stream = RandomStream(seed: 1, purpose: .clusterSeeding, cycle: 1)
        #expect(
            clusterSeeds(varied, count: 40, drawing: &stream, goOn: {}).sorted() == Array(0..<40))
        let row = randomRows(1, length: 64, seed: 8, offset: 3)
        let equal = Embeddings(
            count: 30, features: (0..<30).flatMap { _ in row }, featureCount: 64,
            factors: (0..<30).flatMap { _ in [-0.5, 0.25, 0.25] as [Float] }, factorCount: 3)
        let seeds = clusterSeeds(equal, count: 10, drawing: &stream, goOn: {})
        let rest = (0..<30).filter { $0 != seeds[0] }
        #expect(seeds.dropFirst() == rest.prefix(9))
        let zero = Embeddings(
            count: 4, features: [0, 0, 0, 0], featureCount: 1, factors: [0, 0, 0, 0],
            factorCount: 1)
        #expect(clusterSeeds(zero, count: 4, drawing: &stream, goOn: {}).sorted() == [0, 1, 2, 3])
        #expect(clusterSeeds(zero, count: 0, drawing: &stream, goOn: {}) == [])
    }

    @Test("two far groups have a seed each before one has two")
    func groups() {
        let (near, _) = embeddings(50)
        let far = Embeddings(
            count: 100,
            features: near.features + near.features.map { $0 * 1_000 }, featureCount: 12,
            factors: near.factors + near.factors, factorCount: 5)
        for seed in 0..<20 as Range<UInt64> {
            var stream = RandomStream(seed: seed, purpose: .clusterSeeding, cycle: 1)
            let seeds = clusterSeeds(far, count: 20, drawing: &stream, goOn: {})
            #expect(seeds.count { $0 < 50 } <= 1, "only the long gradients are far apart")
        }
    }

    @Test("the strategy seeds clusters of the pool's gradients from its own stream")
    func strategy() throws {
        let scene = try StrategyScene(width: 4)
        let unlabelled = Array(5..<60)
        let strategy = BADGEStrategy(poolTransform: .test)
        let picks = try strategy.picks(for: scene.request(12, of: unlabelled)).indices
        let (logits, features) = try scene.classifier.outputs(of: unlabelled)
        let embeddings = Embeddings(
            count: 55, features: features, featureCount: 32,
            factors: predictionErrors(logits.span, classCount: 10), factorCount: 10)
        var stream = RandomStream(seed: 0, purpose: .clusterSeeding, cycle: 1)
        let seeds = clusterSeeds(embeddings, count: 12, drawing: &stream, goOn: {})
        #expect(picks == seeds.map { unlabelled[$0] })
        let reversed = try strategy.picks(for: scene.request(12, of: unlabelled.reversed()))
        #expect(reversed.indices == picks, "the order does not count")
        let other = try strategy.picks(for: scene.request(12, of: unlabelled, seed: 1))
        #expect(other.indices != picks)
    }

    @Test("more than the pool takes all of it, one takes one, none takes none")
    func smallPools() throws {
        let scene = try StrategyScene()
        let strategy = BADGEStrategy(poolTransform: .test)
        func picks(_ count: Int, _ unlabelled: [Int]) throws -> [Int] {
            try strategy.picks(for: scene.request(count, of: unlabelled)).indices
        }
        #expect(try picks(10, [8, 3, 5]).sorted() == [3, 5, 8])
        #expect(try picks(1, [8]) == [8])
        #expect(try picks(10, []) == [])
        #expect(try picks(0, [8, 3]) == [])
        let copies = try StrategyScene.copies(6)
        let copied = try strategy.picks(for: copies.request(3, of: [5, 2, 4, 1])).indices
        #expect(Set(copied).count == 3 && Set(copied).isSubset(of: [5, 2, 4, 1]))
    }
}
