import SweepModel
import Transport

/// Which connection each worker speaks through. A connection speaks for one worker, so that a peer that
/// makes up names fills no memory; a worker's name belongs to the key that used it first.
struct PeerTable {
    private var peers: [WorkerID: Peer] = [:]
    private var workers: [PeerRoute: WorkerID] = [:]

    subscript(worker: WorkerID) -> Peer? { peers[worker] }

    /// - Returns: why the peer is not taken for the worker; nil if it is.
    mutating func admit(_ peer: Peer, as worker: WorkerID) -> String? {
        if let known = peers[worker], known.key != peer.key { return "another key's worker" }
        if let other = workers[peer.route], other != worker {
            return "a connection that names several workers"
        }
        if let before = peers[worker], before.route != peer.route { workers[before.route] = nil }
        peers[worker] = peer
        workers[peer.route] = worker
        return nil
    }

    mutating func forget(_ worker: WorkerID) {
        guard let peer = peers.removeValue(forKey: worker) else { return }
        workers[peer.route] = nil
    }

    /// In the order of their names.
    func workers(with keys: [PublicKey]) -> [WorkerID] {
        peers.filter { peer in peer.value.key.map(keys.contains) ?? false }.keys
            .sorted { $0.rawValue < $1.rawValue }
    }

    /// Forgets peers that are no workers when there are more than so many.
    mutating func removeStrangers(upTo limit: Int, isWorker: (WorkerID) -> Bool) {
        guard peers.count > limit else { return }
        let strangers = peers.keys.filter { !isWorker($0) }
        guard strangers.count > limit else { return }
        for worker in strangers { forget(worker) }
    }
}
