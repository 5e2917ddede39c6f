import Foundation
import SweepModel
import Synchronization
import Transport
import Wire

/// The thread behind `BlobClient`.
final class BlobClientLoop {
    /// Files given and files fetched at the same time: what is under way of four fits into every queue.
    static let concurrentTransfers = 4
    private static let messageBudget = 64
    private static let pollIntervalMs = 250
    /// Between two connections to a coordinator that stays silent.
    private static let reconnectMs: Int64 = 30_000
    private static let receiveQueueLimit = 64

    let settings: BlobClientSettings
    private unowned let client: BlobClient
    private let events: Inbox<BlobEvent>
    private let commands: Inbox<BlobClient.Command>
    private let context: Context
    private var socket: DealerSocket
    private var endpoint: Endpoint?
    private var lastConnected: Int64 = 0
    private var gifts: [Gift] = []
    private var fetches: [Fetch] = []
    private var lastTrouble: String?
    private var hasClosed = false

    init(_ settings: BlobClientSettings, _ client: BlobClient) throws(TransportError) {
        self.settings = settings
        self.client = client
        events = client.events
        commands = client.commands
        context = try Context()
        var options = SocketOptions.dealer.forBlobs
        options.receiveQueueLimit = Self.receiveQueueLimit
        socket = try DealerSocket(
            context: context, security: settings.certificate.map { .curve($0) } ?? .plain,
            options: options)
    }

    func run() {
        var loop = PollLoop()
        let socketWatch = loop.watch(socket)
        _ = loop.watch(commands.pollSource)
        while !hasClosed {
            guard let ready = try? loop.wait(timeoutMs: Self.pollIntervalMs) else { break }
            for command in commands.takeAll() { obey(command) }
            if ready.contains(socketWatch) { readMessages() }
            tick()
        }
    }

    private func obey(_ command: BlobClient.Command) {
        switch command {
        case .connect(let endpoint): connect(to: endpoint)
        case .give(let ticket, let item, let attempt, let path):
            give(ticket, item, attempt: attempt, path: path)
        case .fetchCheckpoint(let ticket, let trial, let path, let partFolder):
            // A damaged one is worth nothing: the coordinator's may be whole.
            let whole = settings.checkpoints.newestWhole(at: path)
            let known = whole.flatMap(settings.checkpoints.cycles) ?? 0
            fetches.append(
                Fetch(
                    ticket, .checkpoint(trial),
                    to: .file(path: path, partFolder: partFolder, cycles: known)))
        case .fetchDataset(let ticket, let name): fetches.append(Fetch(ticket, dataset: name))
        case .cancel(let ticket):
            fetches.removeAll { fetch in
                guard fetch.ticket == ticket else { return false }
                settle(1)
                return true
            }
        case .close: hasClosed = true
        }
    }

    private func connect(to endpoint: Endpoint) {
        let now = monotonicMilliseconds()
        let isSilent = now - client.lastHeardMs > Self.reconnectMs
        guard endpoint != self.endpoint || isSilent else { return }
        do throws(TransportError) {
            if self.endpoint == nil {
                try socket.connect(to: endpoint)
            } else {
                try socket.reconnect(to: endpoint)
            }
            self.endpoint = endpoint
            lastConnected = now
            for fetch in fetches { fetch.restart(at: now) }
        } catch {
            trouble(error.description)
        }
    }

    private func give(_ ticket: BlobTicket, _ item: BlobItem, attempt: Int, path: String) {
        do throws(BlobError) {
            let gift = Gift(ticket, item, attempt: attempt, try OutgoingFile(path))
            if case .checkpoint = item {
                gift.cycles = settings.checkpoints.cycles(at: gift.file.path)
            }
            if let old = gifts.firstIndex(where: { $0.item == item }) {
                gift.tickets += gifts[old].tickets
                gifts[old] = gift
            } else {
                gifts.append(gift)
            }
        } catch {
            settle(1)
            post(.notGiven(ticket, reason: error.description))
        }
    }

    // MARK: What comes

    private func readMessages() {
        for _ in 0..<Self.messageBudget {
            guard let arrival = socket.receive() else { return }
            guard case .message(let frames) = arrival, let message = try? BlobMessage(frames),
                message.worker == settings.worker
            else { continue }
            let now = monotonicMilliseconds()
            client.lastHeard.store(now, ordering: .relaxed)
            answer(message, at: now)
        }
    }

