import SweepModel

/// What a trial's process says to its agent, one JSON object a line on its standard output.
public enum ChildLine: Codable, Hashable, Sendable {
    /// So many epochs of a cycle are finished; none while the trial waits for another that trains the
    /// same network.
    case progress(cycle: Int, epoch: Int)
    /// It has computed since its last line.
    case working
    case cycle(CycleResult)
    /// The final model is written; the digest is its file's SHA-256.
    case finished(modelDigest: String)
    case failed(kind: FailureKind, message: String)
}
