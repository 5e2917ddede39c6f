import Agent
import BlobTransfer
import Foundation
import SweepModel
import Transport
import Wire

/// What a worker that does not see the run's folder waits for: a trial's checkpoint and dataset before
/// its process starts, and the coordinator's having a checkpoint or a model before a report of it
/// leaves.
///
/// Decides what waits and until when; the transfers are the `BlobClient`'s.
struct FileTraffic {
    /// A coordinator whose `blob` socket is silent for so long is not waited for: its port may be
    /// closed to this worker.
    static let silenceMs: Int64 = 30_000

    /// An assignment whose process has not started yet.
    struct Preparation {
        let assignment: Assignment
        var gpu: GPU?
        let folder: RunFolder
        var tickets: [BlobTicket]
        let begin: Int64
    }

    /// A report of an attempt, behind the file that it is about.
    private struct Held {
        let event: AgentEvent
        let lease: Lease
        /// nil: only behind those before it.
        let ticket: BlobTicket?
        let begin: Int64
    }

    private(set) var preparations: [Preparation] = []
    private var held: [Held] = []
    private var settled: Set<BlobTicket> = []
    /// The cycles of every running trial's checkpoint that the coordinator has.
    private var knownCycles: [TrialID: Int] = [:]

    /// Attempts without a process that wait for a file: nobody else can say that they are not hung.
    var waiting: [Lease] {
        preparations.map(\.assignment.lease)
            + held.compactMap {
                if case .childEnded(let lease, _) = $0.event { lease } else { nil }
            }
    }

    // MARK: Before a process

    mutating func prepare(_ preparation: Preparation) { preparations.append(preparation) }

    /// Whether the attempt was being prepared; its tickets are then to be cancelled.
    mutating func withdraw(_ lease: Lease) -> [BlobTicket]? {
        guard let index = preparations.firstIndex(where: { $0.assignment.lease == lease }) else {
            return nil
        }
        return preparations.remove(at: index).tickets
    }

    /// Those that have what they need, or waited in vain: `isComplete` tells.
    mutating func takePrepared(
        lastHeard: Int64, at now: Int64
    ) -> [(preparation: Preparation, isComplete: Bool)] {
        var ready: [(Preparation, Bool)] = []
        preparations.removeAll { preparation in
            let isComplete = preparation.tickets.isEmpty
            let isLost = now - max(preparation.begin, lastHeard) > Self.silenceMs
            if isComplete || isLost { ready.append((preparation, isComplete)) }
            return isComplete || isLost
        }
        return ready
    }

    // MARK: Before a report

    /// Whether the coordinator lacks the state after this cycle.
    func lacks(cycle: Int, of trial: TrialID) -> Bool { cycle > knownCycles[trial] ?? 0 }

    mutating func note(cycles: Int, of trial: TrialID) { knownCycles[trial] = cycles }

    /// - Returns: false if nothing has to be waited for: then the event is the caller's.
    mutating func hold(
        _ event: AgentEvent, of lease: Lease, behind ticket: BlobTicket?, at now: Int64
    ) -> Bool {
        guard ticket != nil || held.contains(where: { $0.lease == lease }) else { return false }
        held.append(Held(event: event, lease: lease, ticket: ticket, begin: now))
        return true
    }

    mutating func settle(_ ticket: BlobTicket) {
        if held.contains(where: { $0.ticket == ticket }) { settled.insert(ticket) }
        for index in preparations.indices {
            preparations[index].tickets.removeAll { $0 == ticket }
        }
    }

    /// The events that need not wait any longer, in their order.
    ///
    /// - Parameters:
    ///   - waits: false when the worker is stopping, or nobody is there to wait for.
    ///   - lastHeard: when the `blob` socket was heard of last, or the coordinator came back.
    mutating func release(waits: Bool, lastHeard: Int64, at now: Int64) -> [AgentEvent] {
        var released: [AgentEvent] = []
        var blocked: Set<Lease> = []
        held.removeAll { entry in
            guard !blocked.contains(entry.lease) else { return false }
            let isLost = now - max(entry.begin, lastHeard) > Self.silenceMs
            let isSettled = entry.ticket.map { settled.contains($0) } ?? true
            guard isSettled || !waits || isLost else {
                blocked.insert(entry.lease)
                return false
            }
            if let ticket = entry.ticket { settled.remove(ticket) }
            released.append(entry.event)
            return true
        }
        return released
    }
}
