/// What is known of checkpoints, of which the mover of files knows bytes only.
public protocol BlobCheckpoints: Sendable {
    /// The cycles that the file says it holds; nil if it is none.
    func cycles(at path: String) -> Int?
    /// Where the newest is that is as it was once written: the file, or that of the cycle before behind
    /// it; nil if none is. Reads the whole of it.
    func newestWhole(at path: String) -> String?
    /// Another file is about to take this one's name: keeps it behind that.
    func keepEarlier(at path: String)
}

/// Where there are no checkpoints.
public struct NoCheckpoints: BlobCheckpoints {
    public init() {}
    public func cycles(at path: String) -> Int? { nil }
    public func newestWhole(at path: String) -> String? { nil }
    public func keepEarlier(at path: String) {}
}
