import ActiveLearning
import Classifier
import Datasets
import Digests
import Foundation
import SweepModel

/// One trial from its data to its model file, taken up where its checkpoint left it.
struct TrialRun {
    var configuration: TrialConfiguration
    var dataFolder: String?
    /// nil keeps no checkpoints.
    var checkpointPath: String?
    /// nil keeps no model.
    var modelPath: String?
    /// nil shares no classifiers with other trials.
    var classifierFolder: String?
    /// Whether a checkpoint that another engine or precision wrote is taken up.
    var switchesEngine = false
    /// Whether a checkpoint of another trial, or of another version, ends the run. Otherwise the trial starts
    /// anew and replaces it.
    var keepsOthersCheckpoints = false
    /// Whether the training loss of the first, the last and every tenth epoch goes to standard error.
    var logsEpochs = false

    enum Failure: Error {
        /// The configuration cannot work: another attempt would fail in the same way.
        case user(any Error)
        /// The disk is full or does not let us write.
        case disk(any Error)
        /// The GPU's memory does not suffice.
        case gpuMemory(any Error)
        /// Anything that another attempt, or another machine, may not meet.
        case other(any Error)
        /// This machine lacks the dataset, or has it damaged.
        case data(any Error)
        /// It was asked to stop; what is finished is saved.
        case stopped
    }

    /// - Parameters:
    ///   - onSwitches: told where a checkpoint says that the trial has changed its engine.
    ///   - onEpoch: told with no finished epoch when the trial waits for another that trains the same.
    /// - Returns: the model file's SHA-256, if there is one.
    func run(
        onSwitches: ([EngineSwitch]) -> Void = { _ in },
        onCycle: @escaping (CycleResult) -> Void, onEpoch: @escaping (EpochProgress) -> Void,
        shouldStop: @escaping () -> Bool
    ) throws(Failure) -> String? {
        let checkpoint = try checkpoint()
        if let checkpoint, !checkpoint.switches.isEmpty { onSwitches(checkpoint.switches) }
        for result in checkpoint?.results ?? [] { onCycle(result) }
        let platform = platform
        var storageError: (any Error)?
        let observer = ExperimentObserver(
            onEpoch: { progress in
                log(progress)
                onEpoch(progress)
            },
            onCycle: { result, checkpoint in
                do {
                    var checkpoint = checkpoint
                    checkpoint.platform = platform
                    // First the state, then the news: whoever hears of a cycle finds its state.
                    try checkpoints?.write(checkpoint)
                    onCycle(result)
                } catch {
                    storageError = error
                }
            },
            onWait: { cycle in
                print(
                    "cycle \(cycle): another trial trains the same network; waiting for it",
                    to: &StandardError.stream)
                let epochCount = configuration.studyProtocol.epochs
                onEpoch(EpochProgress(cycle: cycle, epoch: 0, epochCount: epochCount))
            },
            shouldStop: { storageError != nil || shouldStop() })
        let final = try finalState(from: checkpoint, observer, storageError: { storageError })
        if let storageError { throw .disk(storageError) }
        return try save(final)
    }

    private func log(_ progress: EpochProgress) {
        let epoch = progress.epoch
        guard logsEpochs, let loss = progress.trainLoss,
            epoch == 1 || epoch == progress.epochCount || epoch.isMultiple(of: 10)
        else { return }
        print(
            "cycle \(progress.cycle): epoch \(epoch)/\(progress.epochCount), training loss "
                + String(format: "%.4f", loss), to: &StandardError.stream)
    }

    private func checkpoint() throws(Failure) -> ExperimentCheckpoint? {
        guard
            let found = checkpoints?.read(for: configuration, switchingEngine: switchesEngine)
        else { return nil }
        if keepsOthersCheckpoints, let error = found.errors.first(where: \.isOfOther) {
            throw .user(error)
        }
        // What was in it can be computed again, with the same numbers.
        let done = found.checkpoint?.results.count ?? 0
        for error in found.errors {
            print(
                "warning: going on after cycle \(done): \(error)", to: &StandardError.stream)
        }
        if found.errors.isEmpty, found.checkpoint != nil {
            print("going on after cycle \(done)", to: &StandardError.stream)
        }
        if let found = found.checkpoint, found.platform != nil, found.platform != platform,
            done < configuration.studyProtocol.cycles
        {
            // Another number of threads or another kind of CPU rounds in other places.
            print(
                "warning: the cycles up to \(done) were computed on another platform, so the rest will differ from "
                    + "a run that was not interrupted: \(difference(found.platform!, platform))",
                to: &StandardError.stream)
        }
        if let change = found.checkpoint?.switches.last {
            print(
                "warning: the cycles up to \(change.cycle) were computed by engine "
                    + "\(change.engine.rawValue) in \(change.precision.rawValue); the trial's numbers are "
                    + "those of no engine alone", to: &StandardError.stream)
        }
        return found.checkpoint
    }

