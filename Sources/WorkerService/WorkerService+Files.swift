import Agent
import BlobTransfer
import Foundation
import Logging
import SweepModel
import Transport
import Wire

/// Files of trials and datasets between this worker and a coordinator whose folder it does not see.
extension WorkerService {
    /// At its end a worker gives what it has not given yet, if the coordinator takes it.
    private static let closingSilenceMs: Int64 = 3_000
    private static let closingLimitMs: Int64 = 60_000

    /// A coordinator before protocol 1.2 names no endpoint: then files stay here.
    func follow(_ welcome: Welcome) {
        welcomeTime = monotonicMilliseconds()
        guard let text = welcome.blobEndpoint, let bound = try? Endpoint(text) else { return }
        guard case .tcp(let host, _) = endpoint else {
            return connectFiles(to: bound)
        }
        connectFiles(to: bound.reached(at: host))
    }

    private func connectFiles(to endpoint: Endpoint) {
        do throws(TransportError) {
            if files == nil {
                let client = try BlobClient(
                    BlobClientSettings(
                        worker: settings.identifier, certificate: settings.certificate,
                        checkpoints: settings.checkpoints, datasets: settings.datasets))
                filesWatch = loop.watch(client.events.pollSource)
                files = client
            }
            files?.connect(to: endpoint)
        } catch {
            notice(.troubled("no files can be moved: \(error)"))
        }
    }

    /// Fetches what the trial needs and this machine lacks; its process starts when all has come.
    func prepare(_ assignment: Assignment, on gpu: GPU?, in folder: RunFolder) -> Bool {
        guard let files else { return false }
        let trial = assignment.lease.trial
        var tickets: [BlobTicket] = []
        if folder.path != assignment.runFolder {
            let path = folder.checkpoint(of: trial)
            let ticket = files.fetchCheckpoint(of: trial, to: path, partFolder: folder.incoming)
            checkpointTickets[ticket] = (trial, path)
            traffic.note(cycles: 0, of: trial)
            tickets.append(ticket)
        }
        let dataset = assignment.configuration.dataset
        if !settings.datasets.isPresent(dataset) {
            let ticket = datasetTickets[dataset] ?? files.fetch(dataset)
            if datasetTickets[dataset] == nil {
                datasetTickets[dataset] = ticket
                notice(.fetching(dataset))
            }
            tickets.append(ticket)
        }
        guard !tickets.isEmpty else { return false }
        traffic.prepare(
            FileTraffic.Preparation(
                assignment: assignment, gpu: gpu, folder: folder, tickets: tickets,
                begin: monotonicMilliseconds()))
        return true
    }

    /// - Returns: whether the attempt had no process yet.
    func withdraw(_ lease: Lease) -> Bool {
        guard let tickets = traffic.withdraw(lease) else { return false }
        cancel(tickets)
        return true
    }

    /// Not a dataset: others may wait for it, and it will be of use.
    private func cancel(_ tickets: [BlobTicket]) {
        for ticket in tickets where !datasetTickets.values.contains(ticket) {
            files?.cancel(ticket)
            checkpointTickets[ticket] = nil
        }
    }

    func readFileEvents() {
        guard let files else { return }
        for event in files.events.takeAll() {
            switch event {
            case .given(let ticket): traffic.settle(ticket)
            case .notGiven(let ticket, let reason):
                logger.warning("a file was not given", metadata: ["reason": "\(reason)"])
                traffic.settle(ticket)
            case .fetched(let ticket):
                if let (trial, path) = checkpointTickets[ticket] {
                    traffic.note(cycles: settings.checkpoints.cycles(at: path) ?? 0, of: trial)
                }
                endFetch(ticket)
            case .nothingNewer(let ticket): endFetch(ticket)
            case .notFetched(let ticket, let error):
                let hint = error.hint.map { "; \($0)" } ?? ""
                notice(.troubled("a file was not fetched: \(error)\(hint)"))
                endFetch(ticket)
            case .troubled(let text): notice(.troubled(text))
            }
        }
    }

    private func endFetch(_ ticket: BlobTicket) {
        checkpointTickets[ticket] = nil
        datasetTickets = datasetTickets.filter { $0.value != ticket }
        traffic.settle(ticket)
    }

    /// Starts what is prepared, and lets go what need not wait any longer.
    func moveFiles() {
        guard let files else { return }
        let now = monotonicMilliseconds()
        if agent.isWelcome { lastWelcome = now }
        for lease in traffic.waiting { handle(.childSaid(.working, lease)) }
        for (preparation, isComplete) in traffic.takePrepared(
            lastHeard: files.lastHeardMs, at: now)
        {
            if !isComplete {
                // Nothing may come over the files of a process that runs.
                cancel(preparation.tickets)
                notice(
                    .troubled(
                        "the coordinator gives no files; "
                            + "\(preparation.assignment.lease.trial) starts with what is here"))
            }
            launch(preparation.assignment, on: preparation.gpu, in: preparation.folder)
        }
        releaseReports(waits: !isStopping && (agent.isWelcome || expectsCoordinator(at: now)))
    }

    /// Without a coordinator reports would only wait elsewhere; but its return must find the file
    /// before the news of it.
    private func expectsCoordinator(at now: Int64) -> Bool {
        now - lastWelcome < Int64(settings.idleExitSeconds) * 1_000
    }

    func releaseReports(waits: Bool) {
        guard let files else { return }
        let now = monotonicMilliseconds()
        // While the coordinator is gone its silence does not count.
        let lastHeard = agent.isWelcome ? max(files.lastHeardMs, welcomeTime) : now
        for event in traffic.release(waits: waits, lastHeard: lastHeard, at: now) { handle(event) }
    }

    /// - Returns: whether the event waits for a file.
    func holds(_ event: AgentEvent, of child: TrialProcess) -> Bool {
        guard let files, child.isRemote, !isStopping else { return false }
        let (trial, attempt) = (child.lease.trial, child.lease.attempt)
        var ticket: BlobTicket?
        switch event {
        case .childSaid(.progress, _), .childSaid(.working, _): return false
        case .childSaid(.cycle(let result), _) where traffic.lacks(cycle: result.cycle, of: trial):
            ticket = files.give(
                .checkpoint(trial), attempt: attempt, path: child.folder.checkpoint(of: trial))
        case .childSaid(.finished, _):
            ticket = files.give(
                .model(trial), attempt: attempt, path: child.folder.model(of: trial))
        default: break
        }
        return traffic.hold(event, of: child.lease, behind: ticket, at: monotonicMilliseconds())
    }

    func closeFiles() {
        files?.close(silenceMs: Self.closingSilenceMs, limitMs: Self.closingLimitMs)
    }
}
