import OrderedCollections
import SweepModel
import Wire

extension Coordinator {
    /// Does what the user wants, or says why not. The answer leaves when the records are on disk.
    mutating func obey(_ command: RunCommand, _ number: UInt64) {
        do throws(RefusedCommand) {
            guard mode == .running else {
                throw RefusedCommand(
                    "the coordinator is about to end", hint: "give the command again in a minute")
            }
            let records = try command.records(
                in: history, connected: workers.map { ($0.key, $0.value.host) })
            for record in records { carryOut(record) }
            switch command {
            case .prioritize: sortQueue()
            case .drain: dismissDrained()
            case .pause, .resume, .cancel, .retry, .undrain: break
            }
            answer(CommandAnswer(isDone: true, text: command.summary(of: records)), command: number)
        } catch {
            answer(
                CommandAnswer(isDone: false, text: error.description, hint: error.hint),
                command: number)
        }
    }

    private mutating func carryOut(_ record: Record) {
        switch record {
        case .attemptEnded(let content):
            let lease = Lease(trial: content.trial, attempt: content.attempt)
            let worker = leases[content.trial]?.attempt.worker
            endAttempt(lease, content.end)
            // Its process stops; what it saved stays for another attempt.
            if let worker { send(.fenced(lease), to: worker) }
        case .trialCancelled(let trial):
            commit(record)
            dequeue(history.index(of: trial)!)
            retryInstants[trial] = nil
        case .trialRetried(let trial):
            commit(record)
            enqueue(history.index(of: trial)!)
        default: commit(record)
        }
    }
}
