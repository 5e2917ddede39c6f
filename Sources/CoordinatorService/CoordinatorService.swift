import BlobTransfer
import Coordinator
import DequeModule
import Foundation
import Journal
import Launchers
import Logging
import OrderedCollections
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
    /// Where commands are taken; nil is any free port of the loopback interface.
    public var controlEndpoint: Endpoint?
    public var options: Coordinator.Options
    /// The worker that is started here; nil is none.
    public var localWorker: LocalWorkerSettings?
    public var checkpoints: any BlobCheckpoints
    /// The paths of a dataset's files here, for workers that lack it; none if it is not here.
    public var datasetFiles: @Sendable (DatasetName) -> [String]

    public init(
        sweep: Sweep, sweepText: String, folder: RunFolder, endpoint: Endpoint?,
        certificate: ServerCertificate?, controlEndpoint: Endpoint? = nil,
        options: Coordinator.Options, localWorker: LocalWorkerSettings?,
        checkpoints: any BlobCheckpoints = NoCheckpoints(),
        datasetFiles: @escaping @Sendable (DatasetName) -> [String] = { _ in [] }
    ) {
        self.sweep = sweep
        self.sweepText = sweepText
        self.folder = folder
        self.endpoint = endpoint
        self.certificate = certificate
        self.controlEndpoint = controlEndpoint
        self.options = options
        self.localWorker = localWorker
        self.checkpoints = checkpoints
        self.datasetFiles = datasetFiles
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
    /// A launcher tells of its workers; `hint` is what to do where something is wrong.
    case launcherSaid(String)
    case launcherWarned(String, hint: String?)
    /// A file of a worker elsewhere is not stored; it is tried again.
    case fileTroubled(String, hint: String?)
    /// Every worker takes one of the files that this process may open; others wait in vain.
    case connectionLimitReached(openFiles: Int)
    case stopping
    /// Time has passed: a display may be brought up to date.
    case ticked
}

/// The shell around the state machine: one thread that owns sockets and signals, beside one that waits
/// for the disk. What an event appends is on disk before anything it sends leaves.
public final class CoordinatorService {
    /// So many messages are handled before what they come to is given to the disk.
    private static let messageBatch = 256
    private static let tickMs: Int64 = 1_000
    /// Peers remembered beyond those that the coordinator knows as workers.
    private static let strangerLimit = 1_024
    /// The last messages get so long to leave.
    private static let lingerMs = 2_000
    /// The worker here gets so long to end after the sweep.
    private static let workerEndMs: Int64 = 8_000
    /// The workers elsewhere get so long.
    private static let launcherEndMs: Int64 = 30_000
    /// Workers elsewhere may give the last files as long as they come without such a pause.
    private static let blobQuietMs: Int64 = 500
    private static let blobEndMs: Int64 = 30_000

