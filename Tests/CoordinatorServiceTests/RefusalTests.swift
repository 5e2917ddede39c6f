import Foundation
import SweepModel
import Testing
import Transport
import Wire

@testable import CoordinatorService

/// A folder that goes with the test.
struct TemporaryFolder: ~Copyable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "alsweep-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Test("a million refusals of a peer are one line, and later one more that counts them")
func refusalsAreToldOnce() {
    var log = RefusalLog()
    var lines = 0
    for number in 0..<1_000_000 as Range<Int64> {
        if log.isWorthALine("no key", from: "10.0.0.1", at: number) { lines += 1 }
    }
    #expect(lines == 1)
    let summaries = [log.summary(at: 1_000_000), log.summary(at: 1_000_001)]
    #expect(summaries == [999_999, nil])
    let isOtherKindTold = log.isWorthALine("another kind", from: "10.0.0.1", at: 1_000_000)
    let isOtherPeerTold = log.isWorthALine("no key", from: "10.0.0.2", at: 1_000_000)
    #expect(isOtherKindTold && isOtherPeerTold)
}

@Test("refusals of ever new peers are bounded by the minute")
func refusalsOfManyPeers() {
    var log = RefusalLog()
    let lines = (0..<120_000 as Range<Int64>).count {
        log.isWorthALine("no key", from: "peer \($0)", at: $0)
    }
    #expect(lines == 2 * RefusalLog.linesPerMinute)
}

private func peer(_ route: UInt8, _ key: PublicKey? = nil) -> Peer {
    Peer(route: PeerRoute(bytes: [route]), key: key)
}

@Test("a connection speaks for one worker, and a worker's name belongs to its key")
func peersAreWhoTheyWere() throws {
    let (first, second) = (try KeyPair.generate().publicKey, try KeyPair.generate().publicKey)
    var table = PeerTable()
    let (a, b, c) = (WorkerID("a"), WorkerID("b"), WorkerID("c"))
    var faults = [
        table.admit(peer(1, first), speaking: .current, as: a),
        table.admit(peer(1, first), speaking: .current, as: b),
        table.admit(peer(2, second), speaking: .current, as: a),
        // It connects again: the old connection is free, and speaks for nobody.
        table.admit(peer(3, first), speaking: .current, as: a),
    ]
    #expect(table[a]?.peer.route == PeerRoute(bytes: [3]))
    faults.append(table.admit(peer(1, second), speaking: .current, as: b))
    #expect(table.workers(with: [first]) == [a])
    table.forget(a)
    faults.append(table.admit(peer(3, second), speaking: .current, as: c))
    #expect(table[a] == nil)
    #expect(
        faults == [
            nil, "a connection that names several workers", "another key's worker", nil, nil, nil,
        ])
    for number in 10...30 as ClosedRange<UInt8> {
        let fault = table.admit(peer(number), speaking: .current, as: WorkerID("x\(number)"))
        #expect(fault == nil)
    }
    table.removeStrangers(upTo: 30) { $0 == b }
    #expect(table[WorkerID("x10")] != nil)
    table.removeStrangers(upTo: 10) { $0 == b }
    #expect(table[WorkerID("x10")] == nil && table[b] != nil)
}

@Test("a key stands for a bounded number of workers, and a worker that left makes room")
func workersOfAKey() throws {
    let (key, other) = (try KeyPair.generate().publicKey, try KeyPair.generate().publicKey)
    var table = PeerTable()
    func admit(_ number: Int, _ key: PublicKey) -> String? {
        let route = PeerRoute(bytes: [
            UInt8(number >> 8), UInt8(number & 255), key == other ? 1 : 0,
        ])
        return table.admit(
            Peer(route: route, key: key), speaking: .current, as: WorkerID("w\(number)"))
    }
    let faults = (0..<PeerTable.workersPerKey).compactMap { admit($0, key) }
    #expect(faults.isEmpty)
    let beyond = PeerTable.workersPerKey
    #expect(admit(beyond, key) == "a key of too many workers")
    #expect(admit(beyond + 1, other) == nil, "another key's")
    #expect(admit(5, key) == nil, "known already")
    table.forget(WorkerID("w7"))
    #expect(admit(beyond, key) == nil)
    #expect(admit(beyond + 2, key) == "a key of too many workers")
}

@Test("a key may send many messages at once, and then only so many a second")
func messagesOfAKey() throws {
    let (key, other) = (try KeyPair.generate().publicKey, try KeyPair.generate().publicKey)
    var limits = KeyLimits()
    func admitted(_ key: PublicKey, of count: Int, at now: Int64) -> Int {
        (0..<count).count { _ in limits.admit(key, at: now) }
    }
    #expect(admitted(key, of: 2 * KeyLimits.burst, at: 0) == KeyLimits.burst)
    #expect(admitted(other, of: 10, at: 0) == 10)
    #expect(admitted(key, of: KeyLimits.burst, at: 1_000) == KeyLimits.rate)
    // A flood that asks all the time gets no more than one that asks once.
    let trickled = (1_001...2_000 as ClosedRange<Int64>).reduce(0) {
        $0 + admitted(key, of: 100, at: $1)
    }
    #expect(trickled == KeyLimits.rate)
    // A packet of many messages costs as much as they.
    let idle: Int64 = 10_000_000
    #expect(admitted(key, of: 1, at: idle) == 1)
    limits.charge(key, KeyLimits.burst + KeyLimits.rate)
    #expect(admitted(key, of: 1, at: idle + 1_000) == 0)
    #expect(admitted(key, of: 1, at: idle + 2_000) == 1)
}

@Test("keys that are added or revoked in the certificate's file count from the next look on")
func keysAreWatched() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/server.cert"
    let (worker, client) = (try KeyPair.generate().publicKey, try KeyPair.generate().publicKey)
    var certificate = ServerCertificate(keys: try .generate(), clientKeys: [worker])
    try certificate.write(to: path)
    let authenticator = try Authenticator(context: try Context())
    var watch = KeyWatch(certificate, path: path, authenticator: authenticator)
    #expect(authenticator.isAllowed(worker, in: .worker))
    guard case .none = watch.look() else {
        Issue.record("nothing has changed")
        return
    }

    certificate.clients.append(AuthorizedKey(name: "boss", role: .client, key: client))
    try certificate.write(to: path, replacing: true)
    _ = watch.look()
    #expect(authenticator.isAllowed(client, in: .control))
    #expect(!authenticator.isAllowed(client, in: .worker), "a client takes no trials")
    #expect(!authenticator.isAllowed(worker, in: .control), "a worker commands nothing")

    certificate.clients[0].isRevoked = true
    try certificate.write(to: path, replacing: true)
    guard case .revoked(let revoked) = watch.look() else {
        Issue.record("one is revoked")
        return
    }
    #expect(revoked == [worker] && !authenticator.isAllowed(worker, in: .worker))
    #expect(authenticator.isAllowed(client, in: .control))

    let other = ServerCertificate(keys: try .generate(), clientKeys: [worker])
    try other.write(to: path, replacing: true)
    guard case .unreadable = watch.look() else {
        Issue.record("another server's")
        return
    }
    guard case .none = watch.look() else {
        Issue.record("told once")
        return
    }
    #expect(!authenticator.isAllowed(worker, in: .worker))
}
