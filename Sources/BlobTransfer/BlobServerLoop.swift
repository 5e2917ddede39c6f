import Foundation
import Glibc
import SweepModel
import Transport
import Wire

/// The thread behind `BlobServer`.
final class BlobServerLoop {
    /// Files that workers give at the same time; who comes later is told to try again.
    static let receptionLimit = 256
    /// Messages between two looks at the clock and the commands.
    private static let messageBudget = 64
    private static let pollIntervalMs = 250
    /// A worker that is silent for so long may take its transfer up again; until then it rests on disk.
    private static let patienceMs: Int64 = 60_000
    /// Waiting in memory for one worker: 8 MiB, three transfers with all they may have under way.
    private static let receiveQueueLimit = 32

    let endpoint: Endpoint
    let settings: BlobServerSettings
    let shelf = BlobShelf()
    private let context: Context
    private let authenticator: Authenticator?
    private let socket: RouterSocket
    private var notices: Inbox<BlobNotice>?
    private var commands: Inbox<BlobServer.Command>?
    private var receptions: [BlobItem: ServedReception] = [:]
    private var lastTrouble: String?
    /// Checkpoints that were looked through lately and found whole.
    private var wholeCheckpoints: [BlobDigest] = []
    private var allowedKeys: [PublicKey] = []
    private var hasClosed = false
    private var discardsParts = false

    /// A blob on its way from a worker.
    final class ServedReception {
        let worker: WorkerID
        var route: PeerRoute
        var reception: Reception
        let file: IncomingFile
        let target: String
        var lastHeard: Int64

        init(
            worker: WorkerID, route: PeerRoute, reception: Reception, file: IncomingFile,
            target: String, at now: Int64
        ) {
            self.worker = worker
            self.route = route
            self.reception = reception
            self.file = file
            self.target = target
            lastHeard = now
        }
    }

    init(_ settings: BlobServerSettings, beside control: Endpoint) throws(TransportError) {
        self.settings = settings
        context = try Context()
        var security = RouterSecurity.plain
        var authenticator: Authenticator?
        if let certificate = settings.certificate {
            let made = try Authenticator(context: context)
            allowedKeys = certificate.keys(of: .worker)
            for key in allowedKeys { made.allow(key, in: .blob) }
            security = .curve(certificate.keys.secretKey, made, .blob)
            authenticator = made
        }
        self.authenticator = authenticator
        var options = SocketOptions.router.forBlobs
        options.receiveQueueLimit = Self.receiveQueueLimit
        socket = try RouterSocket(context: context, security: security, options: options)
        endpoint = try Self.bind(socket, beside: control)
    }

    private static func bind(
        _ socket: borrowing RouterSocket, beside control: Endpoint
    ) throws(TransportError) -> Endpoint {
        switch control {
        case .ipc(let path): return try socket.bind(to: Endpoint("ipc://\(path).blob"))
        case .tcp(let host, let port):
            if port < .max {
                do throws(TransportError) {
                    return try socket.bind(to: .tcp(host: host, port: port + 1))
                } catch {
                    guard case .addressInUse = error else { throw error }
                }
            }
            return try socket.bind(to: .tcp(host: host, port: 0))
        }
    }

    func connect(_ notices: Inbox<BlobNotice>, _ commands: Inbox<BlobServer.Command>) {
        self.notices = notices
        self.commands = commands
    }

    /// - Parameter moved: told when something moved last.
    func run(_ moved: (Int64) -> Void) {
        guard let commands else { preconditionFailure("run before it was connected") }
        try? FileManager.default.createDirectory(
            atPath: settings.folder.incoming, withIntermediateDirectories: true)
        var loop = PollLoop()
        let socketWatch = loop.watch(socket)
        let authenticatorWatch = authenticator.map { loop.watch($0) }
        _ = loop.watch(commands.pollSource)
        while !hasClosed {
            guard let ready = try? loop.wait(timeoutMs: Self.pollIntervalMs) else { break }
            for command in commands.takeAll() { obey(command) }
            if let watch = authenticatorWatch, ready.contains(watch) {
                _ = authenticator?.answerRequests()
            }
            if ready.contains(socketWatch) {
                readMessages()
                moved(monotonicMilliseconds())
            }
            tick()
        }
        if discardsParts {
            try? FileManager.default.removeItem(atPath: settings.folder.incoming)
        }
    }

