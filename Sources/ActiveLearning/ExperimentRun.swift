import Classifier
import Datasets
import Digests
import SweepModel

/// An experiment under way: the state that changes from cycle to cycle.
struct ExperimentRun {
    let experiment: Experiment
    let engine: any ClassifierEngine
    let observer: ExperimentObserver

    private let poolFeed: ImageFeed
    private let testFeed: ImageFeed
    private var pool: LabelledPool
    private var strategy: any QueryStrategy
    private var results: [CycleResult]
    private let switches: [EngineSwitch]
    /// nil where classifiers are not shared, and for a trial of two engines, whose classifiers are
    /// nobody else's.
    private let store: ClassifierStore?
    /// What the next training builds on.
    private var key: ClassifierKey
    /// While others wait for the classifier under way.
    private var claim: ClassifierClaim?

    init(
        experiment: Experiment, engine: any ClassifierEngine, observer: ExperimentObserver,
        checkpoint: ExperimentCheckpoint?
    ) throws(ExperimentError) {
        self.experiment = experiment
        self.engine = engine
        poolFeed = try ImageFeed(experiment.pool, to: engine)
        testFeed = try ImageFeed(experiment.test, to: engine)
        self.observer = observer
        let configuration = experiment.configuration
        switches = checkpoint?.switches ?? []
        store = switches.isEmpty ? experiment.store : nil
        if let checkpoint {
            pool = checkpoint.pool
            strategy = configuration.strategy(from: checkpoint.strategy)
            results = checkpoint.results
        } else {
            var generator = CPythonRandom(seed: configuration.seed)
            pool = LabelledPool(
                count: configuration.poolCount, initialCount: configuration.initialCount,
                generator: &generator)
            strategy = configuration.strategy(drawingFrom: generator)
            results = []
        }
        key = ClassifierKey(configuration, platform: store?.platform ?? "")
        for result in results { key.append(labelledSet: result.labelledDigest) }
    }

    private var configuration: TrialConfiguration { experiment.configuration }
    private var study: StudyProtocol { experiment.configuration.studyProtocol }

    /// The state after the last finished cycle.
    func checkpoint() throws(ExperimentError) -> ExperimentCheckpoint {
        ExperimentCheckpoint(
            configuration: configuration, results: results, switches: switches,
            network: try networkState(), pool: pool, strategy: strategy.state)
    }

    /// Trains, evaluates and buys labels.
    mutating func runCycle() throws(ExperimentError) -> CycleResult {
        let cycle = results.count + 1
        let labelled = pool.sortedLabelled
        let labelledDigest = digest(ofIndices: labelled).hexadecimal
        key.append(labelledSet: labelledDigest)
        let clock = ContinuousClock()
        let start = clock.now

        let shared =
            cycle <= ClassifierStore.sharedCycleCount ? try takeClassifier(cycle: cycle) : nil
        let trainLoss =
            if let shared { shared.trainLoss } else { try train(on: labelled, cycle: cycle) }
        let trained = clock.now

        let (correct, testLoss) =
            if let shared { (shared.correct, shared.testLoss) } else { try evaluate(cycle: cycle) }
        let network = try networkState()
        if shared == nil, cycle <= ClassifierStore.sharedCycleCount {
            store?.save(
                TrainedClassifier(
                    network: network, trainLoss: trainLoss, correct: correct, testLoss: testLoss),
                as: key)
            claim = nil
        }
        let evaluated = clock.now

        let query = cycle < study.cycles ? try buyLabels(cycle: cycle) : nil
        let result = CycleResult(
            cycle: cycle, labelled: labelled.count, correct: correct,
            total: experiment.test.count, testLoss: testLoss, trainLoss: trainLoss,
            labelledDigest: labelledDigest, weightsDigest: network.digest.hexadecimal,
            query: query, trainSeconds: (trained - start).seconds,
            evaluateSeconds: (evaluated - trained).seconds,
            querySeconds: query == nil ? 0 : (clock.now - evaluated).seconds,
            isShared: shared == nil ? nil : true)
        results.append(result)
        return result
    }

