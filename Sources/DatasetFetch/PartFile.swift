import Glibc

/// A file that grows while it is downloaded.
final class PartFile {
    let path: String
    private(set) var byteCount: Int

    private let descriptor: Int32

    /// Opens the file where it was left, or makes it.
    init(_ path: String) throws(FetchError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .storage(path: path, code: errno) }
        byteCount = Int(lseek(descriptor, 0, SEEK_END))
    }

    deinit { close(descriptor) }

    /// Throws away what has arrived.
    func clear() throws(FetchError) {
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
            throw .storage(path: path, code: errno)
        }
        byteCount = 0
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(FetchError) {
        var offset = 0
        while offset < bytes.count {
            let count = write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .storage(path: path, code: errno) }
            offset += count
            byteCount += count
        }
    }

    /// Waits until the file is on the disk.
    func synchronize() throws(FetchError) {
        guard fsync(descriptor) == 0 else { throw .storage(path: path, code: errno) }
    }
}
