import ActiveLearning
import BlobTransfer

/// The checkpoints of the experiment, for those who move them.
struct CheckpointFiles: BlobCheckpoints {
    func cycles(at path: String) -> Int? { ExperimentCheckpoint.cycleCount(at: path) }
    func newestWhole(at path: String) -> String? { CheckpointPair(path).newestWhole }
    func keepEarlier(at path: String) { CheckpointPair(path).keepEarlier() }
}
