import Wire

/// Which chunks of a blob to ask for: in order, a few at a time, and again after silence. Opens no
/// file and reads no clock.
public struct Reception: Hashable, Sendable {
    /// Chunks under way at most: what bounds the memory of both sides.
    public static let window = 10
    /// Without a chunk for so long, those under way are asked for again.
    public static let silenceMs: Int64 = 5_000

    public let digest: BlobDigest
    /// Of the whole blob.
    public let byteCount: Int
    /// Stored, from the beginning on.
    public private(set) var received: Int
    private var asked: Int
    private var lastProgress: Int64

    /// - Parameters:
    ///   - received: bytes that an earlier reception of the same digest stored.
    ///   - now: a monotonic clock's milliseconds.
    public init(digest: BlobDigest, byteCount: Int, received: Int, at now: Int64) {
        precondition((0...byteCount).contains(received), "\(received) of \(byteCount) bytes")
        self.digest = digest
        self.byteCount = byteCount
        self.received = received
        asked = received
        lastProgress = now
    }

    public var isComplete: Bool { received == byteCount }

    public enum Verdict: Hashable, Sendable {
        case append
        /// It comes a second time, or after one that got lost, or was never asked for.
        case ignore
        /// No honest sender sends it.
        case wrongLength(expected: Int)
    }

    /// Judges a chunk, and counts on its being stored if it is to be appended.
    public mutating func accept(offset: Int, byteCount count: Int, at now: Int64) -> Verdict {
        guard offset == received, offset < asked else { return .ignore }
        let expected = min(BlobContent.chunkByteCount, byteCount - offset)
        guard count == expected else { return .wrongLength(expected: expected) }
        received += count
        lastProgress = now
        return .append
    }

    /// The offsets to ask for now.
    public mutating func wants(at now: Int64) -> [Int] {
        if !isComplete, now - lastProgress >= Self.silenceMs { restart(at: now) }
        var offsets: [Int] = []
        while asked < byteCount, asked - received < Self.window * BlobContent.chunkByteCount {
            offsets.append(asked)
            asked = min(asked + BlobContent.chunkByteCount, byteCount)
        }
        return offsets
    }

    /// The connection is new: what was under way is lost.
    public mutating func restart(at now: Int64) {
        asked = received
        lastProgress = now
    }
}
