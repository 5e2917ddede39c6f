import SweepModel
import Synchronization
import Transport
import Wire

/// Who may give and take what: told by the coordinator's thread, asked by the blobs' thread.
public final class BlobGrants: Sendable {
    private struct Holder {
        var attempt: Int
        var worker: WorkerID
    }

    private struct State {
        var holders: [TrialID: Holder] = [:]
        var keys: [WorkerID: PublicKey?] = [:]
    }

    private let state = Mutex(State())

    /// Those of a run's trials, as its journal leaves them.
    public init(_ history: RunHistory) {
        for trial in history.trials {
            if let last = trial.attempts.last { note(.attemptStarted(last.started)) }
        }
    }

    /// The last attempt of a trial may give its files also after its end: until another has started
    /// they are the newest.
    public func note(_ record: Record) {
        guard case .attemptStarted(let started) = record else { return }
        state.withLock {
            $0.holders[started.trial] = Holder(attempt: started.attempt, worker: started.worker)
        }
    }

    /// A worker that has spoken on the `worker` socket, with the key it has there.
    public func introduce(_ worker: WorkerID, key: PublicKey?) {
        state.withLock { $0.keys[worker] = .some(key) }
    }

    func isKnown(_ worker: WorkerID, key: PublicKey?) -> Bool {
        state.withLock { state in
            guard let known = state.keys[worker] else { return false }
            return known == key
        }
    }

    func isLast(_ attempt: Int?, of trial: TrialID, by worker: WorkerID) -> Bool {
        state.withLock { state in
            guard let holder = state.holders[trial], holder.worker == worker else { return false }
            return attempt == nil || attempt == holder.attempt
        }
    }
}
