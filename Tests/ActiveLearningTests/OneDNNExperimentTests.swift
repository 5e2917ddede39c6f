import Classifier
import Datasets
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
