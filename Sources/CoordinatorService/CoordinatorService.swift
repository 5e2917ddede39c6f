import Coordinator
import Foundation
import Journal
import Logging
import SweepModel
import Transport
import Wire

/// How a coordinator is set up.
public struct CoordinatorSettings: Sendable {
    public var sweep: Sweep
    /// The sweep file as submitted.
    public var sweepText: String
    public var folder: RunFolder
    /// nil: where the run's last coordinator listened, or any free port of the loopback interface.
    public var endpoint: Endpoint?
    public var certificate: ServerCertificate?
    public var options: Coordinator.Options
    /// Slots of the worker that is started here; 0 is none.
    public var localWorker: LocalWorkerSettings?

    public init(
        sweep: Sweep, sweepText: String, folder: RunFolder, endpoint: Endpoint?,
        certificate: ServerCertificate?, options: Coordinator.Options,
        localWorker: LocalWorkerSettings?
    ) {
        self.sweep = sweep
        self.sweepText = sweepText
        self.folder = folder
        self.endpoint = endpoint
        self.certificate = certificate
        self.options = options
        self.localWorker = localWorker
    }
}

/// What a coordinator tells its user.
public enum CoordinatorNotice: Sendable {
    case listening(Endpoint)
    case recorded(Record)
    case workerJoined(host: String, slots: Int)
    case workerLeft(host: String)
    case refusedWorker(reason: String)
    /// Nothing is accepted until it can be stored again.
    case storageFailed(JournalError)
    case storageRecovered
    case localWorkerFailed(reason: String)
    case stopping
    /// Time has passed: a display may be brought up to date.
    case ticked
}

/// The shell around the state machine: one thread that owns journal, socket and signals.
/// What an event appends is on disk before anything it sends leaves.
public final class CoordinatorService {
    /// So many messages share one commit.
    private static let commitBatch = 256
    private static let tickMs: Int64 = 1_000
    private static let storageRetryMs = 2_000

    private let settings: CoordinatorSettings
    private let logger: Logger
    private let lock: RunLock
    private let journal: Journal
    private let context: Context
    private let authenticator: Authenticator?
    private let socket: RouterSocket
    private let signals: SignalDescriptor
    private var loop = PollLoop()
    public private(set) var coordinator: Coordinator
    public let endpoint: Endpoint
    private let runIdentifier: String
    private var peers: [WorkerID: Peer] = [:]
    private var refusedRoutes: [PeerRoute] = []
    private var messageNumber: UInt64 = 0
    private var timer: Instant?
    private var outcome: Outcome?
    private var pendingActions: [Action] = []
    private var localWorker: LocalWorker?
    private var isStopping = false
    private let notice: (CoordinatorNotice, Coordinator) -> Void

    /// Takes the run in its hands and listens.
    ///
    /// - Throws: `RunInUse`, `JournalError` or `TransportError`.
    public init(
        settings: CoordinatorSettings, logger: Logger,
        notice: @escaping (CoordinatorNotice, Coordinator) -> Void
    ) throws {
        self.settings = settings
        self.logger = logger
        self.notice = notice
        let folder = settings.folder
        lock = try RunLock(path: folder.lock, folder: folder.path)
        journal = try Journal.write(at: folder.journal)
        coordinator = Coordinator(
            sweep: settings.sweep, options: settings.options, history: try journal.history())
        SignalDescriptor.ignoreBrokenPipes()
        signals = try SignalDescriptor([.interrupt, .terminate])
        context = try Context()
        var security = RouterSecurity.plain
        if let certificate = settings.certificate {
            let authenticator = try Authenticator(context: context)
            for key in certificate.clientKeys { authenticator.allow(key, in: .worker) }
            security = .curve(certificate.keys.secretKey, authenticator, .worker)
            self.authenticator = authenticator
        } else {
            authenticator = nil
        }
        socket = try RouterSocket(context: context, security: security)
        endpoint = try Self.bind(socket, settings)
        try (endpoint.description + "\n").write(
            toFile: folder.endpoint, atomically: true, encoding: .utf8)
        runIdentifier = URL(fileURLWithPath: folder.path).lastPathComponent
    }

    /// The last coordinator's address first, so that workers which went on without it find this one.
    private static func bind(
        _ socket: borrowing RouterSocket, _ settings: CoordinatorSettings
    ) throws -> Endpoint {
        if let endpoint = settings.endpoint { return try socket.bind(to: endpoint) }
        if let text = try? String(contentsOfFile: settings.folder.endpoint, encoding: .utf8),
            let last = try? Endpoint(text.trimmingCharacters(in: .whitespacesAndNewlines)),
            let bound = try? socket.bind(to: last)
        {
            return bound
        }
        return try socket.bind(to: .tcp(host: "127.0.0.1", port: 0))
    }

    /// Runs until every trial is settled or the user stops it.
    public func run() throws -> Outcome {
        let socketWatch = loop.watch(socket)
        let signalWatch = loop.watch(signals)
        let authenticatorWatch = authenticator.map { loop.watch($0) }
        notice(.listening(endpoint), coordinator)
        let seeds = try handle(.started(submission()))
        _ = seeds
        try performActions()
        try startLocalWorker()
        var lastTick = monotonicMilliseconds()
        while outcome == nil {
            let ready = try loop.wait(timeoutMs: waitMilliseconds(lastTick: lastTick))
            if let watch = authenticatorWatch, ready.contains(watch) { answerHandshakes() }
            if ready.contains(signalWatch) { try readSignals() }
            if ready.contains(socketWatch) { readMessages() }
            if let worker = localWorker { try worker.read(ready, in: &loop) { restart($0) } }
            let now = monotonicMilliseconds()
            if let timer, now >= timer.milliseconds {
                self.timer = nil
                handle(.timerFired)
            }
            try performActions()
            if now - lastTick >= Self.tickMs {
                lastTick = now
                notice(.ticked, coordinator)
            }
        }
        finishLocalWorker()
        try socket.close(lingerMs: 2_000)
        return outcome!
    }
}