    private var checkpoints: CheckpointPair? { checkpointPath.map { CheckpointPair($0) } }

    private func finalState(
        from checkpoint: ExperimentCheckpoint?, _ observer: ExperimentObserver,
        storageError: () -> (any Error)?
    ) throws(Failure) -> ExperimentCheckpoint {
        let data: Dataset
        do {
            data = try DatasetSearch(
                folder: dataFolder, environment: ProcessInfo.processInfo.environment
            ).load(
                configuration.dataset, poolCount: configuration.poolCount,
                testCount: configuration.testCount)
        } catch {
            throw .data(error)
        }
        do throws(ExperimentError) {
            let experiment = try Experiment(
                configuration: configuration, pool: data.pool, test: data.test, store: store
            ) { network, state throws(ClassifierError) -> any ClassifierEngine in
                try configuration.studyProtocol.engine.make(
                    network, state, configuration.studyProtocol.precision)
            }
            return try experiment.run(from: checkpoint, observer: observer)
        } catch {
            if let storageError = storageError() { throw .disk(storageError) }
            switch error {
            case .stopped: throw .stopped
            case .invalidSetting, .wrongImages, .diverged: throw .user(error)
            case .classifier(.outOfGPUMemory): throw .gpuMemory(error)
            case .classifier: throw .other(error)
            }
        }
    }

    /// What the bits of the trial's numbers depend on beside its configuration.
    private var platform: String {
        "alsweep \(softwareVersion); \(configuration.studyProtocol.engine.numericPlatform)"
    }

    /// `1 and 1 threads there, 2 and 2 threads here`: the words that two platforms do not share.
    private func difference(_ there: String, _ here: String) -> String {
        func words(_ platform: String, without other: String) -> String {
            let others = Set(other.components(separatedBy: "; "))
            let own = platform.components(separatedBy: "; ").filter { !others.contains($0) }
            return own.joined(separator: ", ")
        }
        return "\(words(there, without: here)) there, \(words(here, without: there)) here"
    }

    private var store: ClassifierStore? {
        classifierFolder.map { folder in
            ClassifierStore(
                folder: folder,
                platform: platform
            ) { error in
                print("warning: a classifier is not shared: \(error)", to: &StandardError.stream)
            }
        }
    }

    private func save(_ final: ExperimentCheckpoint) throws(Failure) -> String? {
        guard let modelPath else { return nil }
        let network = ResNet18(
            width: configuration.studyProtocol.width, classes: configuration.dataset.classCount)
        do {
            try final.network.write(network, remarks: final.remarks, to: modelPath)
            checkpoints?.removeEarlier()
            return try Digest(ofFile: modelPath, algorithm: .sha256).hexadecimal
        } catch {
            throw .disk(error)
        }
    }
}

extension ExperimentCheckpoint {
    /// For the model file: what computed it last, and which engines it is of, if of more than one.
    fileprivate var remarks: [String: String] {
        let study = configuration.studyProtocol
        var remarks = [
            ModelRemark.engine: study.engine.rawValue,
            ModelRemark.precision: study.precision.rawValue,
        ]
        guard !switches.isEmpty else { return remarks }
        let parts = switches.map {
            "\($0.engine.rawValue) \($0.precision.rawValue) to cycle \($0.cycle)"
        }
        let last = "\(study.engine.rawValue) \(study.precision.rawValue)"
        remarks[ModelRemark.engines] = (parts + [last]).joined(separator: ", ")
        return remarks
    }
}

/// The names of what a model file says of its training, beside its tensors.
enum ModelRemark {
    static let engine = "engine"
    static let precision = "precision"
    static let engines = "engines"
}
