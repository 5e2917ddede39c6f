import Foundation
import SweepModel
import Synchronization
import Transport
import Wire

/// Names what a worker asked its blobs' thread for.
public typealias BlobTicket = Int

/// Where a worker puts a dataset that comes from the coordinator.
public protocol BlobDatasets: Sendable {
    func isPresent(_ name: DatasetName) -> Bool
    /// An empty folder of this worker's own.
    func receivingFolder(for name: DatasetName) throws -> String
    /// Whether a file of the dataset has this name: no other name of a peer's is used for a path.
    func isName(_ file: String, of name: DatasetName, file index: Int, count: Int) -> Bool
    /// Checks the files against what was published and puts them in place, in one step.
    func install(_ name: DatasetName, from folder: String) throws
}

/// How a worker moves files.
public struct BlobClientSettings: Sendable {
    public var worker: WorkerID
    public var certificate: ClientCertificate?
    public var checkpoints: any BlobCheckpoints
    public var datasets: any BlobDatasets

    public init(
        worker: WorkerID, certificate: ClientCertificate?,
        checkpoints: any BlobCheckpoints, datasets: any BlobDatasets
    ) {
        self.worker = worker
        self.certificate = certificate
        self.checkpoints = checkpoints
        self.datasets = datasets
    }
}

/// What became of a ticket, and what a worker's user should know.
public enum BlobEvent: Sendable {
    /// It is on the coordinator's disk.
    case given(BlobTicket)
    /// The coordinator does not want it, or it cannot be read.
    case notGiven(BlobTicket, reason: String)
    /// It has come, and is in its place.
    case fetched(BlobTicket)
    /// What is here is as new, or the coordinator has none.
    case nothingNewer(BlobTicket)
    case notFetched(BlobTicket, BlobError)
    /// It is tried again.
    case troubled(String)
}

/// A worker's end of the `blob` socket: a thread of its own, so that no file delays a heartbeat.
public final class BlobClient: Sendable {
    private static let limit = 4_096

    enum Command: Sendable {
        case connect(Endpoint)
        case give(BlobTicket, BlobItem, attempt: Int, path: String)
        case fetchCheckpoint(BlobTicket, TrialID, path: String, partFolder: String)
        case fetchDataset(BlobTicket, DatasetName)
        case cancel(BlobTicket)
        case close
    }

    public let events: Inbox<BlobEvent>
    let commands: Inbox<Command>
    let lastHeard: Atomic<Int64>
    let openCount = Atomic<Int>(0)
    private let nextTicket = Atomic<BlobTicket>(1)
    private let hasEnded = Atomic<Bool>(false)

    public init(_ settings: BlobClientSettings) throws(TransportError) {
        events = try Inbox(capacity: Self.limit)
        commands = try Inbox(capacity: Self.limit)
        lastHeard = Atomic(monotonicMilliseconds())
        let loop = try BlobClientLoop(settings, self)
        // Made here, used there only: the start of a thread is the fence that libzmq asks for when a
        // socket changes its thread.
        nonisolated(unsafe) let moved = loop
        Thread.detachNewThread { [self] in
            moved.run()
            hasEnded.store(true, ordering: .releasing)
        }
    }

    /// When the coordinator's `blob` socket was heard of last, on the monotonic clock; the client's
    /// beginning if never.
    public var lastHeardMs: Int64 { lastHeard.load(ordering: .relaxed) }

    /// Connects, or connects anew if the coordinator listens elsewhere now.
    public func connect(to endpoint: Endpoint) { post(.connect(endpoint)) }

    /// Gives a file as it is now; a newer one of the same item takes its place, for both tickets.
    public func give(_ item: BlobItem, attempt: Int, path: String) -> BlobTicket {
        ticket { .give($0, item, attempt: attempt, path: path) }
    }

    /// Fetches a trial's checkpoint if the coordinator's holds more cycles than the one at `path`.
    public func fetchCheckpoint(
        of trial: TrialID, to path: String, partFolder: String
    ) -> BlobTicket {
        ticket { .fetchCheckpoint($0, trial, path: path, partFolder: partFolder) }
    }

    /// Fetches a dataset's files and installs them.
    public func fetch(_ dataset: DatasetName) -> BlobTicket {
        ticket { .fetchDataset($0, dataset) }
    }

    public func cancel(_ ticket: BlobTicket) { post(.cancel(ticket)) }

    /// Ends when everything is given, when nothing was heard for `silenceMs`, or after `limitMs`.
    public func close(silenceMs: Int64, limitMs: Int64) {
        let begin = monotonicMilliseconds()
        while openCount.load(ordering: .relaxed) > 0 {
            let now = monotonicMilliseconds()
            if now - begin >= limitMs || now - max(lastHeardMs, begin) >= silenceMs { break }
            usleep(20_000)
        }
        post(.close)
        while !hasEnded.load(ordering: .acquiring),
            monotonicMilliseconds() - begin < limitMs + 2_000
        { usleep(10_000) }
    }

    private func ticket(_ command: (BlobTicket) -> Command) -> BlobTicket {
        let ticket = nextTicket.wrappingAdd(1, ordering: .relaxed).oldValue
        openCount.wrappingAdd(1, ordering: .relaxed)
        post(command(ticket))
        return ticket
    }

    /// The thread takes commands several times a second; a full inbox waits for it.
    private func post(_ command: Command) {
        while !commands.post(command) { usleep(1_000) }
    }
}
