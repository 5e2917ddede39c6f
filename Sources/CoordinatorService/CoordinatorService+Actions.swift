import BlobTransfer
import Coordinator
import DequeModule
import Foundation
import Journal
import Logging
import OrderedCollections
import SweepModel
import Transport
import Wire

/// What is done when the records given to the disk before are there.
struct DeferredActions {
    /// Of the commit that it waits for.
    let commit: UInt64
    let records: [Record]
    let actions: [Action]
}

extension CoordinatorService {
    /// So many batches of messages may wait for the disk; then no more are read.
    private static let deferredLimit = 64
    private static let diskPatienceMs = 1_000

    /// First what must be on disk, then what may leave, all in the order in which it was decided: what
    /// an event sends waits for the records of those before it, too.
    func performActions() throws {
        repeat {
            try takeOutcomes()
            deliver()
            let actions = pendingActions
            guard !actions.isEmpty else { return }
            pendingActions = []
            let records = actions.compactMap { action in
                if case .append(let record) = action { record } else { nil }
            }
            if !records.isEmpty {
                commitNumber += 1
                commits.append(records, number: commitNumber)
            }
            let part = DeferredActions(commit: commitNumber, records: records, actions: actions)
            if records.isEmpty, deferred.isEmpty {
                perform(part)
                deliver()
            } else {
                deferred.append(part)
            }
        } while !pendingActions.isEmpty
    }

    /// Performs what waited for what is on disk now.
    private func takeOutcomes() throws {
        for outcome in commits.outcomes.takeAll() {
            switch outcome {
            case .stored(let number):
                if isStorageFailing { notice(.storageRecovered, coordinator) }
                isStorageFailing = false
                while let first = deferred.first, first.commit <= number {
                    deferred.removeFirst()
                    perform(first)
                }
            case .failed(let error):
                guard error.mayPass else { throw error }
                if !isStorageFailing { notice(.storageFailed(error), coordinator) }
                isStorageFailing = true
                logger.error("the journal cannot be written", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func perform(_ part: DeferredActions) {
        for record in part.records {
            grants.note(record)
            notice(.recorded(record), coordinator)
        }
        for action in part.actions {
            switch action {
            case .append: break
            case .send(let message, let worker):
                logJoining(message, worker)
                outboxes[worker, default: Outbox()].append(message)
            case .setTimer(let instant): timer = instant
            case .answer(let answer, let number):
                control.answer(.commandAnswered(answer), to: number)
            case .finished(let outcome): self.outcome = outcome
            }
        }
    }

    /// Nothing is accepted while it cannot be stored, or not as fast as it comes.
    var isHeldUp: Bool { isStorageFailing || deferred.count >= Self.deferredLimit }

    /// A signal ends the patience with a disk that takes nothing.
    func waitForDisk() throws {
        var waiting = PollLoop()
        let signalWatch = waiting.watch(signals)
        _ = waiting.watch(commits.outcomes.pollSource)
        let ready = try waiting.wait(timeoutMs: Self.diskPatienceMs)
        if ready.contains(signalWatch) {
            if isStorageFailing {
                while signals.next() != nil {}
                localWorker?.kill()
                outcome = .stopped
                return
            }
            readSignals()
        }
        try performActions()
    }

    /// Sends what the actions so far came to.
    private func deliver() {
        guard !outboxes.isEmpty else { return }
        let leaving = outboxes
        outboxes.removeAll(keepingCapacity: true)
        for (worker, var outbox) in leaving {
            let connection = peers[worker]
            for packet in outbox.take(for: connection?.version ?? .current) {
                if let connection, send(packet, to: worker, connection.peer.route) { continue }
                for message in packet.messages { handle(.undelivered(message, to: worker)) }
            }
        }
    }

    private func logJoining(_ message: Message, _ worker: WorkerID) {
        switch message {
        case .welcome:
            guard let session = coordinator.session(of: worker) else { return }
            notice(.workerJoined(host: session.host, slots: session.slots), coordinator)
        case .refused(let reason): notice(.refusedWorker(reason: reason), coordinator)
        default: break
        }
    }

    @discardableResult
    func send(_ packet: Outbox.Packet, to worker: WorkerID, _ route: PeerRoute) -> Bool {
        messageNumber += 1
        let header = Header(
            run: runIdentifier, epoch: coordinator.history.epoch, worker: worker,
            messageNumber: messageNumber)
        let result = socket.send(
            FrameMessage(
                type: packet.type, header: header.bytes(), body: packet.body),
            to: route)
        if result != .sent {
            logger.debug("undelivered", metadata: ["to": "\(worker)", "result": "\(result)"])
        }
        return result == .sent
    }
}