    /// Loads the classifier that another trial with the same labelled sets has trained, or trains
    /// already. Where there is none, others are told that this one trains it.
    private mutating func takeClassifier(
        cycle: Int
    ) throws(ExperimentError) -> TrainedClassifier? {
        guard let store else { return nil }
        let supply = try store.supply(
            key, network: experiment.network, onWait: { observer.onWait(cycle) },
            goOn: { () throws(ExperimentError) in
                guard !observer.shouldStop() else { throw .stopped(cycle: cycle) }
            })
        switch supply {
        case .toTrain(let claim):
            self.claim = claim
            return nil
        case .trained(let found):
            do {
                try engine.load(found.network)
            } catch {
                throw .classifier(error)
            }
            return found
        }
    }

    /// Asked before every batch.
    private func shouldStop() -> Bool {
        claim?.renew()
        return observer.shouldStop()
    }

    /// - Parameter labelled: sorted pool indices.
    /// - Returns: the mean cross-entropy of the last epoch.
    private func train(on labelled: [Int], cycle: Int) throws(ExperimentError) -> Double {
        if study.reset && cycle > 1 {
            do {
                try engine.load(experiment.initialNetwork(cycle: cycle))
            } catch {
                throw .classifier(error)
            }
        }
        engine.restartOptimizer()
        var loss = 0.0
        for epoch in 0..<study.epochs {
            loss = try trainEpoch(epoch, on: labelled, cycle: cycle)
            observer.onEpoch(
                EpochProgress(
                    cycle: cycle, epoch: epoch + 1, epochCount: study.epochs, trainLoss: loss))
        }
        return loss
    }

    /// One pass over the labelled images, in an order and with augmentations that depend on seed,
    /// cycle, epoch and the labelled set alone.
    private func trainEpoch(
        _ epoch: Int, on labelled: [Int], cycle: Int
    ) throws(ExperimentError) -> Double {
        let optimizer = SGD(
            learningRate: Float(study.learningRate(inEpoch: epoch)),
            momentum: Float(study.momentum), weightDecay: Float(study.weightDecay))
        var order = labelled
        var orderStream = stream(.epochPermutation, cycle: cycle, epoch: epoch)
        orderStream.shuffle(&order)
        var augmentations = stream(.augmentation, cycle: cycle, epoch: epoch)
        let loss = try poolFeed.train(
            on: order, batchSize: study.batchSize, optimizer: optimizer,
            augmentation: { augmentations.augmentation() },
            goOn: { () throws(ExperimentError) in
                guard !shouldStop() else { throw .stopped(cycle: cycle) }
            })
        guard loss.isFinite else { throw .diverged(cycle: cycle) }
        return loss
    }

    /// - Returns: the test images whose class was found, and their mean cross-entropy.
    private func evaluate(
        cycle: Int
    ) throws(ExperimentError) -> (correct: Int, loss: Double) {
        let test = experiment.test
        let classifier = classifier(testFeed, cycle: cycle)
        let logits = try classifier.logits(of: Array(0..<test.count))
        let rows = logits.span
        var correct = 0
        var loss = 0.0
        for index in 0..<test.count {
            let range = index * test.classCount..<(index + 1) * test.classCount
            let label = Int(test.labels[index])
            correct += predictedClass(rows.extracting(range)) == label ? 1 : 0
            loss += crossEntropy(rows.extracting(range), label: label)
        }
        return (correct, loss / Double(test.count))
    }

