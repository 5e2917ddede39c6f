import SweepModel
import Transport
import Wire

/// Which connection each worker speaks through. A connection speaks for one worker, so that a peer that
/// makes up names fills no memory; a worker's name belongs to the key that used it first.
struct PeerTable {
    /// A connection, and what is spoken there.
    struct Connection {
        let peer: Peer
        let version: WireVersion
    }

    private var connections: [WorkerID: Connection] = [:]
    private var workers: [PeerRoute: WorkerID] = [:]
    private var workerCounts: [PublicKey: Int] = [:]

    /// Workers that a key may stand for at once.
    static let workersPerKey = 16_384

    subscript(worker: WorkerID) -> Connection? { connections[worker] }

    /// - Returns: why the peer is not taken for the worker; nil if it is.
    mutating func admit(
        _ peer: Peer, speaking version: WireVersion, as worker: WorkerID
    ) -> String? {
        let before = connections[worker]?.peer
        if let before, before.key != peer.key { return "another key's worker" }
        if let other = workers[peer.route], other != worker {
            return "a connection that names several workers"
        }
        if before == nil, let key = peer.key {
            let count = workerCounts[key] ?? 0
            guard count < Self.workersPerKey else { return "a key of too many workers" }
            workerCounts[key] = count + 1
        }
        if let before, before.route != peer.route { workers[before.route] = nil }
        connections[worker] = Connection(peer: peer, version: version)
        workers[peer.route] = worker
        return nil
    }

    mutating func forget(_ worker: WorkerID) {
        guard let connection = connections.removeValue(forKey: worker) else { return }
        workers[connection.peer.route] = nil
        guard let key = connection.peer.key, let count = workerCounts[key] else { return }
        workerCounts[key] = count > 1 ? count - 1 : nil
    }

    /// In the order of their names.
    func workers(with keys: [PublicKey]) -> [WorkerID] {
        connections.filter { $0.value.peer.key.map(keys.contains) ?? false }.keys
            .sorted { $0.rawValue < $1.rawValue }
    }

    /// Forgets peers that are no workers when there are more than so many.
    mutating func removeStrangers(upTo limit: Int, isWorker: (WorkerID) -> Bool) {
        guard connections.count > limit else { return }
        let strangers = connections.keys.filter { !isWorker($0) }
        guard strangers.count > limit else { return }
        for worker in strangers { forget(worker) }
    }
}
