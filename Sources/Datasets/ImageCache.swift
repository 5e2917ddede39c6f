import Digests
import Glibc
import SweepModel

/// Keeps a dataset's images ready for use in a file that every process of this machine maps: they
/// are in its memory once, and a start neither inflates nor resizes. Where the folder cannot be
/// written the images are in the process's own memory.
struct ImageCache {
    /// nil keeps nothing.
    let folder: String?

    /// Another process may be preparing the same images; it is waited for so long.
    private static let longestWaitMs = 60_000
    private static let pauseMs = 20

    /// The images of all files.
    ///
    /// - Parameter read: reads them from their source.
    func dataset(
        of source: DatasetSource, read: () throws(DatasetError) -> Dataset
    ) throws(DatasetError) -> Dataset {
        guard let folder else { return try read() }
        let prepared = try PreparedImages(source)
        let path = path(of: source, in: folder)
        if let dataset = prepared.map(path) { return dataset }
        guard makeFolder(folder), let lock = lock(path + ".lock") else { return try read() }
        defer { close(lock) }
        // Whoever had the lock before may have prepared them.
        if let dataset = prepared.map(path) { return dataset }
        let dataset = try read()
        guard prepared.write(dataset, to: path) else { return dataset }
        return prepared.map(path) ?? dataset
    }

    /// One file for each place that a dataset is read from; it is replaced when that place changes.
    func path(of source: DatasetSource, in folder: String) -> String {
        let paths = source.paths.map(absolutePath).joined(separator: "\n")
        let digest = Digest.sha256(of: Array(paths.utf8))
        return "\(folder)/\(source.name.rawValue)-\(digest.hexadecimal.prefix(16)).images"
    }

    private func makeFolder(_ path: String) -> Bool {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)[...]
        var made = String(parts.removeFirst())
        while let part = parts.popFirst() {
            made += "/" + part
            mkdir(made, 0o700)
        }
        return access(path, W_OK) == 0
    }

    /// - Returns: the descriptor whose closing unlocks; nil after too long a wait, or where the
    ///   folder cannot be written.
    private func lock(_ path: String) -> Int32? {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return nil }
        for _ in 0..<Self.longestWaitMs / Self.pauseMs {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
            guard errno == EWOULDBLOCK || errno == EINTR else { break }
            usleep(UInt32(Self.pauseMs) * 1_000)
        }
        close(descriptor)
        return nil
    }
}