    let settings: CoordinatorSettings
    let logger: Logger
    private let lock: RunLock
    private let journal: Journal
    let commits: GroupCommit
    private let context: Context
    private let authenticator: Authenticator
    let control: ControlListener
    let socket: RouterSocket
    let signals: SignalDescriptor
    private let descriptorLimit: Int
    private var lacksDescriptors = false
    private var loop = PollLoop()
    public private(set) var coordinator: Coordinator
    public let endpoint: Endpoint
    let grants: BlobGrants
    private let blobs: BlobServer
    /// Those that were allowed there last.
    private var blobKeys: [PublicKey] = []
    let runIdentifier: String
    var peers = PeerTable()
    private var keyWatch: KeyWatch?
    private var keyLimits = KeyLimits()
    private var refusals = RefusalLog()
    private var answeredRoutes: [PeerRoute] = []
    var messageNumber: UInt64 = 0
    var timer: Instant?
    var outcome: Outcome?
    var pendingActions: [Action] = []
    /// What waits for the disk, in the order in which it is performed.
    var deferred: Deque<DeferredActions> = []
    /// What leaves when the actions at hand are performed.
    var outboxes: OrderedDictionary<WorkerID, Outbox> = [:]
    /// Of the last records that were given to the disk.
    var commitNumber: UInt64 = 0
    var isStorageFailing = false
    var localWorker: LocalWorker?
    private var launchers: [any Launcher] = []
    private var isStopping = false
    let notice: (CoordinatorNotice, Coordinator) -> Void

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
        SignalDescriptor.ignoreBrokenPipes()
        descriptorLimit = Context.raiseOpenFileLimit()
        signals = try SignalDescriptor([.interrupt, .terminate])
        let folder = settings.folder
        lock = try RunLock(path: folder.lock, folder: folder.path)
        journal = try Journal.write(at: folder.journal)
        let history = try journal.history()
        commits = try GroupCommit()
        context = try Context()
        authenticator = try Authenticator(context: context)
        var security = RouterSecurity.plain
        if let certificate = settings.certificate {
            keyWatch = KeyWatch(
                certificate, path: settings.folder.serverCertificate, authenticator: authenticator)
            security = .curve(certificate.keys.secretKey, authenticator, .worker)
        }
        var socketOptions = SocketOptions.router
        socketOptions.lingerMs = Self.lingerMs
        socket = try RouterSocket(context: context, security: security, options: socketOptions)
        endpoint = try Self.bind(socket, settings)
        try (endpoint.description + "\n").write(
            toFile: folder.endpoint, atomically: true, encoding: .utf8)
        control = try ControlListener(
            context: context, authenticator: authenticator, folder: folder,
            serverKeys: settings.certificate?.keys, endpoint: settings.controlEndpoint)
        runIdentifier = URL(fileURLWithPath: folder.path).lastPathComponent
        grants = BlobGrants(history)
        blobs = try BlobServer(
            BlobServerSettings(
                folder: folder, grants: grants, certificate: settings.certificate,
                checkpoints: settings.checkpoints, datasetFiles: settings.datasetFiles),
            beside: endpoint)
        var options = settings.options
        options.blobEndpoint = blobs.endpoint.description
        coordinator = Coordinator(sweep: settings.sweep, options: options, history: history)
    }

    /// The last coordinator's address first, so that workers which went on without it find this one.
    private static func bind(
        _ socket: borrowing RouterSocket, _ settings: CoordinatorSettings
    ) throws -> Endpoint {
        if let endpoint = settings.endpoint { return try socket.bind(to: endpoint) }
        if let text = try? String(contentsOfFile: settings.folder.endpoint, encoding: .utf8),
            let last = try? Endpoint(text.trimmingCharacters(in: .whitespacesAndNewlines))
        {
            do throws(TransportError) {
                return try socket.bind(to: last)
            } catch {
                guard case .addressInUse = error, last.isLoopback else { throw error }
            }
        }
        return try socket.bind(to: .tcp(host: "127.0.0.1", port: 0))
    }

    /// Runs until every trial is settled or the user stops it.
    ///
    /// - Parameter launchers: they start workers elsewhere, and end them afterwards.
    public func run(launchers: [any Launcher] = []) throws -> Outcome {
        self.launchers = launchers
        let socketWatch = loop.watch(socket)
        let signalWatch = loop.watch(signals)
        let authenticatorWatch = loop.watch(authenticator)
        let controlWatch = loop.watch(control.socket)
        let blobWatch = loop.watch(blobs.notices.pollSource)
        _ = loop.watch(commits.outcomes.pollSource)
        commits.begin(journal)
        defer { commits.close() }
        notice(.listening(endpoint), coordinator)
        handle(.started(submission()))
        try performActions()
        try startLocalWorker()
        stepLaunchers()
        var lastTick = monotonicMilliseconds()
        while outcome == nil {
            if isHeldUp {
                try waitForDisk()
                continue
            }
            let ready = try loop.wait(timeoutMs: waitMilliseconds(lastTick: lastTick))
            if ready.contains(authenticatorWatch) { answerHandshakes() }
            if ready.contains(signalWatch) { readSignals() }
            if ready.contains(socketWatch) { readMessages() }
            if ready.contains(controlWatch) { readCommands() }
            if ready.contains(blobWatch) { readBlobNotices() }
            try watchLocalWorker(ready)
            let now = monotonicMilliseconds()
            if let timer, now >= timer.milliseconds {
                self.timer = nil
                handle(.timerFired)
            }
            try performActions()
            if outcome != nil { break }
            if now - lastTick >= Self.tickMs {
                lastTick = now
                watchKeys()
                watchDescriptors()
                stepLaunchers()
                try performActions()
                if outcome != nil { break }
                notice(.ticked, coordinator)
            }
        }
        let areEnding = launchers.map { $0.end(at: monotonicMilliseconds()) }
        finishLocalWorker()
        if areEnding.contains(false) { endLaunchers() }
        blobs.close(
            quietMs: Self.blobQuietMs, limitMs: Self.blobEndMs,
            discardsParts: outcome == .sweepFinished)
        return outcome!
    }

    // MARK: Events

    func handle(_ event: Event) {
        pendingActions += coordinator.handle(event, at: monotonicNow())
    }

    /// The seeds from the clock are consecutive seconds from now on. They are used, and journaled,
    /// only if the run is new.
    private func submission() -> SweepSubmitted {
        let now = UInt64(Date().timeIntervalSince1970)
        let seeds = (0..<settings.sweep.timeSeedCount).map { now + UInt64($0) }
        return SweepSubmitted(
            name: settings.sweep.name, text: settings.sweepText, timeSeeds: seeds,
            engine: settings.sweep.studyProtocol.engine,
            precision: settings.sweep.studyProtocol.precision,
            threads: settings.localWorker?.threads)
    }

    func readSignals() {
        while signals.next() != nil {
            if isStopping {
                // Twice: at once. The journal holds all that was accepted.
                if let localWorker {
                    localWorker.kill()
                    handle(.workerDied(localWorker.worker))
                }
                outcome = .stopped
                return
            }
            isStopping = true
            notice(.stopping, coordinator)
            handle(.stopRequested)
        }
    }

    private func answerHandshakes() {
        for refused in authenticator.answerRequests() {
            let what = "refused a key at the \(refused.domain.rawValue) socket"
            log(what, from: refused.address, refused.key.map { "\($0)" } ?? "no key")
        }
    }

    /// A peer's faults, once: not as often as it repeats them.
    private func log(_ what: String, from address: String?, _ reason: String) {
        let address = address ?? "?"
        guard refusals.isWorthALine(what, from: address, at: monotonicMilliseconds()) else {
            return
        }
        logger.warning("\(what)", metadata: ["address": "\(address)", "reason": "\(reason)"])
    }

    /// Keys that were added or revoked meanwhile.
    private func watchKeys() {
        if let count = refusals.summary(at: monotonicMilliseconds()) {
            logger.warning("more refusals of the same kind", metadata: ["count": "\(count)"])
        }
        peers.removeStrangers(upTo: Self.strangerLimit) { coordinator.session(of: $0) != nil }
        switch keyWatch?.look() {
        case nil, .some(.none): break
        case .unreadable(let error):
            logger.error("keys unchanged", metadata: ["reason": "\(error)"])
        case .revoked(let keys):
            logger.notice("revoked keys", metadata: ["count": "\(keys.count)"])
            for worker in peers.workers(with: keys) {
                peers.forget(worker)
                handle(.workerDied(worker))
            }
        }
        if let keys = keyWatch?.workerKeys, keys != blobKeys {
            blobKeys = keys
            blobs.allow(keys)
        }
    }

    /// At the limit libzmq accepts no connection any more, and tells nobody.
    private func watchDescriptors() {
        guard !lacksDescriptors, Context.isAtOpenFileLimit else { return }
        lacksDescriptors = true
        logger.error("no more connections", metadata: ["open files": "\(descriptorLimit)"])
        notice(.connectionLimitReached(openFiles: descriptorLimit), coordinator)
    }

    private func readCommands() {
        for arrival in control.receive() {
            switch arrival {
            case .command(let command, let number): handle(.commanded(command, number: number))
            case .workersAsked(let number):
                control.answer(
                    .workersTold(coordinator.workersTold(at: monotonicNow())), to: number)
            case .refused(let address, let reason): log("not a command", from: address, reason)
            }
        }
    }

    private func readBlobNotices() {
        for blobNotice in blobs.notices.takeAll() {
            switch blobNotice {
            case .stored(let item): logger.debug("stored", metadata: ["file": "\(item)"])
            case .troubled(let text, let hint):
                logger.warning("a file is not stored", metadata: ["reason": "\(text)"])
                notice(.fileTroubled(text, hint: hint), coordinator)
            }
        }
    }

    private func readMessages() {
        var count = 0
        while count < Self.messageBatch {
            count += 1
            switch socket.receive() {
            case nil: return
            case .message(let peer, let frames): count += read(frames, from: peer) - 1
            case .malformed(let peer, let error): refuse(peer, error)
            case .refused(let peer):
                log("a revoked key", from: peer.address, peer.key.map { "\($0)" } ?? "none")
            }
        }
    }

    /// - Returns: how many messages there were, or 1 if they cannot be read.
    private func read(_ frames: FrameMessage, from peer: Peer) -> Int {
        if let key = peer.key, !keyLimits.admit(key, at: monotonicMilliseconds()) {
            log("a key that sends too much", from: peer.address, "\(key)")
            return 1
        }
        do {
            let worker = try Header(bytes: frames.header).worker
            let messages = try Outbox.messages(type: frames.type, body: frames.body)
            if let key = peer.key { keyLimits.charge(key, messages.count - 1) }
            if let fault = peers.admit(peer, speaking: frames.version, as: worker) {
                log(fault, from: peer.address, worker.rawValue)
            } else {
                for message in messages { read(message, from: worker, key: peer.key) }
            }
            return messages.count
        } catch {
            log("an unreadable message", from: peer.address, "\(error)")
            return 1
        }
    }

    private func read(_ message: Message, from worker: WorkerID, key: PublicKey?) {
        if case .hello = message { grants.introduce(worker, key: key) }
        if case .hello = message, worker == localWorker?.worker, let dead = localWorker?.succeed() {
            handle(.workerDied(dead))
        }
        if case .goodbye = message, let session = coordinator.session(of: worker) {
            notice(.workerLeft(host: session.host), coordinator)
        }
        handle(.received(message, from: worker))
        if case .goodbye = message { peers.forget(worker) }
    }

    /// Says it once per connection; only another version deserves an answer.
    private func refuse(_ peer: Peer, _ error: FrameError) {
        log("a malformed message", from: peer.address, "\(error)")
        guard case .versionMismatch = error, !answeredRoutes.contains(peer.route) else { return }
        answeredRoutes = answeredRoutes.suffix(255) + [peer.route]
        notice(.refusedWorker(reason: error.description), coordinator)
        var outbox = Outbox()
        outbox.append(.refused(reason: error.description))
        for packet in outbox.take(for: .current) { send(packet, to: WorkerID(""), peer.route) }
    }

    private func waitMilliseconds(lastTick: Int64) -> Int {
        var next = lastTick + Self.tickMs
        if let timer { next = min(next, timer.milliseconds) }
        if let restart = localWorker?.restartTime { next = min(next, restart) }
        return max(0, Int(next - monotonicMilliseconds()))
    }

    // MARK: Workers elsewhere

    private func stepLaunchers() {
        guard !launchers.isEmpty, outcome == nil, !isStopping else { return }
        let situation = SweepSituation(
            waitingTrials: coordinator.waitingCount,
            workers: coordinator.loads.map {
                SweepSituation.Worker(id: $0.worker, slots: $0.slots, trials: $0.trials)
            })
        for launcher in launchers {
            for told in launcher.step(situation, at: monotonicMilliseconds()) {
                switch told {
                case .said(let text): notice(.launcherSaid(text), coordinator)
                case .warned(let text, let hint):
                    logger.warning("launcher", metadata: ["reason": "\(text)"])
                    notice(.launcherWarned(text, hint: hint), coordinator)
                case .workerDied(let worker, let fault):
                    handle(.workerDied(worker, fault: fault))
                }
            }
        }
    }

    /// A signal ends the patience.
    private func endLaunchers() {
        let deadline = monotonicMilliseconds() + Self.launcherEndMs
        while monotonicMilliseconds() < deadline, signals.next() == nil {
            let isEnded = launchers.map { $0.end(at: monotonicMilliseconds()) }
            if !isEnded.contains(false) { return }
            usleep(50_000)
        }
        let text =
            "workers elsewhere may not have ended; without a coordinator they do so by themselves"
        notice(.launcherWarned(text, hint: nil), coordinator)
    }

    // MARK: The worker here

    private func startLocalWorker() throws {
        guard outcome == nil, let worker = settings.localWorker else { return }
        localWorker = try LocalWorker(
            worker, endpoint: endpoint, folder: settings.folder, in: &loop)
    }

    private func watchLocalWorker(_ ready: ReadySet) throws {
        guard
            let death = try localWorker?.keepAlive(ready, in: &loop, restarts: !isStopping)
        else { return }
        if !isStopping,
            coordinator.session(of: death.worker) != nil || localWorker?.restartTime != nil
        {
            notice(.localWorkerFailed(reason: death.reason), coordinator)
        }
        handle(.workerDied(death.worker))
    }

    /// It ends by itself when the sweep is finished or stopped; it gets some seconds for it.
    private func finishLocalWorker() {
        if outcome == .stopped { localWorker?.terminate() }
        localWorker?.waitForEnd(upToMs: Self.workerEndMs)
        localWorker?.kill()
    }
}

private func monotonicNow() -> Instant { Instant(milliseconds: monotonicMilliseconds()) }
