import Classifier
import Datasets
import Foundation
import SweepModel
import Testing

@testable import ActiveLearning

@Suite struct WarmDQNStrategyTests {
    private func known(_ checkpoint: ExperimentCheckpoint) throws -> WarmDQNState {
        guard case .dqnWarm(let known?) = checkpoint.strategy else {
            throw ExperimentError.stopped(cycle: 0)
        }
        return known
    }

    /// Trained so long that Q can tell errors, and λ is not 0.
    private func run(
        _ gradientSteps: Int = 20, change: (inout StudyProtocol) -> Void = { _ in }
    ) throws -> RecordedRun {
        try RecordedRun(
            smallConfiguration(.dqnWarm(gradientSteps: gradientSteps)) {
                $0.epochs = 10
                $0.milestones = []
                change(&$0)
            })
    }

    @Test("scores mix the ranks of uncertainty and of Q as worked out by hand")
    func scores() {
        // Margins 0.5, 0.1, 0.1, 0.9 have the ranks 2, 3.5, 3.5, 1 of uncertainty.
        let certainty: [Float] = [0.5, 0.1, 0.1, 0.9]
        let values: [Float] = [4, 1, 2, 3]
        #expect(
            warmScores(certainty: certainty, values: values, lambda: 0)
                == [0.5, 0.875, 0.875, 0.25])
        #expect(
            warmScores(certainty: certainty, values: values, lambda: 1) == [1, 0.25, 0.5, 0.75])
        let mixed = warmScores(certainty: certainty, values: values, lambda: 0.25)
        for (score, expected) in zip(mixed, [0.625, 0.71875, 0.78125, 0.375]) {
            #expect(abs(score - expected) < 1e-12)
        }
        #expect(warmScores(certainty: [], values: [], lambda: 0.5) == [])
    }

    @Test("λ grows with the picks seen and with the AUC over chance")
    func lambda() {
        var stream = RandomStream(seed: 3, purpose: .qNetworkInitialisation, cycle: 1)
        var known = WarmDQNState(
            learner: DQNState(network: QNetwork(stateLength: 2, from: &stream)), auc: 1)
        #expect(known.lambda(buying: 10) == 0, "nothing was picked yet")
        for _ in 0..<10 {
            known.learner.buffer.append([0, 1], action: 1, reward: 1)
            known.learner.buffer.append([0, 1], action: 0, reward: 0)
        }
        #expect(abs(known.lambda(buying: 10) - 1.0 / 3) < 1e-12)
        known.auc = 0.75
        #expect(abs(known.lambda(buying: 10) - 1.0 / 6) < 1e-12)
        known.auc = 0.4
        #expect(known.lambda(buying: 10) == 0, "worse than chance counts as chance")
        known.auc = nil
        #expect(known.lambda(buying: 10) == 0)
        known.auc = 1
        #expect(known.lambda(buying: 0) == 1)
    }

    @Test("the warm start teaches Q the margin, outside the buffer")
    func warmStart() throws {
        let scene = try StrategyScene(bandedImages(count: 300, seed: 1))
        let request = scene.request(10, of: Array(0..<300))
        let logits = try scene.classifier.logits(of: Array(0..<300))
        let states = ClassifierStates(logits: logits.span, classCount: 10)
        let cold = DQNState(stateLength: states.length, for: request)
        let warm = try WarmDQNState(warmedBy: states, for: request)
        func meanError(_ network: QNetwork) -> Double {
            let values = network.pickValues(of: states)
            return values.indices.reduce(0) { sum, row in
                let error = Double(values[row] - (1 - states.margin(row)))
                return sum + error * error / 300
            }
        }
        #expect(meanError(warm.learner.network) < 0.1 * meanError(cold.network))
        #expect(warm.learner.buffer.count == 0)
        #expect(warm.learner.optimizer.stepCount == 200)
        #expect(warm.auc == nil)
        #expect(try warm == WarmDQNState(warmedBy: states, for: request))
    }

    @Test("a cycle's picks, rewards, AUC and λ are those of a second computation")
    func picks() throws {
        let run = try run()
        let (before, after) = (run.checkpoints[0], run.checkpoints[1])
        let query = try #require(run.results[1].query)
        let engine = try LinearEngine(ResNet18(width: 1, classes: 10), after.network)
        let pool = bandedImages(count: 400, seed: 1)
        let classifier = try PoolClassifier(
            feed: ImageFeed(pool, to: engine), batchSize: 7, cycle: 2,
            shouldStop: { false })
        let candidates = before.pool.unlabelled.sorted()
        let logits = try classifier.logits(of: candidates)
        let states = ClassifierStates(logits: logits.span, classCount: 10)
        let learner = try known(before).learner
        let values = learner.network.pickValues(of: states)

        // 40 picks are in the buffer, and 40 are to be bought.
        let firstAUC = try #require(run.results[0].query?.auc)
        let lambda = 40 / 120 * min(max(2 * firstAUC - 1, 0), 1)
        #expect(abs(try #require(query.lambda) - lambda) < 1e-12 && lambda > 0.1)
        #expect(try known(before).auc == firstAUC)

        var noise = RandomStream(seed: 0, purpose: .softRankSampling, cycle: 2)
        let margins = candidates.indices.map { states.values[$0 * 13 + 11] }
        /// The middle of the places that a value's equals have, counted from the smallest.
        func rank<Value: Comparable>(_ value: Value, among values: [Value]) -> Double {
            let below = values.count { $0 < value }
            return Double(below) + Double(values.count { $0 == value } + 1) / 2
        }
        let scores = candidates.indices.map { row in
            let uncertain = rank(-margins[row], among: margins.map { -$0 })
            return (1 - lambda) * uncertain + lambda * rank(values[row], among: values)
        }
        let noisy = scores.map { score -> Double in
            let place = rank(-score, among: scores.map { -$0 })
            let uniform = (Double(noise.nextWord()) + 0.5) * 0x1p-32
            return -log(place) - log(-log(uniform))
        }
        let drawn = candidates.indices.sorted { noisy[$0] > noisy[$1] }.prefix(36)
        #expect(query.picks.prefix(36) == drawn.map { candidates[$0] }[...])
        var uniform = RandomStream(seed: 0, purpose: .uniformSampling, cycle: 2)
        let rest = candidates.indices.filter { !drawn.contains($0) }
        #expect(query.picks.suffix(4) == uniform.sample(rest, 4).map { candidates[$0] }[...])

        let rows = query.picks.map { candidates.firstIndex(of: $0)! }
        let buffer = try known(after).learner.buffer
        #expect(buffer.actions[80...].elementsEqual((0..<80).map { $0 < 40 ? 1 : 0 }))
        for (place, row) in rows.enumerated() {
            let state = Array(states.row(row))
            #expect(buffer.batch([80 + place]).states == state)
            let predicted = state.firstIndex(of: state[..<10].max()!)!
            let isWrong = predicted != Int(pool.labels[candidates[row]])
            #expect(buffer.rewards[80 + place] == (isWrong ? 1 : 0))
        }
        let auc = areaUnderROC(
            scores: rows.map { values[$0] },
            isPositive: buffer.rewards[80..<120].map { $0 == 1 })
        #expect(query.auc == auc)
        #expect(try known(after).auc == auc)
    }

    @Test("the first query has λ = 0 and depends on no gradient steps; all are logged")
    func firstQuery() throws {
        let (few, many) = (try run(0), try run(20))
        let queries = many.results.compactMap(\.query)
        #expect(queries.count == 3)
        #expect(queries[0].lambda == 0)
        #expect(few.results[0].query?.picks == queries[0].picks)
        #expect(few.results[1].measured == many.results[1].measured)
        for query in queries {
            #expect(query.lambda != nil && query.auc != nil && query.classEntropy != nil)
            #expect((0...1).contains(query.lambda!) && (0...1).contains(query.auc!))
            #expect(query.firstLoss != nil && query.lastLoss != nil && query.meanQ != nil)
        }
        #expect(queries[1...].contains { $0.lambda! > 0 }, "Q learns to order errors")
        let steps = try many.checkpoints.map { try known($0).learner.optimizer.stepCount }
        #expect(steps == [220, 240, 260, 260])
    }

    @Test("the pool goes through the test transform, whatever the setting says")
    func transform() throws {
        let (test, train) = (try run(), try run { $0.poolTransform = .train })
        #expect(zip(test.results, train.results).allSatisfy { $0.agrees(with: $1) })
    }

    @Test("nine tenths are drawn by score, which favours high scores over 50 queries")
    func softRankSampling() throws {
        let scene = try StrategyScene(bandedImages(count: 200, seed: 1))
        let logits = try scene.classifier.logits(of: Array(0..<200))
        let states = ClassifierStates(logits: logits.span, classCount: 10)
        let ranks = midranks((0..<200).map { -states.margin($0) })
        var (drawn, uniform) = (0.0, 0.0)
        for seed in 0..<50 as Range<UInt64> {
            var strategy = WarmDQNStrategy(gradientSteps: 0)
            let picks = try strategy.picks(for: scene.request(20, of: Array(0..<200), seed: seed))
            #expect(Set(picks.indices).count == 20)
            drawn += picks.indices.prefix(18).reduce(0) { $0 + ranks[$1] } / (18 * 50)
            uniform += picks.indices.suffix(2).reduce(0) { $0 + ranks[$1] } / (2 * 50)
        }
        // Expected by 20,000 draws in NumPy: 155.3 (sd of this mean 1.5) and 94.8 (5.5).
        #expect((148...162).contains(drawn), "\(drawn)")
        #expect((73...117).contains(uniform), "\(uniform)")
    }

    @Test("more than the pool takes all of it, one takes one, none takes none, copies are taken")
    func smallPools() throws {
        let scene = try StrategyScene()
        func picks(_ scene: StrategyScene, _ count: Int, _ unlabelled: [Int]) throws -> QueryPicks {
            var strategy = WarmDQNStrategy(gradientSteps: 3)
            return try strategy.picks(for: scene.request(count, of: unlabelled))
        }
        #expect(try picks(scene, 10, [8, 3, 5]).indices.sorted() == [3, 5, 8])
        #expect(try picks(scene, 1, [8]).indices == [8])
        #expect(try picks(scene, 10, []).indices == [])
        #expect(try picks(scene, 0, [8, 3]).indices == [])
        let copied = try picks(StrategyScene.copies(10), 10, Array(0..<10))
        #expect(copied.indices.sorted() == Array(0..<10))
        #expect(copied.isWrong?.count { $0 } == 9, "each class has one")
        // Not 0.5: Q of equal states is equal only but for rounding, as QNetworkTests say.
        #expect(copied.auc != nil)
    }
}
