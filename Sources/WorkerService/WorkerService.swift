import Agent
import BlobTransfer
import ChildProcess
import Foundation
import GPUs
import Logging
import SweepModel
import Transport
import Wire

/// How a worker is set up.
public struct WorkerSettings: Sendable {
    /// Another one for every worker process.
    public var identifier: WorkerID
    public var endpoint: Endpoint
    /// A file with the endpoint, read again when the coordinator does not answer: the next one may
    /// listen elsewhere.
    public var endpointFile: String?
    public var certificate: ClientCertificate?
    public var host: String
    public var slots: Int
    /// Of every trial's process: what the libraries read when they are loaded.
    public var environment: [(name: String, value: String)]
    /// Those that trials run on, each on one; nil leaves `CUDA_VISIBLE_DEVICES` to them as it is.
    public var gpus: GPUOptions?
    /// What this machine can compute with.
    public var offers: [ComputingOffer]
    public var dataFolder: String?
    /// Where models and checkpoints go when the run's folder is not visible here.
    public var scratchFolder: String
    /// Whether the run's folder is used where it is visible here.
    public var usesRunFolder: Bool
    public var checkpoints: any BlobCheckpoints
    public var datasets: any BlobDatasets
    public var softwareVersion: String
    public var leavesWithCoordinator: Bool
    public var connectDelaySeconds: Int
    public var idleExitSeconds: Int
    /// It ends after so long; nil is never.
    public var walltimeSeconds: Int?

    public init(
        identifier: WorkerID, endpoint: Endpoint, endpointFile: String?,
        certificate: ClientCertificate?, host: String,
        slots: Int, environment: [(name: String, value: String)], gpus: GPUOptions? = nil,
        offers: [ComputingOffer],
        dataFolder: String?, scratchFolder: String, usesRunFolder: Bool,
        checkpoints: any BlobCheckpoints, datasets: any BlobDatasets,
        softwareVersion: String, leavesWithCoordinator: Bool, connectDelaySeconds: Int,
        idleExitSeconds: Int, walltimeSeconds: Int? = nil
    ) {
        self.identifier = identifier
        self.endpoint = endpoint
        self.endpointFile = endpointFile
        self.certificate = certificate
        self.host = host
        self.slots = slots
        self.environment = environment
        self.gpus = gpus
        self.offers = offers
        self.dataFolder = dataFolder
        self.scratchFolder = scratchFolder
        self.usesRunFolder = usesRunFolder
        self.checkpoints = checkpoints
        self.datasets = datasets
        self.softwareVersion = softwareVersion
        self.leavesWithCoordinator = leavesWithCoordinator
        self.connectDelaySeconds = connectDelaySeconds
        self.idleExitSeconds = idleExitSeconds
        self.walltimeSeconds = walltimeSeconds
    }
}

/// What a worker tells its user.
public enum WorkerNotice: Sendable {
    case joined(run: String)
    case lostTouch
    case started(Lease, on: GPU?)
    case finishedCycle(Lease, CycleResult)
    case ended(Lease, fault: String?)
    case handshakeFailed(String)
    case fetching(DatasetName)
    /// Files do not come or go as they should; the trials go on.
    case troubled(String)
}

/// The shell around the agent: one thread that owns the socket, the children's pipes and the
/// signals. It never computes; every trial is a child process.
public final class WorkerService {
    private static let pollIntervalMs = 250
    /// The last messages get so long to leave.
    private static let lingerMs = 5_000

    let settings: WorkerSettings
    let logger: Logger
    let notice: (WorkerNotice) -> Void
    private let worker: WorkerID
    private(set) var agent: Agent
    private var children: [TrialProcess] = []
    var loop = PollLoop()
    private let context: Context
    private let socket: DealerSocket
    private let monitor: SocketMonitor
    private let signals: SignalDescriptor
    /// Of the last welcome.
    private var runIdentifier = ""
    private var epoch = 0
    private var messageNumber: UInt64 = 0
    /// What leaves at the end of the loop's turn.
    private var outbox = Outbox()
    /// What the coordinator that welcomed this worker speaks.
    private var coordinatorVersion = WireVersion(major: WireVersion.current.major, minor: 0)
    private var exit: AgentExit?
    /// Of the last connection, if its handshake failed.
    private var lastHandshakeFailure: HandshakeFailure?
    private(set) var isStopping = false
    private(set) var endpoint: Endpoint
    /// Of the last welcome.
    var welcomeTime: Int64 = 0
    /// When the coordinator was there last.
    var lastWelcome: Int64 = 0
    /// nil as long as no coordinator has offered to move files.
    var files: BlobClient?
    var filesWatch: Watch?
    var traffic = FileTraffic()
    /// Checkpoints that are on their way, and where to.
    var checkpointTickets: [BlobTicket: (trial: TrialID, path: String)] = [:]
    /// Datasets that are on their way.
    var datasetTickets: [DatasetName: BlobTicket] = [:]
    private let gpuWatch: GPUWatch?
    private var nextSearch: Int64 = 0
    private static let searchIntervalMs: Int64 = 2_000

