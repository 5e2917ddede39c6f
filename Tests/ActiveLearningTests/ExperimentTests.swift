import Classifier
import Datasets
import Digests
import Foundation
import SweepModel
import Testing

@testable import ActiveLearning

/// The invariants that hold at a fixed seed whatever the network, on an engine that runs fast.
@Suite struct ExperimentTests {
    static let strategies = allStrategies + [.dqn(gradientSteps: 0), .dqnWarm(gradientSteps: 0)]

    @Test("training raises the accuracy, so that the other claims are about a learner")
    func learns() throws {
        let results = try RecordedRun(
            smallConfiguration(.random) {
                $0.epochs = 20; $0.milestones = []
            }
        ).results
        #expect(results.map(\.cycle) == [1, 2, 3, 4])
        #expect(results.allSatisfy { $0.total == 100 })
        #expect(results[3].correct > 40, "chance is 10")
        #expect(results[3].trainLoss < 2.0, "chance is ln 10 = 2.3")
    }

    @Test("cycle 1 is equal over all strategies", arguments: 0..<2)
    func firstCycle(_ seed: UInt64) throws {
        let first = try allStrategies.map {
            try RecordedRun(smallConfiguration($0, seed: seed) { $0.cycles = 2 }).results
        }
        #expect(first.allSatisfy { $0[0].measured == first[0][0].measured })
        #expect(Set(first.map { $0[1].labelledDigest }).count > 6, "what they buy differs")
    }

    @Test(
        "every query logs its hit rate, its classes and their entropy; Q what it knows, too",
        arguments: strategies)
    func logs(_ strategy: Strategy) throws {
        let results = try RecordedRun(smallConfiguration(strategy)).results
        for result in results.prefix(3) {
            let query = try #require(result.query)
            #expect((0...1).contains(query.hitRate))
            let entropy = query.classCounts.reduce(0.0) { sum, count in
                let share = Double(count) / 40
                return count == 0 ? sum : sum - share * log(share)
            }
            #expect(abs(try #require(query.classEntropy) - entropy) < 1e-12)
            let learns = strategy.gradientSteps != nil
            #expect((query.meanQ != nil) == learns)
            #expect((query.auc != nil) == learns, "an AUC needs picks of both kinds, as here")
            #expect((query.firstLoss != nil) == (strategy.gradientSteps ?? 0 > 0))
            #expect((query.lastLoss != nil) == (query.firstLoss != nil))
            #expect((query.lambda != nil) == (strategy.name == "dqn_warm"))
        }
    }

    @Test("a pool of one image is bought, and then nothing is left", arguments: strategies)
    func poolOfOne(_ strategy: Strategy) throws {
        let results = try RecordedRun(smallConfiguration(strategy) { $0.poolLimit = 41 }).results
        #expect(results.map(\.labelled) == [40, 41, 41, 41])
        #expect(results.map { $0.query?.picks.count } == [1, 0, 0, nil])
        #expect(results[0].query?.classEntropy == 0)
    }

    @Test("cycle 1 is equal over all strategies, cycle 2 over all gradient steps", arguments: 0..<3)
    func sharedCycles(_ seed: UInt64) throws {
        let steps = [0, 10, 20].map { Strategy.dqn(gradientSteps: $0) }
        let runs = try ([.random] + steps).map {
            try RecordedRun(smallConfiguration($0, seed: seed)).results
        }
        for run in runs {
            #expect(run[0].measured == runs[0][0].measured)
        }
        for run in runs[1...] {
            #expect(run[0].query?.picks == runs[1][0].query?.picks)
            #expect(run[1].measured == runs[1][1].measured)
        }
        #expect(runs[0][1].labelledDigest != runs[1][1].labelledDigest)
        let thirdSets = Set(runs[1...].map { $0[2].labelledDigest })
        #expect(thirdSets.count > 1, "the gradient steps may differ from cycle 3 on, and here do")
    }

    @Test(
        "labelled and unlabelled are disjoint and everything, of sizes N + (c − 1)K and the rest",
        arguments: strategies)
    func labelledSets(_ strategy: Strategy) throws {
        let run = try RecordedRun(smallConfiguration(strategy))
        #expect(run.results.map(\.labelled) == [40, 80, 120, 160])
        for (index, checkpoint) in run.checkpoints.enumerated() {
            let pool = checkpoint.pool
            #expect(pool.labelled.count == min(40 + (index + 1) * 40, 160))
            #expect((pool.labelled + pool.unlabelled).sorted() == Array(0..<400))
            guard index < 3 else { continue }
            let query = try #require(run.results[index].query)
            #expect(pool.labelled.suffix(40) == query.picks[...])
            #expect(query.classCounts.reduce(0, +) == 40)
            let next = digest(ofIndices: pool.sortedLabelled).hexadecimal
            #expect(run.results[index + 1].labelledDigest == next)
        }
        #expect(run.results[3].query == nil)
    }

