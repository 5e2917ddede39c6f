import Transport
import Wire

/// The files that were asked for lately, open, so that each is hashed once and stays what it was
/// while it is sent.
final class BlobShelf {
    static let capacity = 32
    private static let idleMs: Int64 = 60_000

    private final class Entry {
        let path: String
        let file: OutgoingFile
        var lastUsed: Int64

        init(_ path: String, _ file: OutgoingFile) {
            self.path = path
            self.file = file
            lastUsed = monotonicMilliseconds()
        }
    }

    private var entries: [Entry] = []

    /// The file that has this name now.
    func file(at path: String) throws(BlobError) -> OutgoingFile {
        let now = monotonicMilliseconds()
        if let known = entries.first(where: { $0.path == path && $0.file.isCurrent(at: path) }) {
            known.lastUsed = now
            return known.file
        }
        let file = try OutgoingFile(path)
        if entries.count >= Self.capacity,
            let oldest = entries.indices.min(by: { first, second in
                entries[first].lastUsed < entries[second].lastUsed
            })
        {
            entries.remove(at: oldest)
        }
        entries.append(Entry(path, file))
        return file
    }

    /// nil if no such file was asked for lately.
    func chunk(of digest: BlobDigest, at offset: Int) -> [UInt8]? {
        guard let entry = entries.first(where: { $0.file.digest == digest }) else { return nil }
        entry.lastUsed = monotonicMilliseconds()
        return entry.file.chunk(at: offset)
    }

    func closeIdle(at now: Int64) {
        entries.removeAll { now - $0.lastUsed > Self.idleMs }
    }
}
