import Classifier
import Datasets
import Foundation
import SweepModel
import Testing

@testable import ActiveLearning

/// The same claims on the real network, small: a few hundred images of Fashion-MNIST, or banded
/// images where it is not installed.
@Suite(.serialized) struct OneDNNExperimentTests {
    static let dataset: Dataset = {
        let search = DatasetSearch(roots: [DatasetSearch.systemRoot])
        return (try? search.load(.fashionmnist, poolCount: 224, testCount: 64))
            ?? Dataset(
                pool: bandedImages(count: 224, seed: 1), test: bandedImages(count: 64, seed: 2))
    }()

    private func configuration(_ strategy: Strategy) -> TrialConfiguration {
        smallConfiguration(strategy) {
            $0.width = 8
            $0.cycles = 3
            $0.epochs = 1
            $0.initial = 64
            $0.addendum = 32
            $0.batchSize = 32
            $0.learningRate = 0.05
            $0.poolLimit = 224
            $0.testLimit = 64
        }
    }

    private func run(
        _ configuration: TrialConfiguration, from checkpoint: ExperimentCheckpoint? = nil
    ) throws -> [ExperimentCheckpoint] {
        let experiment = try Experiment(
            configuration: configuration, pool: Self.dataset.pool, test: Self.dataset.test
        ) { network, state throws(ClassifierError) -> any ClassifierEngine in
            try OneDNNEngine(network, state)
        }
        var checkpoints: [ExperimentCheckpoint] = []
        _ = try experiment.run(
            from: checkpoint, observer: ExperimentObserver(onCycle: { checkpoints.append($1) }))
        return checkpoints
    }

    @Test("cycles are shared as the study's tables show, and a resumed run is bit for bit the same")
    func sharedCycles() throws {
        let random = try run(configuration(.random))
        let few = try run(configuration(.dqn(gradientSteps: 10)))
        let many = try run(configuration(.dqn(gradientSteps: 200)))
        let results = [random, few, many].map { $0[2].results }
        for result in results { #expect(result[0].measured == results[0][0].measured) }
        #expect(results[1][1].measured == results[2][1].measured)
        #expect(results[0][1].weightsDigest != results[1][1].weightsDigest)
        #expect(Set(results.map { $0[2].weightsDigest }).count == 3)

        let resumed = try run(configuration(.dqn(gradientSteps: 200)), from: many[0])
        #expect(resumed.count == 2)
        #expect(zip(resumed[1].results, many[2].results).allSatisfy { $0.agrees(with: $1) })
        #expect(resumed[1].network == many[2].network)
        #expect(resumed[1].strategy == many[2].strategy)
    }

    private func learner(_ checkpoint: ExperimentCheckpoint) -> DQNState? {
        switch checkpoint.strategy {
        case .dqn(let learner): learner
        case .dqnWarm(let known): known?.learner
        case .none, .random: nil
        }
    }

    @Test(
        "labelled sets and what Q remembers obey their rules on the real network",
        arguments: allStrategies)
    func rules(_ strategy: Strategy) throws {
        for (index, checkpoint) in try run(configuration(strategy)).enumerated() {
            // Nothing is bought after the last cycle.
            let queryCount = min(index + 1, 2)
            #expect(checkpoint.pool.labelled.count == 64 + 32 * queryCount)
            let all = checkpoint.pool.labelled + checkpoint.pool.unlabelled
            #expect(all.sorted() == Array(0..<224))
            #expect((learner(checkpoint) != nil) == (strategy.gradientSteps != nil))
            guard let buffer = learner(checkpoint)?.buffer else { continue }
            #expect(buffer.count == 2 * 32 * queryCount)
            #expect(buffer.actions.count { $0 == 1 } == 32 * queryCount)
            #expect(zip(buffer.actions, buffer.rewards).allSatisfy { $0 == 1 || $1 == 0 })
            for row in 0..<buffer.count { expectState(buffer.batch([row]).states) }
        }
    }

    /// Probabilities of ten classes, the largest, its lead, and the entropy.
    private func expectState(_ state: [Float]) {
        #expect(state.count == 13 && abs(state[..<10].reduce(0, +) - 1) < 1e-5)
        #expect(state[10] == state[..<10].max() && state[11] >= 0)
        #expect(state[12] >= -1e-7 - 1e-7 && state[12] <= log(Float(10)) + 1e-6)
    }

    @Test("no gradient steps leave Q unchanged, and some change it, on the real network")
    func gradientSteps() throws {
        for (steps, isChanged) in [(0, false), (1, true)] {
            let networks = try run(configuration(.dqn(gradientSteps: steps)))
                .compactMap { learner($0)?.network }
            try #require(networks.count == 3)
            let hasChanged = networks[0] != networks[1]
            #expect(hasChanged == isChanged)
        }
    }

    @Test("the random strategy's sets are those of any other network on any other images")
    func randomSets() throws {
        let real = try run(configuration(.random))[2].results.map(\.labelledDigest)
        var other = configuration(.random)
        other.studyProtocol.width = 1
        other.studyProtocol.epochs = 2
        #expect(try RecordedRun(other).results.map(\.labelledDigest) == real)
    }

    @Test("stopped after any cycle and resumed is uninterrupted", arguments: allStrategies)
    func resumption(_ strategy: Strategy) throws {
        let whole = try run(configuration(strategy))
        for checkpoint in whole.dropLast() {
            let resumed = try run(configuration(strategy), from: checkpoint)
            let last = try #require(resumed.last)
            #expect(zip(last.results, whole[2].results).allSatisfy { $0.agrees(with: $1) })
            #expect(last.network == whole[2].network)
            #expect(last.strategy == whole[2].strategy)
            #expect(last.pool == whole[2].pool)
        }
    }

    @Test("a pool scored in batches has the logits of its images one by one, within rounding")
    func batchedScoring() throws {
        let network = ResNet18(width: 8, classes: 10)
        var stream = RandomStream(seed: 0, purpose: .initialisation, cycle: 1)
        let engine = try OneDNNEngine(network, network.initialState { stream.uniform() })
        func logits(batchSize: Int) throws -> [Float] {
            try PoolClassifier(
                feed: ImageFeed(Self.dataset.pool, to: engine), batchSize: batchSize,
                cycle: 1, shouldStop: { false }
            ).logits(of: Array(0..<20))
        }
        let batched = try logits(batchSize: 16)
        #expect(relativeDifference(batched, try logits(batchSize: 1), scale: 1e-2) < 1e-4)
        #expect(Set(batched).count > 150, "the images differ, and so do their logits")
    }
}
