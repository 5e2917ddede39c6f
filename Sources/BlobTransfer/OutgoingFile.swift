import Digests
import Glibc
import Wire

/// A file as it was when it was opened: its sender goes on with it when another takes its name.
final class OutgoingFile {
    let digest: BlobDigest
    let byteCount: Int
    private let descriptor: Int32
    private let identity: stat

    init(_ path: String) throws(BlobError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .storage(path: path, code: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .storage(path: path, code: EINVAL)
        }
        identity = status
        byteCount = Int(status.st_size)
        do {
            digest = BlobDigest(try Digest(ofFile: Self.path(of: descriptor)).hexadecimal)!
        } catch {
            close(descriptor)
            throw .storage(path: path, code: EIO)
        }
    }

    deinit { close(descriptor) }

    /// Where the file itself can be read again, whatever has its name now.
    var path: String { Self.path(of: descriptor) }

    private static func path(of descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }

    /// Whether `path` still names this file, unchanged.
    func isCurrent(at path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return false }
        return status.st_ino == identity.st_ino && status.st_dev == identity.st_dev
            && status.st_size == identity.st_size
            && status.st_mtim.tv_sec == identity.st_mtim.tv_sec
            && status.st_mtim.tv_nsec == identity.st_mtim.tv_nsec
    }

    /// The chunk that begins at `offset`; nil beyond the end, or if it cannot be read.
    func chunk(at offset: Int) -> [UInt8]? {
        guard offset >= 0, offset < byteCount else { return nil }
        let length = min(BlobContent.chunkByteCount, byteCount - offset)
        var bytes = [UInt8](repeating: 0, count: length)
        var filled = 0
        while filled < length {
            let count = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + filled, length - filled, off_t(offset + filled))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            filled += count
        }
        return bytes
    }
}
