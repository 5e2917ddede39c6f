import Classifier
import Foundation
import Synchronization
import Testing

@testable import ActiveLearning
@testable import SweepModel

@Suite struct ClassifierStoreTests {
    /// A folder for a test, which is not there yet and is removed after it.
    private func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("classifiers-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body(folder)
    }

    private func store(_ folder: String, platform: String = "here") -> ClassifierStore {
        ClassifierStore(folder: folder, platform: platform) { Issue.record("\($0)") }
    }

    private func files(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private func tenCycles(_ strategy: Strategy) -> TrialConfiguration {
        smallConfiguration(strategy) {
            $0.cycles = 10; $0.addendum = 30
        }
    }

    @Test("random and five gradient steps, one after another, train 51 of their 60 cycles")
    func study() throws {
        let steps = [1, 2, 3, 4, 5].map { Strategy.dqn(gradientSteps: $0) }
        let configurations = ([.random] + steps).map(tenCycles)
        try withFolder { folder in
            let runs = try configurations.map { try RecordedRun($0, store: store(folder)) }
            let shared = runs.map { $0.results.map { $0.isShared == true ? $0.cycle : 0 }.max()! }
            #expect(shared == [0, 1, 2, 2, 2, 2])
            #expect(runs.joinedResults.count { $0.isShared == nil } == 51)
            // What was trained is what the engine was given, too.
            let batches = runs.map { $0.engine!.trainedBatches.count }
            #expect(batches[1] == batches[0] - 2 * 3 && batches[2] == batches[0] - 2 * (3 + 5))
            #expect(try files(folder).count == 3)
        }
    }

    @Test("a trial that has changed its engine takes and gives no classifiers")
    func switchedEngine() throws {
        let configuration = smallConfiguration(.random)
        var other = configuration
        other.studyProtocol.engine = .openblas
        try withFolder { folder in
            let checkpoint = try RecordedRun(configuration).checkpoints[0]
            let path = folder + ".checkpoint"
            defer { try? FileManager.default.removeItem(atPath: path) }
            try checkpoint.write(to: path)
            let taken = try ExperimentCheckpoint(
                contentsOf: path, for: other, switchingEngine: true)
            let run = try RecordedRun(other, from: taken, store: store(folder))
            #expect(run.results.count == 4)
            #expect(!FileManager.default.fileExists(atPath: folder))
            _ = try RecordedRun(other, from: checkpoint.of(other), store: store(folder))
            #expect(try files(folder).count == 1, "without a change cycle 2 is kept")
        }
    }

    @Test("results are the same bit for bit, for every strategy", arguments: allStrategies)
    func equality(_ strategy: Strategy) throws {
        try withFolder { folder in
            let alone = try RecordedRun(smallConfiguration(strategy))
            _ = try RecordedRun(smallConfiguration(.random), store: store(folder))
            for expected in [strategy == .random ? 2 : 1, 2] {
                let run = try RecordedRun(smallConfiguration(strategy), store: store(folder))
                #expect(run.results.count { $0.isShared == true } == expected)
                #expect(zip(run.results, alone.results).allSatisfy { $0.agrees(with: $1) })
                #expect(run.final.network == alone.final.network)
                #expect(run.final.strategy == alone.final.strategy)
                #expect(run.final.pool == alone.final.pool)
            }
            let resumed = try RecordedRun(
                smallConfiguration(strategy), from: alone.checkpoints[0], store: store(folder))
            #expect(resumed.results.map(\.isShared) == [nil, true, nil, nil])
            #expect(resumed.final.network == alone.final.network)
        }
    }

    static let changes:
        [(name: String, isShared: Bool, change: @Sendable (inout StudyProtocol) -> Void)] = [
            ("cycles", true, { $0.cycles = 2 }), ("addendum", true, { $0.addendum = 10 }),
            ("pool_transform", true, { $0.poolTransform = .train }),
            ("initial", false, { $0.initial = 41 }), ("pool_limit", false, { $0.poolLimit = 300 }),
            ("epochs", false, { $0.epochs = 3 }), ("batch_size", false, { $0.batchSize = 17 }),
            ("learning_rate", false, { $0.learningRate = 0.2 }),
            ("reset", false, { $0.reset = true }),
            ("milestones", false, { $0.milestones = [] }), ("gamma", false, { $0.gamma = 0.2 }),
            ("momentum", false, { $0.momentum = 0.8 }), ("width", false, { $0.width = 2 }),
            ("weight_decay", false, { $0.weightDecay = 0 }),
            ("test_limit", false, { $0.testLimit = 9 }),
            ("engine", false, { $0.engine = .openblas }),
            ("precision", false, { $0.precision = .bfloat16 }),
        ]

    @Test("a classifier is shared as long as nothing differs that it depends on")
    func keys() throws {
        try withFolder { folder in
            let first = smallConfiguration(.margin)
            _ = try RecordedRun(first, store: store(folder))
            func isShared(_ configuration: TrialConfiguration, _ platform: String) throws -> Bool {
                try RecordedRun(configuration, store: store(folder, platform: platform))
                    .results[0].isShared == true
            }
            for (name, expected, change) in Self.changes {
                let configuration = smallConfiguration(.random, change: change)
                #expect(try isShared(configuration, "here") == expected, "\(name)")
            }
            #expect(Self.changes.count == StudyProtocol.CodingKeys.allCases.count)
            #expect(try !isShared(smallConfiguration(.random, seed: 1), "here"))
            #expect(try !isShared(first, "there"))
            #expect(try isShared(first, "there"))
        }
    }

    @Test("the history counts: equal sets after other ones are another classifier")
    func history() {
        let configuration = smallConfiguration(.random)
        var keys = (0..<3).map { _ in ClassifierKey(configuration, platform: "") }
        for (index, sets) in [["a", "c"], ["b", "c"], ["a", "c"]].enumerated() {
            for set in sets { keys[index].append(labelledSet: set) }
        }
        #expect(keys[0] != keys[1])
        #expect(keys[0] == keys[2])
    }

    @Test("a damaged classifier is told of, trained again and replaced")
    func damage() throws {
        try withFolder { folder in
            let alone = try RecordedRun(smallConfiguration(.random), store: store(folder))
            let paths = try files(folder).map { "\(folder)/\($0)" }
            let whole = try paths.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
            for path in paths {
                var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                bytes[bytes.count - 9] ^= 1
                try bytes.write(to: URL(fileURLWithPath: path))
            }
            var problems: [CheckpointError] = []
            let watched = ClassifierStore(folder: folder, platform: "here") { problems.append($0) }
            let run = try RecordedRun(smallConfiguration(.random), store: watched)
            #expect(problems.count == 2)
            #expect(problems.allSatisfy { "\($0)".contains("is damaged: its contents") })
            #expect(run.results.allSatisfy { $0.isShared == nil })
            #expect(zip(run.results, alone.results).allSatisfy { $0.agrees(with: $1) })
            #expect(try paths.map { try Data(contentsOf: URL(fileURLWithPath: $0)) } == whole)

            // A whole file under the name of another history is no better.
            try whole[0].write(to: URL(fileURLWithPath: paths[1]))
            problems = []
            _ = try RecordedRun(smallConfiguration(.random), store: watched)
            #expect(problems.map { "\($0)".hasSuffix("of another history") } == [true])
        }
    }

    @Test("a folder that cannot be written is told of, and the trial goes on")
    func unwritable() throws {
        var problems: [CheckpointError] = []
        let store = ClassifierStore(folder: "/proc/none", platform: "here") { problems.append($0) }
        let run = try RecordedRun(smallConfiguration(.random), store: store)
        let alone = try RecordedRun(smallConfiguration(.random))
        #expect(zip(run.results, alone.results).allSatisfy { $0.agrees(with: $1) })
        #expect(problems.count == 2 && "\(problems[0])".contains("/proc/none/"))
    }

    /// Runs trials of one store at once, each on a thread of its own.
    private func runAtOnce(
        _ configurations: [TrialConfiguration], _ folder: String
    ) throws -> [[CycleResult]] {
        let runs = Mutex<[Int: Result<[CycleResult], any Error>]>([:])
        let ended = DispatchSemaphore(value: 0)
        for (index, configuration) in configurations.enumerated() {
            Thread.detachNewThread {
                let run = Result { try RecordedRun(configuration, store: store(folder)).results }
                runs.withLock { $0[index] = run }
                ended.signal()
            }
        }
        for _ in configurations { ended.wait() }
        return try configurations.indices.map { index in
            try runs.withLock { $0[index]! }.get()
        }
    }

    @Test("random and five gradient steps, all at once, train 51 of their 60 cycles")
    func studyAtOnce() throws {
        let steps = [1, 2, 3, 4, 5].map { Strategy.dqn(gradientSteps: $0) }
        let configurations = ([.random] + steps).map(tenCycles)
        let alone = try configurations.map { try RecordedRun($0).results }
        try withFolder { folder in
            let runs = try runAtOnce(configurations, folder)
            #expect(runs.joined().count { $0.isShared == nil } == 51)
            #expect(zip(runs.joined(), alone.joined()).allSatisfy { $0.agrees(with: $1) })
            let names = try files(folder)
            #expect(names.count == 3 && names.allSatisfy { $0.hasSuffix(".safetensors") })
        }
    }

    @Test("trials that need the same at once wait for the one that trains it")
    func race() throws {
        try withFolder { folder in
            let alone = try RecordedRun(smallConfiguration(.margin)).results
            let runs = try runAtOnce(
                Array(repeating: smallConfiguration(.margin), count: 8), folder)
            #expect(runs.allSatisfy { zip($0, alone).allSatisfy { $0.agrees(with: $1) } })
            let trained = (0..<4).map { cycle in runs.count { $0[cycle].isShared == nil } }
            #expect(trained == [1, 1, 8, 8])
            #expect(try files(folder).count == 2)
        }
    }

    /// The first classifier of a trial, which is held by somebody who trains it.
    private final class Held {
        let store: ClassifierStore
        let key: ClassifierKey
        let network: ResNet18
        var claim: ClassifierClaim?
        /// Of the lock.
        let path: String

        init(_ store: ClassifierStore) throws {
            let configuration = smallConfiguration(.random)
            self.store = store
            key = ClassifierKey(configuration, platform: store.platform)
            network = try bandedExperiment(configuration).network
            path = store.claimPath(of: key)
            guard case .toTrain(let claim?) = try supply() else { throw NotFree() }
            self.claim = claim
        }

        struct NotFree: Error {}

        func supply(
            longestSilence: Duration = ClassifierStore.longestSilence, onWait: () -> Void = {},
            goOn: () throws(ExperimentError) -> Void = {}
        ) throws -> ClassifierStore.Supply {
            try store.supply(
                key, network: network, longestSilence: longestSilence, onWait: onWait, goOn: goOn)
        }
    }

    @Test("who trains is waited for as long as he shows signs of life, and not longer")
    func signsOfLife() throws {
        try withFolder { folder in
            let held = try Held(store(folder))
            let path = held.path
            var waits = 0
            var looks = 0
            // Another sign before each look; after the tenth the training ends without a classifier.
            let supply = try held.supply(
                longestSilence: .zero, onWait: { waits += 1 },
                goOn: { () throws(ExperimentError) in
                    looks += 1
                    guard looks <= 10 else { throw .stopped(cycle: 1) }
                    let time = timespec(tv_sec: 1_000_000_000 + looks, tv_nsec: 0)
                    utimensat(AT_FDCWD, path, [time, time], 0)
                    if looks == 10 { held.claim = nil }
                })
            guard case .toTrain(let claim?) = supply else {
                Issue.record("who waits trains if nothing was saved: \(supply)")
                return
            }
            #expect(waits == 1 && looks == 10)
            // Now somebody who shows no sign.
            guard case .toTrain(nil) = try held.supply(longestSilence: .milliseconds(1)) else {
                Issue.record("who is silent is waited for")
                return
            }
            withExtendedLifetime(claim) {}
        }
    }

    @Test("who trains shows signs of life at every batch of training and evaluation")
    func signsWhileTraining() throws {
        try withFolder { folder in
            var store = store(folder)
            store.signInterval = .zero
            let old = timespec(tv_sec: 1_000_000_000, tv_nsec: 0)
            var signs: [Bool] = []
            _ = try bandedExperiment(smallConfiguration(.random), store: store).run(
                from: nil,
                observer: ExperimentObserver(shouldStop: {
                    let names = (try? files(folder)) ?? []
                    for name in names where name.hasSuffix(".training") {
                        var information = stat()
                        stat("\(folder)/\(name)", &information)
                        signs.append(information.st_mtim.tv_sec != old.tv_sec)
                        utimensat(AT_FDCWD, "\(folder)/\(name)", [old, old], 0)
                    }
                    return false
                }))
            // Two epochs of 3 batches and of 5, and each time 100 test images in one.
            #expect(signs.count == 2 * (3 + 5) + 2 && signs.allSatisfy { $0 })
        }
    }

    @Test("who waits can be stopped")
    func stopWhileWaiting() throws {
        try withFolder { folder in
            let held = try Held(store(folder))
            #expect {
                try held.supply(
                    goOn: { () throws(ExperimentError) in throw .stopped(cycle: 1) })
            } throws: { error in
                if case ExperimentError.stopped(cycle: 1) = error { true } else { false }
            }
        }
    }
}

extension [RecordedRun] {
    fileprivate var joinedResults: [CycleResult] { flatMap(\.results) }
}

extension ExperimentCheckpoint {
    /// As if another configuration had led to it.
    fileprivate func of(_ configuration: TrialConfiguration) -> ExperimentCheckpoint {
        ExperimentCheckpoint(
            configuration: configuration, results: results, network: network,
            pool: pool, strategy: strategy)
    }
}
