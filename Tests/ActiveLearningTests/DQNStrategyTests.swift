import Classifier
import Datasets
import SweepModel
import Testing

@testable import ActiveLearning

@Suite struct DQNStrategyTests {
    private func learner(_ checkpoint: ExperimentCheckpoint) throws -> DQNState {
        guard case .dqn(let learner?) = checkpoint.strategy else {
            throw ExperimentError.stopped(cycle: 0)
        }
        return learner
    }

    @Test("the highest scores are taken, ties by the lower index")
    func topScores() {
        #expect(topPositions([1, 3, 2, 3, 0], 3) == [1, 3, 2])
        #expect(topPositions([0, 0, 0, 0], 2) == [0, 1])
        #expect(topPositions([5], 3) == [0])
        #expect(topPositions([], 3) == [])
    }

    @Test(
        "every cycle adds K picks and K others to the buffer; only picks have rewards",
        arguments: PoolTransform.allCases)
    func buffer(_ transform: PoolTransform) throws {
        let run = try RecordedRun(
            smallConfiguration(.dqn(gradientSteps: 5)) { $0.poolTransform = transform })
        for (index, checkpoint) in run.checkpoints.prefix(3).enumerated() {
            let buffer = try learner(checkpoint).buffer
            #expect(buffer.count == 80 * (index + 1))
            let actions = buffer.actions[(80 * index)...]
            #expect(
                actions.elementsEqual(
                    [UInt8](repeating: 1, count: 40) + [UInt8](repeating: 0, count: 40)))
            let rewards = buffer.rewards[(80 * index)...]
            #expect(zip(actions, rewards).allSatisfy { $0 == 1 || $1 == 0 })
            #expect(rewards.allSatisfy { $0 == 0 || $0 == 1 })
            let hitRate = try #require(run.results[index].query).hitRate
            #expect(Double(rewards.reduce(0, +)) / 40 == hitRate)
        }
    }

    @Test("the buffer holds min(10,000, 2Kc) transitions")
    func fullBuffer() throws {
        let run = try RecordedRun(
            smallConfiguration(.dqn(gradientSteps: 1)) {
                $0.epochs = 1
                $0.batchSize = 128
                $0.cycles = 4
                $0.initial = 50
                $0.addendum = 1_800
                $0.poolLimit = 9_500
                $0.testLimit = 1
            })
        let counts = try run.checkpoints.map { try learner($0).buffer.count }
        #expect(counts == [3_600, 7_200, 10_000, 10_000])
        #expect(try learner(run.final).buffer.head == 800)
    }

    @Test("fewer others than picks are all taken")
    func fewOthers() throws {
        let run = try RecordedRun(
            smallConfiguration(.dqn(gradientSteps: 1)) {
                $0.poolLimit = 90; $0.cycles = 2
            })
        let buffer = try learner(run.final).buffer
        #expect(buffer.actions.count { $0 == 1 } == 40)
        #expect(buffer.actions.count { $0 == 0 } == 10)
    }

    @Test("zero gradient steps leave Q unchanged over all cycles; some steps do not")
    func zeroSteps() throws {
        let idle = try RecordedRun(smallConfiguration(.dqn(gradientSteps: 0)))
        let networks = try idle.checkpoints.map { try learner($0).network }
        #expect(networks.allSatisfy { $0 == networks[0] })
        #expect(idle.results.prefix(3).allSatisfy { $0.query?.firstLoss == nil })
        let busy = try RecordedRun(smallConfiguration(.dqn(gradientSteps: 5)))
        let trained = try busy.checkpoints.map { try learner($0).network }
        #expect(trained[0] != networks[0] && trained[1] != trained[0])
        #expect(
            try busy.checkpoints.map { try learner($0).optimizer.stepCount } == [5, 10, 15, 15])
    }

    @Test("what a cycle picks are the states with the highest Q before that cycle's training")
    func picks() throws {
        let run = try RecordedRun(smallConfiguration(.dqn(gradientSteps: 5)))
        let (before, after) = (run.checkpoints[0], run.checkpoints[1])
        let query = try #require(run.results[1].query)
        // The classifier of cycle 2's query is the one whose state is saved after cycle 2.
        let engine = try LinearEngine(ResNet18(width: 1, classes: 10), after.network)
        let pool = bandedImages(count: 400, seed: 1)
        let classifier = try PoolClassifier(
            feed: ImageFeed(pool, to: engine), batchSize: 7, cycle: 2,
            shouldStop: { false })
        let candidates = before.pool.unlabelled.sorted()
        let logits = try classifier.logits(of: candidates)
        let states = ClassifierStates(logits: logits.span, classCount: 10)
        let values = try learner(before).network.values(of: states.values.span)
        let ranked = candidates.indices.sorted {
            (-values[2 * $0 + 1], $0) < (-values[2 * $1 + 1], $1)
        }
        #expect(query.picks == ranked.prefix(40).map { candidates[$0] })
        let isWrong = try learner(after).buffer.rewards[80..<120].map { $0 == 1 }
        let auc = areaUnderROC(
            scores: ranked.prefix(40).map { values[2 * $0 + 1] }, isPositive: isWrong)
        #expect(query.auc == auc && auc != nil)
        let meanQ = ranked.prefix(40).reduce(0) { $0 + Double(values[2 * $1 + 1]) } / 40
        #expect(abs(try #require(query.meanQ) - meanQ) < 1e-9)

        // And the reward is 1 where that very prediction is wrong.
        let buffer = try learner(after).buffer
        for (position, candidate) in ranked.prefix(40).enumerated() {
            #expect(buffer.batch([80 + position]).states == Array(states.row(candidate)))
            let row = Array(states.row(candidate).prefix(10))
            let predicted = row.firstIndex(of: row.max()!)!
            let isWrong = predicted != Int(pool.labels[candidates[candidate]])
            #expect(buffer.rewards[80 + position] == (isWrong ? 1 : 0))
        }
    }

    @Test("the train transform draws once for the states of the pool and again for the rewards")
    func trainTransform() throws {
        func evaluatedCount(_ transform: PoolTransform) throws -> Int {
            try RecordedRun(
                smallConfiguration(.dqn(gradientSteps: 5)) {
                    $0.poolTransform = transform
                    $0.cycles = 2
                }
            ).engine?.evaluatedCount ?? 0
        }
        // Twice the test set and once the 360 unlabelled; then the 40 picks a second time.
        #expect(try evaluatedCount(.test) == 200 + 360)
        #expect(try evaluatedCount(.train) == 200 + 360 + 40)
        let test = try RecordedRun(smallConfiguration(.dqn(gradientSteps: 5))).results
        let train = try RecordedRun(
            smallConfiguration(.dqn(gradientSteps: 5)) { $0.poolTransform = .train }
        ).results
        #expect(train[0].measured == test[0].measured)
        #expect(train[0].query != test[0].query)
    }

    @Test("flips are as often as not, and every crop is drawn")
    func augmentations() {
        var stream = RandomStream(seed: 0, purpose: .augmentation, cycle: 1)
        let draws = (0..<4_000).map { _ in stream.augmentation() }
        #expect(abs(draws.count { $0.isFlipped } - 2_000) < 150)
        #expect(Set(draws.map { [$0.column, $0.row] }).count == 81)
    }

    @Test("a random query's hit rate is the share of picks that the network gets wrong")
    func randomHitRate() throws {
        let run = try RecordedRun(smallConfiguration(.random) { $0.cycles = 2 })
        let query = try #require(run.results[0].query)
        let engine = try LinearEngine(ResNet18(width: 1, classes: 10), run.checkpoints[0].network)
        let pool = bandedImages(count: 400, seed: 1)
        let classifier = try PoolClassifier(
            feed: ImageFeed(pool, to: engine), batchSize: 1, cycle: 1,
            shouldStop: { false })
        let logits = try classifier.logits(of: query.picks)
        let wrong = query.picks.indices.count { position in
            let row = Array(logits[position * 10..<(position + 1) * 10])
            return row.firstIndex(of: row.max()!) != Int(pool.labels[query.picks[position]])
        }
        #expect(query.hitRate == Double(wrong) / 40)
    }
}