    @Test(
        "the random strategy's sets are CPython's, whatever the model, the dataset and the epochs")
    func randomSets() throws {
        let cases = try FixtureFiles.pythonRandom().cases
        let smallest = try #require(cases.map(\.pool).min())
        let vectors = cases.filter { $0.pool <= max(smallest, 3_000) }
        for vector in vectors {
            for (dataset, width, epochs) in [(DatasetName.fashionmnist, 1, 1), (.cifar100, 2, 2)] {
                var configuration = smallConfiguration(.random, seed: vector.seed) {
                    $0.width = width
                    $0.epochs = epochs
                    $0.batchSize = 128
                    $0.cycles = vector.cycles.count + 1
                    $0.initial = vector.initial
                    $0.addendum = vector.addendum
                    $0.poolLimit = vector.pool
                    $0.testLimit = 1
                }
                configuration.dataset = dataset
                let results = try RecordedRun(configuration).results
                #expect(results.dropFirst().map(\.labelledDigest) == vector.cycles.map(\.sorted))
            }
        }
    }

    @Test(
        "a query takes what is left when that is less than K, and nothing after",
        arguments: strategies)
    func exhaustedPool(_ strategy: Strategy) throws {
        let results = try RecordedRun(
            smallConfiguration(strategy) { $0.poolLimit = 100 }
        ).results
        #expect(results.map(\.labelled) == [40, 80, 100, 100])
        #expect(results.map { $0.query?.picks.count } == [40, 20, 0, nil])
        #expect(results[2].query?.hitRate == 0)
    }

    @Test("a pool may be labelled from the start", arguments: strategies)
    func labelledPool(_ strategy: Strategy) throws {
        let results = try RecordedRun(
            smallConfiguration(strategy) {
                $0.poolLimit = 40; $0.cycles = 2
            }
        ).results
        #expect(results.map(\.labelled) == [40, 40])
    }

    @Test("every epoch trains each labelled image once, in batches whose last is short")
    func batches() throws {
        let run = try RecordedRun(
            smallConfiguration(.random) {
                $0.cycles = 2; $0.epochs = 3; $0.milestones = [1, 2]
            })
        let engine = try #require(run.engine)
        let epochs: [[Int]] = [[16, 16, 8], [16, 16, 16, 16, 16]]
        #expect(engine.trainedBatches.map(\.count) == epochs.flatMap { $0 + $0 + $0 })
        #expect(engine.largestEvaluation == 100)
    }

    @Test("the learning rate falls at its milestones and starts anew in every cycle")
    func learningRates() throws {
        let run = try RecordedRun(
            smallConfiguration(.random) {
                $0.cycles = 2; $0.epochs = 3; $0.milestones = [1, 2]
            })
        let engine = try #require(run.engine)
        let rates = engine.trainedBatches.map(\.optimizer.learningRate)
        let expected = [3, 5].flatMap { count in
            [0.1, 0.01, 0.001].flatMap { [Float](repeating: $0, count: count) }
        }
        #expect(zip(rates, expected).allSatisfy { abs($0 - $1) < 1e-6 })
        #expect(rates.count == expected.count)
        #expect(engine.trainedBatches.allSatisfy { $0.optimizer.momentum == 0.9 })
        #expect(engine.trainedBatches.allSatisfy { $0.optimizer.weightDecay == 5e-4 })
        #expect(engine.restartCount == 2)
    }

    @Test("the network is carried over from cycle to cycle, or new in each with reset")
    func reset() throws {
        let carried = try RecordedRun(smallConfiguration(.random))
        let reset = try RecordedRun(smallConfiguration(.random) { $0.reset = true })
        #expect(carried.engine?.loadCount == 1)
        #expect(reset.engine?.loadCount == 4)
        #expect(reset.results[0].measured == carried.results[0].measured)
        #expect(reset.results[1].labelledDigest == carried.results[1].labelledDigest)
        #expect(reset.results[1].weightsDigest != carried.results[1].weightsDigest)
    }