    public init(
        settings: WorkerSettings, logger: Logger, notice: @escaping (WorkerNotice) -> Void
    ) throws(TransportError) {
        self.settings = settings
        worker = settings.identifier
        endpoint = settings.endpoint
        self.logger = logger
        self.notice = notice
        gpuWatch = settings.gpus.map { _ in GPUWatch(at: monotonicMilliseconds()) }
        SignalDescriptor.ignoreBrokenPipes()
        signals = try SignalDescriptor([.interrupt, .terminate, .user2])
        context = try Context()
        var options = SocketOptions.dealer
        options.lingerMs = Self.lingerMs
        socket = try DealerSocket(
            context: context,
            security: settings.certificate.map { .curve($0) } ?? .plain, options: options)
        monitor = try socket.monitor()
        agent = Agent(
            options: Agent.Options(
                host: settings.host, slots: settings.slots,
                softwareVersion: settings.softwareVersion, offers: settings.offers,
                leavesWithCoordinator: settings.leavesWithCoordinator,
                connectDelayMs: Int64(settings.connectDelaySeconds) * 1_000,
                idleExitMs: Int64(settings.idleExitSeconds) * 1_000,
                walltimeMs: settings.walltimeSeconds.map { Int64($0) * 1_000 },
                gpus: settings.gpus),
            at: monotonicMilliseconds())
    }

    /// Works until the sweep is finished, the user stops it, or no coordinator is to be found.
    public func run() throws(TransportError) -> AgentExit {
        try socket.connect(to: settings.endpoint)
        let socketWatch = loop.watch(socket)
        let monitorWatch = loop.watch(monitor)
        let signalWatch = loop.watch(signals)
        handle(.ticked)
        sendAll()
        while exit == nil {
            let ready = try loop.wait(timeoutMs: Self.pollIntervalMs)
            if ready.contains(signalWatch) { readSignals() }
            if ready.contains(monitorWatch) { readMonitor() }
            if ready.contains(socketWatch) { readSocket() }
            for child in children where ready.contains(child.watch) { read(child) }
            if let filesWatch, ready.contains(filesWatch) { readFileEvents() }
            moveFiles()
            lookAtGPUs()
            handle(.ticked)
            sendAll()
            if !agent.isWelcome { try followCoordinator() }
        }
        for child in children { child.process.kill(SIGKILL) }
        closeFiles()
        return exit!
    }

    /// Connects to where the run's coordinator listens now, if that is elsewhere.
    private func followCoordinator() throws(TransportError) {
        let now = monotonicMilliseconds()
        guard let file = settings.endpointFile, now >= nextSearch else { return }
        nextSearch = now + Self.searchIntervalMs
        guard let text = try? String(contentsOfFile: file, encoding: .utf8),
            let bound = try? Endpoint(text.trimmingCharacters(in: .whitespacesAndNewlines)),
            bound.reachedLocally != endpoint
        else { return }
        endpoint = bound.reachedLocally
        logger.info("the coordinator has moved", metadata: ["endpoint": "\(endpoint)"])
        try socket.reconnect(to: endpoint)
    }

    private func lookAtGPUs() {
        switch gpuWatch?.step(at: monotonicMilliseconds()) {
        case nil: break
        case .seen(let gpus): handle(.gpusSeen(gpus))
        case .troubled(let error):
            notice(.troubled("\(error); until it tells again no trial is started here"))
        }
    }

    private func readSignals() {
        while let signal = signals.next() {
            guard isStopping else {
                isStopping = true
                releaseReports(waits: false)
                handle(.stopRequested)
                continue
            }
            // Ctrl-C twice: at once. A scheduler may send the others to every process of a job, and
            // the job's script pass them on.
            if signal == .interrupt {
                exit = .stopped
                return
            }
        }
    }

    private func readMonitor() {
        while let event = monitor.next() {
            logger.debug("connection", metadata: ["event": "\(event)"])
            switch event {
            case .handshakeFailed(_, let failure):
                lastHandshakeFailure = failure
                notice(.handshakeFailed(failure.description))
                if failure.isFinal { exit = .refused(failure.description) }
            case .handshakeSucceeded: lastHandshakeFailure = nil
            case .connected, .retried, .disconnected: break
            }
        }
    }

    private func readSocket() {
        while let arrival = socket.receive() {
            switch arrival {
            case .message(let frames): read(frames)
            case .malformed(let error):
                logger.warning("malformed message", metadata: ["reason": "\(error)"])
                if case .versionMismatch = error { exit = .refused(error.description) }
            }
        }
    }