    /// Asks the strategy and labels what it picks.
    private mutating func buyLabels(cycle: Int) throws(ExperimentError) -> QueryResult {
        let classifier = classifier(poolFeed, cycle: cycle)
        let labels = experiment.pool.labels
        let picks = try strategy.picks(
            for: QueryRequest(
                seed: configuration.seed, cycle: cycle, unlabelled: pool.unlabelled,
                labelled: pool.sortedLabelled,
                count: min(configuration.addendumCount, pool.unlabelled.count), labels: labels,
                classifier: classifier))
        let isWrong: [Bool]
        if let known = picks.isWrong {
            isWrong = known
        } else {
            let logits = try classifier.logits(of: picks.indices)
            isWrong = classifier.isWrong(picks.indices, labels: labels, logits: logits)
        }
        pool.label(picks.indices)

        var classCounts = [Int](repeating: 0, count: experiment.pool.classCount)
        for index in picks.indices { classCounts[Int(labels[index])] += 1 }
        let wrongCount = isWrong.count { $0 }
        return QueryResult(
            picks: picks.indices, hitRate: Double(wrongCount) / Double(max(1, isWrong.count)),
            classCounts: classCounts, classEntropy: shareEntropy(classCounts), meanQ: picks.meanQ,
            firstLoss: picks.firstLoss, lastLoss: picks.lastLoss, auc: picks.auc,
            lambda: picks.lambda)
    }

    private func classifier(_ feed: ImageFeed, cycle: Int) -> PoolClassifier {
        PoolClassifier(
            feed: feed, batchSize: PoolClassifier.defaultBatchSize, cycle: cycle,
            shouldStop: shouldStop)
    }

    private func stream(_ purpose: RandomPurpose, cycle: Int, epoch: Int) -> RandomStream {
        RandomStream(seed: configuration.seed, purpose: purpose, cycle: cycle, epoch: epoch)
    }

    private func networkState() throws(ExperimentError) -> NetworkState {
        do {
            return try engine.state()
        } catch {
            throw .classifier(error)
        }
    }
}

extension TrialConfiguration {
    /// The strategy before its first query.
    fileprivate func strategy(drawingFrom generator: CPythonRandom) -> any QueryStrategy {
        switch strategy {
        case .random: strategy(from: .random(generator))
        case .dqn: strategy(from: .dqn(nil))
        case .dqnWarm: strategy(from: .dqnWarm(nil))
        case .entropy, .leastConfidence, .margin, .kCenter, .badge: strategy(from: .none)
        }
    }

    /// The strategy as it was after a query.
    fileprivate func strategy(from state: StrategyState) -> any QueryStrategy {
        let transform = studyProtocol.poolTransform
        return switch (strategy, state) {
        case (.random, .random(let generator)): RandomStrategy(generator: generator)
        case (.entropy, .none): EntropyStrategy(poolTransform: transform)
        case (.leastConfidence, .none): LeastConfidenceStrategy(poolTransform: transform)
        case (.margin, .none): MarginStrategy(poolTransform: transform)
        case (.kCenter, .none): KCenterStrategy(poolTransform: transform)
        case (.badge, .none): BADGEStrategy(poolTransform: transform)
        case (.dqn(let gradientSteps), .dqn(let learner)):
            DQNStrategy(
                gradientSteps: gradientSteps, poolTransform: transform, learner: learner)
        case (.dqnWarm(let gradientSteps), .dqnWarm(let known)):
            WarmDQNStrategy(gradientSteps: gradientSteps, known: known)
        default: preconditionFailure("the state of another strategy than \(strategy.label)")
        }
    }
}

extension NetworkState {
    /// SHA-256 of the parameters and running statistics, in the order of the `state_dict`.
    public var digest: Digest {
        var stream: DigestStream
        do {
            stream = try DigestStream(.sha256)
        } catch {
            preconditionFailure("every libcrypto has SHA-256: \(error)")
        }
        forEachTensorBytes { _, bytes in stream.update(bytes.span.bytes) }
        return stream.finish()
    }
}

extension Duration {
    fileprivate var seconds: Double { self / .seconds(1) }
}
