import Transport

/// How many messages the holders of a key may send: a right key that floods must leave the coordinator
/// time for the others. What is beyond is thrown away, and an honest worker repeats what matters.
struct KeyLimits {
    /// Messages a second from all workers of a key, in the long run: ten thousand workers send a
    /// thousand heartbeats.
    static let rate = 5_000
    /// So many may come at once, as when a coordinator comes back.
    static let burst = 50_000

    private struct Allowance {
        var messages: Int
        var time: Int64
    }

    private var allowances: [PublicKey: Allowance] = [:]

    /// - Parameters:
    ///   - key: one that is allowed in, so that there are not more than the certificate names.
    ///   - now: a monotonic clock's milliseconds.
    /// - Returns: whether a message may be read.
    mutating func admit(_ key: PublicKey, at now: Int64) -> Bool {
        var allowance = allowances[key] ?? Allowance(messages: Self.burst, time: now)
        let gain = Int(min(now - allowance.time, 1_000_000)) * Self.rate / 1_000
        if gain > 0 {
            allowance.messages = min(Self.burst, allowance.messages + gain)
            allowance.time = now
        }
        let isAdmitted = allowance.messages > 0
        if isAdmitted { allowance.messages -= 1 }
        allowances[key] = allowance
        return isAdmitted
    }

    /// Takes what a message turned out to hold beyond one.
    mutating func charge(_ key: PublicKey, _ count: Int) {
        allowances[key]?.messages -= count
    }
}
