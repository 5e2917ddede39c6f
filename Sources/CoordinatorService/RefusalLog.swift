/// Decides which refusals are worth a line of the log: each kind from each source once, and no more
/// than some in a minute, whatever peers do.
struct RefusalLog {
    static let sourceLimit = 256
    static let linesPerMinute = 30
    private static let summaryIntervalMs: Int64 = 600_000

    private struct Source: Hashable {
        var kind: String
        var address: String
    }

    /// Those told of, the oldest first.
    private var known: [Source] = []
    private var minuteBegan: Int64 = 0
    private var lines = 0
    private var untold = 0
    private var lastSummary: Int64?

    /// - Parameters:
    ///   - address: whom it came from, as far as it is known.
    ///   - now: a monotonic clock's milliseconds.
    /// - Returns: whether to write a line.
    mutating func isWorthALine(_ kind: String, from address: String, at now: Int64) -> Bool {
        if now - minuteBegan >= 60_000 {
            minuteBegan = now
            lines = 0
        }
        let source = Source(kind: kind, address: address)
        guard !known.contains(source), lines < Self.linesPerMinute else {
            untold += 1
            return false
        }
        known = known.suffix(Self.sourceLimit - 1) + [source]
        lines += 1
        return true
    }

    /// How many refusals no line told of, once in ten minutes at most.
    mutating func summary(at now: Int64) -> Int? {
        guard untold > 0, now - (lastSummary ?? .min / 2) >= Self.summaryIntervalMs else {
            return nil
        }
        lastSummary = now
        defer { untold = 0 }
        return untold
    }
}
