import Classifier
import Digests
import Foundation
import SweepModel

/// Names a trained classifier by all that its bits depend on: dataset, seed, training's settings and
/// platform, and the labelled set of every cycle so far. Two trials whose labelled sets were always
/// the same have the same classifier.
struct ClassifierKey: Hashable, Sendable {
    private(set) var digest: Digest

    /// Before the first cycle.
    ///
    /// - Parameter platform: as in `ClassifierStore`.
    init(_ configuration: TrialConfiguration, platform: String) {
        var study = configuration.studyProtocol
        // These decide what is labelled and for how long, which the labelled sets tell.
        study.cycles = 1
        study.initial = nil
        study.addendum = nil
        study.poolLimit = nil
        study.poolTransform = .test
        let neutral = TrialConfiguration(
            dataset: configuration.dataset, strategy: .random, seed: configuration.seed,
            studyProtocol: study)
        digest = Digest.sha256(of: Array((platform + "\n" + json(neutral)).utf8))
    }

    /// After another cycle of training.
    ///
    /// - Parameter labelledSet: the digest of the sorted indices, in hexadecimal.
    mutating func append(labelledSet: String) {
        digest = Digest.sha256(of: digest.bytes + Array(labelledSet.utf8))
    }
}

/// What a cycle's training and evaluation gave.
struct TrainedClassifier: Hashable, Sendable {
    /// After training.
    var network: NetworkState
    var trainLoss: Double
    /// Test images whose class was found.
    var correct: Int
    var testLoss: Double
}

/// A folder of classifiers that trials with the same labelled sets take from each other instead of
/// training them again.
///
/// Several processes may use it at once. Who finds nothing trains, and others that need the same wait for
/// it; where that cannot be, two train the same at once and write the same, each under a name of its own
/// that it then renames. A file is believed only if it has the digest it was written with.
public struct ClassifierStore {
    /// Cycles whose classifiers are kept. All strategies have the first in common, and all gradient
    /// steps of a learner the second; later ones would fill the disk for nothing.
    public static let sharedCycleCount = 2

    private static let format = SealedTensors.Format(key: "alsweep_classifier", version: "1")

    /// Who holds a claim and gives no sign of life for so long is waited for no more. Network file systems
    /// tell of a file's change after up to a minute.
    static let longestSilence = Duration.seconds(180)
    /// Between two looks at who trains.
    private static let pausesMs: ClosedRange<UInt32> = 10...250

    /// Who trains shows a sign of life this often, if it is asked as often whether to stop.
    var signInterval = Duration.seconds(5)

    let folder: String
    let platform: String
    /// Told why a classifier could not be read or saved; it is then trained, or not kept.
    let onProblem: (CheckpointError) -> Void

    /// - Parameters:
    ///   - folder: made when the first classifier is looked for.
    ///   - platform: the software and hardware that the bits of a result depend on.
    public init(
        folder: String, platform: String, onProblem: @escaping (CheckpointError) -> Void
    ) {
        self.folder = folder
        self.platform = platform
        self.onProblem = onProblem
    }

    /// What there is of a classifier.
    enum Supply {
        case trained(TrainedClassifier)
        /// Nobody has it. While the claim is held others wait for it; there is none where nobody would.
        case toTrain(ClassifierClaim?)
    }

    /// Looks for a classifier, and waits for it where somebody trains it already.
    ///
    /// - Parameters:
    ///   - onWait: called before it waits.
    ///   - goOn: called while it waits; throws to end that.
    func supply(
        _ key: ClassifierKey, network: ResNet18, longestSilence: Duration = longestSilence,
        onWait: () -> Void, goOn: () throws(ExperimentError) -> Void
    ) throws(ExperimentError) -> Supply {
        var damaged: ino_t?
        var lastSign: (value: Int, instant: ContinuousClock.Instant)?
        var pauseMs = Self.pausesMs.lowerBound
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        while true {
            if let file = inode(of: key), file != damaged {
                if let found = classifier(key, network: network) { return .trained(found) }
                damaged = file
            }
            switch ClassifierClaim.attempt(claimPath(of: key), signInterval: signInterval) {
            case .obtained(let claim):
                // Else it was saved since the look.
                let file = inode(of: key)
                if file == nil || file == damaged { return .toTrain(claim) }
            case .impossible: return .toTrain(nil)
            case .held(let sign):
                let now = ContinuousClock.now
                if lastSign == nil { onWait() }
                if lastSign?.value != sign { lastSign = (sign, now) }
                if now - lastSign!.instant > longestSilence { return .toTrain(nil) }
                try goOn()
                usleep(pauseMs * 1_000)
                pauseMs = min(2 * pauseMs, Self.pausesMs.upperBound)
            }
        }
    }

    /// The number of its file; nil if nobody saved it.
    private func inode(of key: ClassifierKey) -> ino_t? {
        var information = stat()
        return stat(path(of: key), &information) == 0 ? information.st_ino : nil
    }

    /// nil if it is damaged.
    private func classifier(_ key: ClassifierKey, network: ResNet18) -> TrainedClassifier? {
        let path = path(of: key)
        do throws(CheckpointError) {
            let file = try SealedTensors(path: path, format: Self.format)
            guard file.metadata["key"] == key.digest.hexadecimal else {
                throw file.damaged("it is the classifier of another history")
            }
            return TrainedClassifier(
                network: try file.network(network, prefix: ""),
                trainLoss: try file.value("train_loss"), correct: try file.value("correct"),
                testLoss: try file.value("test_loss"))
        } catch {
            onProblem(error)
            return nil
        }
    }

    func save(_ classifier: TrainedClassifier, as key: ClassifierKey) {
        let metadata = [
            Self.format.key: Self.format.version, "key": key.digest.hexadecimal,
            "train_loss": "\(classifier.trainLoss)", "correct": "\(classifier.correct)",
            "test_loss": "\(classifier.testLoss)",
        ]
        // Process numbers repeat on machines that share the folder.
        let temporary = "\(path(of: key)).\(UUID().uuidString)"
        do throws(CheckpointError) {
            try SealedTensors.write(
                classifier.network.tensors, metadata: metadata, to: temporary)
        } catch {
            return onProblem(error)
        }
        if rename(temporary, path(of: key)) != 0 { unlink(temporary) }
    }

    func claimPath(of key: ClassifierKey) -> String { path(of: key) + ".training" }

    private func path(of key: ClassifierKey) -> String {
        "\(folder)/\(key.digest.hexadecimal).safetensors"
    }
}