    private func obey(_ command: BlobServer.Command) {
        switch command {
        case .allow(let keys):
            for key in allowedKeys where !keys.contains(key) {
                authenticator?.revoke(key, in: .blob)
            }
            for key in keys { authenticator?.allow(key, in: .blob) }
            allowedKeys = keys
        case .close(let discardsParts):
            self.discardsParts = discardsParts
            hasClosed = true
        }
    }

    private func readMessages() {
        for _ in 0..<Self.messageBudget {
            switch socket.receive() {
            case nil: return
            case .malformed, .refused: continue
            case .message(let peer, let frames):
                guard let message = try? BlobMessage(frames),
                    settings.grants.isKnown(message.worker, key: peer.key)
                else { continue }
                answer(message, peer)
            }
        }
    }

    private func answer(_ message: BlobMessage, _ peer: Peer) {
        let now = monotonicMilliseconds()
        switch message.content {
        case .offer(let description, let attempt):
            do throws(BlobError) {
                try take(message, description, attempt: attempt, peer.route, at: now)
            } catch {
                refuse(message, error, peer.route)
            }
        case .chunk(let digest, let offset, let bytes):
            store(message, digest, offset, bytes, at: now)
        case .find:
            do throws(BlobError) {
                let found = try find(message)
                send(found.map { .found($0) } ?? .absent, message, to: peer.route)
            } catch {
                refuse(message, error, peer.route)
            }
        case .want(let digest, let offset):
            if let bytes = shelf.chunk(of: digest, at: offset) {
                send(.chunk(digest, offset: offset, bytes: bytes), message, to: peer.route)
            } else {
                send(.absent, message, to: peer.route)
            }
        // A worker never says these.
        case .found, .absent, .stored, .refused: break
        }
    }

    // MARK: From workers

    private func take(
        _ message: BlobMessage, _ offered: BlobDescription, attempt: Int, _ route: PeerRoute,
        at now: Int64
    ) throws(BlobError) {
        let item = message.item
        guard let target = target(of: message, attempt: attempt) else {
            throw .refused("another attempt has taken the trial over")
        }
        guard (0...item.byteLimit).contains(offered.byteCount) else {
            throw .tooLarge(byteCount: offered.byteCount, limit: item.byteLimit)
        }
        if try isStored(item, offered, at: target) {
            return send(.stored(offered.digest), message, to: route)
        }
        if let current = receptions[item], current.worker == message.worker,
            current.reception.digest == offered.digest,
            current.reception.byteCount == offered.byteCount
        {
            if current.route != route { current.reception.restart(at: now) }
            current.route = route
            current.lastHeard = now
        } else {
            receptions.removeValue(forKey: item)?.file.discard()
            guard receptions.count < Self.receptionLimit else {
                return send(
                    .refused(reason: "too many transfers at once", mayPass: true), message,
                    to: route)
            }
            let file = try IncomingFile(
                in: settings.folder.incoming, item, offered.digest, byteCount: offered.byteCount)
            let reception = Reception(
                digest: offered.digest, byteCount: offered.byteCount, received: file.byteCount,
                at: now)
            receptions[item] = ServedReception(
                worker: message.worker, route: route, reception: reception, file: file,
                target: target, at: now)
        }
        ask(item, at: now)
        if receptions[item]!.reception.isComplete { finish(item, message) }
    }

    /// From the run's folder and a trial that the journal knows; nil if this attempt may not give it.
    private func target(of message: BlobMessage, attempt: Int) -> String? {
        switch message.item {
        case .checkpoint(let trial):
            settings.grants.isLast(attempt, of: trial, by: message.worker)
                ? settings.folder.checkpoint(of: trial) : nil
        case .model(let trial):
            settings.grants.isLast(attempt, of: trial, by: message.worker)
                ? settings.folder.model(of: trial) : nil
        case .dataset: nil
        }
    }

    /// Whether the very file, or a checkpoint of more cycles, is there.
    private func isStored(
        _ item: BlobItem, _ offered: BlobDescription, at path: String
    ) throws(BlobError) -> Bool {
        guard access(path, F_OK) == 0 else { return false }
        if case .checkpoint = item,
            let stored = settings.checkpoints.cycles(at: path), stored > offered.cycles ?? 0
        {
            return true
        }
        var status = stat()
        guard stat(path, &status) == 0, Int(status.st_size) == offered.byteCount else {
            return false
        }
        return try shelf.file(at: path).digest == offered.digest
    }

