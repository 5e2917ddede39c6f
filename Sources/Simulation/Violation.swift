/// What must hold, whatever happens.
public enum Promise: String, CaseIterable, Sendable {
    case oneResult = "a cycle has one accepted result"
    case commitFirst = "nothing is acknowledged or assigned before it is on disk"
    case nothingLost = "what was acknowledged stays in the journal"
    case fencing = "only the attempt that holds the lease counts, in order and from its worker"
    case leases = "a lease ends after its time and the grace, not before, and not later"
    case replay = "the journal's replay gives the live state"
    case numbers = "results are those of the undisturbed run"
    case disputes = "a second result that differs is kept and shown"
    case settled = "a trial that is settled stays as it is"
    case silence = "trials go to workers that were heard of within a lease"
    case damage = "a damaged message is not taken for one"
    case commands =
        "only a user's command pauses, cancels, retries or drains, and nothing starts against it"
    case order = "of the trials that wait and may start, those of the highest priority start first"
    case processes = "only a process that hangs, or does not stop, is killed"
    case liveness = "without faults the sweep finishes"
}

/// A promise that was broken, when, and by what.
public struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    public let promise: Promise
    /// In the simulation's time.
    public let milliseconds: Int64
    public let detail: String

    public var description: String {
        "at \(clockText(milliseconds)): \(promise.rawValue): \(detail)"
    }
}
