import Digests
import Foundation
import Glibc
import SweepModel
import Wire

/// A file that grows under a name with its digest, and gets its own name when it is whole, right and
/// on the disk.
final class IncomingFile {
    /// Stays free for what must not fail, such as the journal.
    static let spareByteCount = 16 << 20

    let part: String
    private(set) var byteCount: Int
    private let descriptor: Int32

    /// Opens the part where an earlier reception left it.
    ///
    /// - Parameters:
    ///   - folder: exists; made for parts.
    ///   - item: of a trial that is known here, since its name becomes a part of the file's.
    ///   - byteCount: of the whole blob.
    init(
        in folder: String, _ item: BlobItem, _ digest: BlobDigest, byteCount whole: Int
    ) throws(BlobError) {
        part = folder + "/" + Self.name(item, digest)
        Self.removeParts(of: item, but: digest, in: folder)
        descriptor = open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .storage(path: part, code: errno) }
        byteCount = Int(lseek(descriptor, 0, SEEK_END))
        if byteCount > whole {
            guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
                throw .storage(path: part, code: errno)
            }
            byteCount = 0
        }
        try Self.requireSpace(in: folder, whole - byteCount)
    }

    deinit { close(descriptor) }

    private static func name(_ item: BlobItem, _ digest: BlobDigest) -> String {
        "\(item.label).\(digest).part"
    }

    /// Of an item only the newest is on its way: what a broken reception left of another is waste.
    private static func removeParts(of item: BlobItem, but digest: BlobDigest, in folder: String) {
        let name = name(item, digest)
        for other in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where other != name && other.utf8.count == name.utf8.count
            && other.hasPrefix(item.label + ".")
        {
            unlink("\(folder)/\(other)")
        }
    }

    private static func requireSpace(in folder: String, _ needed: Int) throws(BlobError) {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { throw .storage(path: folder, code: errno) }
        let available = Int(status.f_bavail) * Int(status.f_frsize)
        guard available >= needed + spareByteCount else {
            throw .noSpace(folder: folder, needed: needed + spareByteCount, available: available)
        }
    }

    func append(_ bytes: [UInt8]) throws(BlobError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress! + offset, bytes.count - offset)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .storage(path: part, code: errno) }
            offset += count
            byteCount += count
        }
    }

    func discard() { unlink(part) }

    /// On the disk, checked, renamed, and the name on the disk, in this order. A part with wrong
    /// bytes is thrown away.
    func finish(_ digest: BlobDigest, as path: String) throws(BlobError) {
        guard fsync(descriptor) == 0 else { throw .storage(path: part, code: errno) }
        let found: String
        do throws(DigestError) {
            found = try Digest(ofFile: part).hexadecimal
        } catch {
            guard case .unreadable(let path, let code) = error else {
                preconditionFailure("every libcrypto has SHA-256")
            }
            throw .storage(path: path, code: code)
        }
        guard found == digest.hexadecimal else {
            discard()
            throw .wrongDigest(path: path, expected: digest, found: found)
        }
        guard rename(part, path) == 0 else { throw .storage(path: path, code: errno) }
        let folder = open(Self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .storage(path: path, code: errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw .storage(path: path, code: errno) }
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}

extension BlobItem {
    /// As a part's name begins, and as logs name it.
    var label: String {
        switch self {
        case .checkpoint(let trial): "checkpoint-\(trial)"
        case .model(let trial): "model-\(trial)"
        case .dataset(let name, let file): "\(name.rawValue)-\(file)"
        }
    }
}