    private func store(
        _ message: BlobMessage, _ digest: BlobDigest, _ offset: Int, _ bytes: [UInt8], at now: Int64
    ) {
        guard let current = receptions[message.item], current.worker == message.worker,
            current.reception.digest == digest
        else { return }
        current.lastHeard = now
        do throws(BlobError) {
            switch current.reception.accept(offset: offset, byteCount: bytes.count, at: now) {
            case .ignore: return
            case .wrongLength(let expected):
                throw .wrongLength(offset: offset, byteCount: bytes.count, expected: expected)
            case .append: try current.file.append(bytes)
            }
        } catch {
            receptions[message.item] = nil
            // A full disk gets back what a part of a file had of it.
            current.file.discard()
            return refuse(message, error, current.route)
        }
        ask(message.item, at: now)
        if current.reception.isComplete { finish(message.item, message) }
    }

    private func finish(_ item: BlobItem, _ message: BlobMessage) {
        guard let current = receptions.removeValue(forKey: item) else { return }
        if case .checkpoint = item { settings.checkpoints.keepEarlier(at: current.target) }
        do throws(BlobError) {
            try current.file.finish(current.reception.digest, as: current.target)
            lastTrouble = nil
            _ = notices?.post(.stored(item))
            send(.stored(current.reception.digest), message, to: current.route)
        } catch {
            refuse(message, error, current.route)
        }
    }

    private func ask(_ item: BlobItem, at now: Int64) {
        guard let current = receptions[item] else { return }
        let message = BlobMessage(worker: current.worker, item: item, content: .find)
        for offset in current.reception.wants(at: now) {
            send(.want(current.reception.digest, offset: offset), message, to: current.route)
        }
    }

    private func tick() {
        let now = monotonicMilliseconds()
        for (item, current) in Array(receptions) {
            if now - current.lastHeard > Self.patienceMs {
                receptions[item] = nil
            } else {
                ask(item, at: now)
            }
        }
        shelf.closeIdle(at: now)
    }

    // MARK: To workers

    /// nil if it is not here.
    private func find(_ message: BlobMessage) throws(BlobError) -> BlobDescription? {
        switch message.item {
        case .checkpoint(let trial):
            guard settings.grants.isLast(nil, of: trial, by: message.worker),
                let file = try wholeCheckpoint(at: settings.folder.checkpoint(of: trial)),
                let cycles = settings.checkpoints.cycles(at: file.path)
            else { return nil }
            return BlobDescription(digest: file.digest, byteCount: file.byteCount, cycles: cycles)
        case .model: return nil
        case .dataset(let name, let index):
            let paths = settings.datasetFiles(name)
            guard paths.indices.contains(index) else { return nil }
            let file = try shelf.file(at: paths[index])
            return BlobDescription(
                digest: file.digest, byteCount: file.byteCount,
                name: URL(fileURLWithPath: paths[index]).lastPathComponent,
                fileCount: paths.count)
        }
    }

    /// The checkpoint, or the one before it where a disk has damaged it: its receiver would only find
    /// that out, and start the trial over.
    private func wholeCheckpoint(at path: String) throws(BlobError) -> OutgoingFile? {
        if access(path, F_OK) == 0 {
            let file = try shelf.file(at: path)
            if wholeCheckpoints.contains(file.digest) { return file }
        }
        guard let whole = settings.checkpoints.newestWhole(at: path) else { return nil }
        let file = try shelf.file(at: whole)
        wholeCheckpoints = wholeCheckpoints.suffix(BlobShelf.capacity - 1) + [file.digest]
        return file
    }

    // MARK: Answers

    private func refuse(_ message: BlobMessage, _ error: BlobError, _ route: PeerRoute) {
        if case .refused = error {
        } else if lastTrouble != error.description {
            // Told once, and not at every try.
            lastTrouble = error.description
            _ = notices?.post(
                .troubled(
                    "\(message.item.label) of a worker is not stored: \(error)", hint: error.hint))
        }
        send(.refused(reason: error.description, mayPass: error.mayPass), message, to: route)
    }

    /// What does not leave is asked for again.
    private func send(_ content: BlobContent, _ message: BlobMessage, to route: PeerRoute) {
        let answer = BlobMessage(worker: message.worker, item: message.item, content: content)
        _ = socket.send(answer.frames(), to: route)
    }
}
