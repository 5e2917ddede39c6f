import Foundation
import SweepModel
import Testing
import Transport

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
        table.admit(peer(1, first), as: a), table.admit(peer(1, first), as: b),
        table.admit(peer(2, second), as: a),
        // It connects again: the old connection is free, and speaks for nobody.
        table.admit(peer(3, first), as: a),
    ]
    #expect(table[a]?.route == PeerRoute(bytes: [3]))
    faults.append(table.admit(peer(1, second), as: b))
    #expect(table.workers(with: [first]) == [a])
    table.forget(a)
    faults.append(table.admit(peer(3, second), as: c))
    #expect(table[a] == nil)
    #expect(
        faults == [
            nil, "a connection that names several workers", "another key's worker", nil, nil, nil,
        ])
    for number in 10...30 as ClosedRange<UInt8> {
        let fault = table.admit(peer(number), as: WorkerID("x\(number)"))
        #expect(fault == nil)
    }
    table.removeStrangers(upTo: 30) { $0 == b }
    #expect(table[WorkerID("x10")] != nil)
    table.removeStrangers(upTo: 10) { $0 == b }
    #expect(table[WorkerID("x10")] == nil && table[b] != nil)
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
