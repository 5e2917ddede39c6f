import Digests
import Glibc

/// What tells a file from the one that was there before: path, length, time of the last change.
struct FileIdentity: Hashable {
    let path: String
    let byteCount: Int
    let changeSeconds: Int
    let changeNanoseconds: Int

    init(_ path: String) throws(DatasetError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw .unreadable(path: path, code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .unreadable(
                path: path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
        }
        self.path = path
        byteCount = Int(status.st_size)
        changeSeconds = status.st_mtim.tv_sec
        changeNanoseconds = status.st_mtim.tv_nsec
    }

    var text: String {
        "\(absolutePath(path))\n\(byteCount) \(changeSeconds) \(changeNanoseconds)\n"
    }
}

/// The path without links, and independent of the working folder; the path itself where it leads
/// nowhere.
func absolutePath(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
}
