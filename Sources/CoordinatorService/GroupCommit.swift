import Foundation
import Journal
import SweepModel
import Synchronization
import Transport

/// Appends records on a thread of its own, so that the coordinator goes on while the disk is waited
/// for. What comes during a commit shares the next one.
final class GroupCommit: Sendable {
    enum Outcome: Sendable {
        /// The records of this number and of all before are on disk.
        case stored(through: UInt64)
        /// They are not; if it may pass it is tried again.
        case failed(JournalError)
    }

    private enum Request: Sendable {
        case append([Record], number: UInt64)
        case close
    }

    /// More than a coordinator gives before it waits.
    private static let requestLimit = 65_536
    private static let retryMs: Int64 = 2_000
    private static let closeLimitMs: Int64 = 10_000

    private let requests: Inbox<Request>
    /// To be read by the coordinator's thread.
    let outcomes: Inbox<Outcome>
    private let hasEnded = Atomic(false)

    init() throws(TransportError) {
        requests = try Inbox(capacity: Self.requestLimit)
        outcomes = try Inbox(capacity: Self.requestLimit)
    }

    /// Starts the thread, which goes on until `close`.
    func begin(_ journal: Journal) {
        let writer = Writer(journal: journal, requests: requests, outcomes: outcomes)
        Thread.detachNewThread { [self] in
            writer.run()
            hasEnded.store(true, ordering: .releasing)
        }
    }

    /// - Parameter number: larger than any before.
    func append(_ records: [Record], number: UInt64) {
        let isTaken = requests.post(.append(records, number: number))
        precondition(isTaken, "the coordinator does not wait for its disk")
    }

    /// Returns when what was given before is on disk, or cannot be stored.
    func close() {
        guard requests.post(.close) else { return }
        let begin = monotonicMilliseconds()
        while !hasEnded.load(ordering: .acquiring),
            monotonicMilliseconds() - begin < Self.closeLimitMs
        { usleep(1_000) }
    }

    private struct Writer: Sendable {
        let journal: Journal
        let requests: Inbox<Request>
        let outcomes: Inbox<Outcome>

        /// Until it is closed, or the journal has failed for good.
        func run() {
            var loop = PollLoop()
            _ = loop.watch(requests.pollSource)
            var (records, last, isClosing) = ([] as [Record], 0 as UInt64, false)
            var retryTime: Int64?
            while true {
                let pause = retryTime.map { max(0, Int($0 - monotonicMilliseconds())) }
                _ = try? loop.wait(timeoutMs: pause)
                for request in requests.takeAll() {
                    switch request {
                    case .append(let more, let number):
                        records += more
                        last = number
                    case .close: isClosing = true
                    }
                }
                let isWaiting = retryTime.map { monotonicMilliseconds() < $0 } ?? false
                if !records.isEmpty, !isWaiting || isClosing {
                    do throws(JournalError) {
                        try journal.append(records, at: Date())
                        records = []
                        retryTime = nil
                        _ = outcomes.post(.stored(through: last))
                    } catch {
                        _ = outcomes.post(.failed(error))
                        guard error.mayPass else { return }
                        retryTime = monotonicMilliseconds() + GroupCommit.retryMs
                    }
                }
                if isClosing { return }
            }
        }
    }
}