    private func read(_ frames: FrameMessage) {
        do {
            let header = try Header(bytes: frames.header)
            let messages = try Outbox.messages(type: frames.type, body: frames.body)
            guard header.worker == worker, header.epoch >= epoch || header.run != runIdentifier
            else { return }
            for message in messages {
                if case .welcome = message { join(header, speaking: frames.version) }
                read(message)
            }
        } catch {
            logger.warning("unreadable message", metadata: ["reason": "\(error)"])
        }
    }

    private func join(_ header: Header, speaking version: WireVersion) {
        coordinatorVersion = version
        guard header.run != runIdentifier || header.epoch != epoch else { return }
        runIdentifier = header.run
        epoch = header.epoch
        notice(.joined(run: runIdentifier))
    }

    private func read(_ message: Message) {
        switch message {
        case .welcome(let welcome): follow(welcome)
        // What is finished is told before the rest is given back.
        case .stop: releaseReports(waits: false)
        default: break
        }
        handle(.received(message))
    }

    func handle(_ event: AgentEvent) {
        let wasWelcome = agent.isWelcome
        let actions = agent.handle(event, at: monotonicMilliseconds())
        if wasWelcome, !agent.isWelcome, !isStopping { notice(.lostTouch) }
        for action in actions {
            switch action {
            case .send(let message): outbox.append(message)
            case .start(let assignment, let gpu): start(assignment, on: gpu)
            case .stop(let lease):
                if withdraw(lease) {
                    handle(.childEnded(lease, fault: nil))
                } else {
                    children.first { $0.lease == lease }?.stop()
                }
            case .kill(let lease):
                logger.warning("killing a process", metadata: ["trial": "\(lease.trial)"])
                if withdraw(lease) {
                    handle(.childEnded(lease, fault: nil))
                } else {
                    children.first { $0.lease == lease }?.kill()
                }
            case .exit(.coordinatorNeverFound) where lastHandshakeFailure != nil:
                // Somebody was found, who hung up: a coordinator that wants keys may do so without a word.
                exit = .refused(lastHandshakeFailure!.description)
            case .exit(let reason): exit = reason
            }
        }
    }

    private func sendAll() {
        for packet in outbox.take(for: coordinatorVersion) {
            messageNumber += 1
            let header = Header(
                run: runIdentifier, epoch: epoch, worker: worker, messageNumber: messageNumber)
            let result = socket.send(
                FrameMessage(type: packet.type, header: header.bytes(), body: packet.body))
            // A full queue loses nothing: hellos, heartbeats and reports are repeated.
            if case .oversized(let byteCount, let limit) = result {
                logger.error(
                    "message too large", metadata: ["bytes": "\(byteCount)", "limit": "\(limit)"])
            }
        }
    }

    private func start(_ assignment: Assignment, on gpu: GPU?) {
        do {
            let folder = try folder(for: assignment)
            if !prepare(assignment, on: gpu, in: folder) {
                launch(assignment, on: gpu, in: folder)
            }
        } catch {
            // The machine's fault, and not the trial's.
            handle(.childEnded(assignment.lease, fault: (.disk, "\(error)")))
        }
    }

    func launch(_ assignment: Assignment, on gpu: GPU?, in folder: RunFolder) {
        do {
            let process = try TrialProcess(
                assignment, on: gpu, folder: folder, settings: settings
            ) { loop.watch(.descriptor($0)) }
            children.append(process)
            notice(.started(assignment.lease, on: gpu))
        } catch {
            handle(.childEnded(assignment.lease, fault: (.disk, "\(error)")))
        }
    }

    /// The run's own folder where it is visible, and a private one elsewhere.
    private func folder(for assignment: Assignment) throws -> RunFolder {
        let shared = RunFolder(assignment.runFolder)
        if settings.usesRunFolder, FileManager.default.fileExists(atPath: shared.journal) {
            return shared
        }
        let own = RunFolder("\(settings.scratchFolder)/\(runIdentifier)")
        for subfolder in own.subfolders + [own.incoming] {
            try FileManager.default.createDirectory(
                atPath: subfolder, withIntermediateDirectories: true)
        }
        return own
    }

    private func read(_ child: TrialProcess) {
        for line in child.readLines() {
            guard let line = ChildLine(line) else {
                logger.warning("unreadable line", metadata: ["trial": "\(child.lease.trial)"])
                continue
            }
            switch line {
            case .cycle(let result): notice(.finishedCycle(child.lease, result))
            case .failed(_, let message): child.reportEnd(fault: message)
            case .finished: child.reportEnd(fault: nil)
            case .progress, .working: break
            }
            let event = AgentEvent.childSaid(line, child.lease)
            if !holds(event, of: child) { handle(event) }
        }
        guard child.hasEnded else { return }
        loop.unwatch(child.watch)
        children.removeAll { $0 === child }
        gpuWatch?.hurry(at: monotonicMilliseconds())
        let fault = child.fault()
        notice(.ended(child.lease, fault: child.reportedFault ?? fault?.message))
        let event = AgentEvent.childEnded(child.lease, fault: fault)
        if !holds(event, of: child) { handle(event) }
    }
}