    private func answer(_ message: BlobMessage, at now: Int64) {
        switch message.content {
        case .want(let digest, let offset):
            guard let gift = gifts.first(where: { $0.file.digest == digest }),
                let bytes = gift.file.chunk(at: offset)
            else { return }
            gift.lastHeard = now
            send(.chunk(digest, offset: offset, bytes: bytes), message.item)
        case .stored(let digest):
            gifts.removeAll { gift in
                guard gift.item == message.item, gift.file.digest == digest else { return false }
                settle(gift.tickets.count)
                for ticket in gift.tickets { post(.given(ticket)) }
                return true
            }
            lastTrouble = nil
        case .refused(let reason, let mayPass): refuse(message.item, reason, mayPass, at: now)
        case .found, .absent, .chunk:
            fetches.first { $0.item == message.item }.map {
                advance($0, message.content, at: now)
            }
        // A coordinator never says these.
        case .offer, .find: break
        }
    }

    private func refuse(_ item: BlobItem, _ reason: String, _ mayPass: Bool, at now: Int64) {
        for gift in gifts where gift.item == item {
            if mayPass {
                gift.lastHeard = now
                gift.lastOffered = now
                trouble("the coordinator does not store \(item.label): \(reason)")
            } else {
                gifts.removeAll { $0 === gift }
                settle(gift.tickets.count)
                for ticket in gift.tickets { post(.notGiven(ticket, reason: reason)) }
            }
        }
        for fetch in fetches where fetch.item == item {
            if mayPass { fetch.lastHeard = now } else { end(fetch, .refused(reason)) }
        }
    }

    private func advance(_ fetch: Fetch, _ content: BlobContent, at now: Int64) {
        fetch.lastHeard = now
        do throws(BlobError) {
            switch try fetch.advance(content, settings, at: now) {
            case .goesOn: ask(fetch, at: now)
            case .isDone: end(fetch, .fetched(fetch.ticket))
            case .nothingNewer: end(fetch, .nothingNewer(fetch.ticket))
            }
        } catch {
            end(fetch, error)
        }
    }

    private func end(_ fetch: Fetch, _ error: BlobError) {
        end(fetch, .notFetched(fetch.ticket, error))
    }

    private func end(_ fetch: Fetch, _ event: BlobEvent) {
        fetches.removeAll { $0 === fetch }
        settle(1)
        post(event)
    }

    // MARK: What leaves

    private func tick() {
        guard endpoint != nil else { return }
        let now = monotonicMilliseconds()
        for gift in gifts.prefix(Self.concurrentTransfers) where gift.mustOffer(at: now) {
            gift.lastOffered = now
            let file = gift.file
            let description = BlobDescription(
                digest: file.digest, byteCount: file.byteCount, cycles: gift.cycles)
            send(.offer(description, attempt: gift.attempt), gift.item)
        }
        for fetch in fetches.prefix(Self.concurrentTransfers) { ask(fetch, at: now) }
        if !gifts.isEmpty || !fetches.isEmpty,
            now - max(client.lastHeardMs, lastConnected) > Self.reconnectMs, let endpoint
        {
            // libzmq does not connect again by itself after every kind of failure.
            connect(to: endpoint)
        }
    }

    private func ask(_ fetch: Fetch, at now: Int64) {
        for content in fetch.questions(at: now) { send(content, fetch.item) }
    }

    /// What does not leave is asked for or offered again.
    private func send(_ content: BlobContent, _ item: BlobItem) {
        let message = BlobMessage(worker: settings.worker, item: item, content: content)
        _ = socket.send(message.frames())
    }

    /// Said once, and not at every try.
    private func trouble(_ text: String) {
        guard lastTrouble != text else { return }
        lastTrouble = text
        post(.troubled(text))
    }

    private func settle(_ count: Int) {
        client.openCount.wrappingSubtract(count, ordering: .relaxed)
    }

    private func post(_ event: BlobEvent) {
        while !events.post(event), !hasClosed { usleep(1_000) }
    }
}

/// A file on its way to the coordinator.
final class Gift {
    private static let offerIntervalMs: Int64 = 2_000

    var tickets: [BlobTicket]
    let item: BlobItem
    let attempt: Int
    let file: OutgoingFile
    var cycles: Int?
    var lastOffered: Int64?
    var lastHeard: Int64 = 0

    init(_ ticket: BlobTicket, _ item: BlobItem, attempt: Int, _ file: OutgoingFile) {
        tickets = [ticket]
        self.item = item
        self.attempt = attempt
        self.file = file
    }

    /// At first, and after a silence about it.
    func mustOffer(at now: Int64) -> Bool {
        guard let lastOffered else { return true }
        return now - max(lastOffered, lastHeard) >= Self.offerIntervalMs
    }
}