    @Test("training depends on the labelled set, not on the order in which it was bought")
    func order() throws {
        let run = try RecordedRun(smallConfiguration(.random) { $0.cycles = 2 })
        let checkpoint = run.checkpoints[0]
        let reversed = try #require(
            LabelledPool(
                labelled: checkpoint.pool.labelled.reversed(),
                unlabelled: checkpoint.pool.unlabelled))
        let other = try RecordedRun(
            checkpoint.configuration,
            from: ExperimentCheckpoint(
                configuration: checkpoint.configuration, results: checkpoint.results,
                network: checkpoint.network, pool: reversed, strategy: checkpoint.strategy))
        #expect(other.results[1].measured == run.results[1].measured)
    }

    @Test("two identical runs are identical; another seed is not", arguments: strategies)
    func repetition(_ strategy: Strategy) throws {
        let first = try RecordedRun(smallConfiguration(strategy, seed: 4))
        let second = try RecordedRun(smallConfiguration(strategy, seed: 4))
        let other = try RecordedRun(smallConfiguration(strategy, seed: 5))
        #expect(zip(first.results, second.results).allSatisfy { $0.agrees(with: $1) })
        #expect(first.final.network == second.final.network)
        #expect(first.final.strategy == second.final.strategy)
        #expect(first.results[0].weightsDigest != other.results[0].weightsDigest)
    }

    @Test("epochs and cycles are told as they finish")
    func progress() throws {
        let configuration = smallConfiguration(.random) { $0.cycles = 2 }
        let recorder = Recorder()
        var epochs: [EpochProgress] = []
        let final = try bandedExperiment(configuration).run(
            observer: ExperimentObserver(
                onEpoch: { epochs.append($0) },
                onCycle: { result, checkpoint in
                    recorder.checkpoints.append(checkpoint)
                    #expect(checkpoint.results.last == result)
                }))
        #expect(epochs.map(\.cycle) == [1, 1, 2, 2] && epochs.map(\.epoch) == [1, 2, 1, 2])
        #expect(epochs.allSatisfy { $0.epochCount == 2 && $0.trainLoss != nil })
        let losses = final.results.map(\.trainLoss)
        #expect([1, 3].map { epochs[$0].trainLoss } == losses)
        #expect(recorder.checkpoints.map(\.results.count) == [1, 2])
        #expect(recorder.checkpoints.last == final)
    }

    @Test(
        "a stop is obeyed before the next batch, wherever the experiment is", arguments: strategies)
    func stop(_ strategy: Strategy) throws {
        let experiment = try bandedExperiment(smallConfiguration(strategy) { $0.cycles = 2 })
        var askedCount = 0
        _ = try experiment.run(
            observer: ExperimentObserver(shouldStop: {
                askedCount += 1; return false
            }))
        // Six batches of training, one of the test images, then those of the query.
        for stopAt in [1, 4, 7, 8, askedCount] {
            var count = 0
            let error = #expect(throws: ExperimentError.self) {
                try experiment.run(
                    observer: ExperimentObserver(shouldStop: {
                        count += 1; return count >= stopAt
                    }))
            }
            #expect(error == .stopped(cycle: stopAt == askedCount ? 2 : 1))
            #expect(count == stopAt)
        }
    }

    @Test("a diverging run ends with an error instead of numbers that mean nothing")
    func divergence() throws {
        let configuration = smallConfiguration(.random) { $0.learningRate = 1e30 }
        let error = #expect(throws: ExperimentError.self) {
            try bandedExperiment(configuration).run()
        }
        #expect(error == .diverged(cycle: 1))
        #expect(error?.hint == "lower learning_rate")
    }

    static let invalidConfigurations: [(name: String, configuration: TrialConfiguration)] = [
        ("initial", smallConfiguration(.random) { $0.initial = 401 }),
        ("initial", smallConfiguration(.random) { $0.initial = 0 }),
        ("addendum", smallConfiguration(.random) { $0.addendum = 0 }),
        ("epochs", smallConfiguration(.random) { $0.epochs = 0 }),
        ("cycles", smallConfiguration(.random) { $0.cycles = 0 }),
        ("batch_size", smallConfiguration(.random) { $0.batchSize = 0 }),
        ("width", smallConfiguration(.random) { $0.width = 0 }),
        ("pool_limit", smallConfiguration(.random) { $0.poolLimit = 0 }),
        ("test_limit", smallConfiguration(.random) { $0.testLimit = -1 }),
        ("learning_rate", smallConfiguration(.random) { $0.learningRate = .nan }),
        ("momentum", smallConfiguration(.random) { $0.momentum = -1 }),
        ("gradient_steps", smallConfiguration(.dqn(gradientSteps: -1))),
    ]

    @Test(
        "settings that no experiment can have are refused by name",
        arguments: invalidConfigurations.indices)
    func invalidSettings(_ index: Int) throws {
        let (name, configuration) = Self.invalidConfigurations[index]
        let error = #expect(throws: ExperimentError.self) { try configuration.check() }
        #expect(try #require(error).description.hasPrefix("\(name) is "))
    }

    @Test("images of another dataset or number are refused")
    func wrongImages() {
        let configuration = smallConfiguration(.random)
        let test = bandedImages(count: 100, seed: 2)
        for pool in [
            bandedImages(count: 399, seed: 1), bandedImages(.cifar10, count: 400, seed: 1),
        ] {
            #expect(throws: ExperimentError.self) {
                try Experiment(configuration: configuration, pool: pool, test: test) {
                    (network, state) throws(ClassifierError) in
                    try LinearEngine(network, state)
                }
            }
        }
    }
}

extension CycleResult {
    /// What was measured before the query.
    var measured: CycleResult {
        var result = self
        result.query = nil
        result.trainSeconds = 0
        result.evaluateSeconds = 0
        result.querySeconds = 0
        return result
    }
}
