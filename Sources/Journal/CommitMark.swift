import CZlib
import Glibc

/// A file beside the journal that says how many records it has had on disk. SQLite takes a damaged
/// page of its log for the end of it, and what was committed after that page would be missed by nobody.
///
/// It is written after a commit has returned and never flushed, so it costs no wait: it may say too
/// little after a loss of power, for as long as the kernel keeps it in memory, and never too much.
final class CommitMark: Sendable {
    /// Two places, in different sectors: a write that tears one leaves the other.
    private static let slotStride = 4_096
    private static let slotByteCount = 16

    private let descriptor: Int32

    static func path(of journal: String) -> String { journal + ".mark" }

    /// Opens the mark of a journal that is appended to; nil where that cannot be, since a journal
    /// without one is as good as SQLite makes it.
    init?(journal: String) {
        descriptor = open(Self.path(of: journal), O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    /// - Parameter count: records that are on disk.
    func set(_ count: Int64) {
        let bytes = Self.bytes(count)
        _ = bytes.withUnsafeBytes {
            pwrite(descriptor, $0.baseAddress, $0.count, Int(count & 1) * Self.slotStride)
        }
    }

    /// How many records the journal has had at least; 0 where there is no mark.
    static func count(of journal: String) -> Int64 {
        let descriptor = open(path(of: journal), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        return [0, 1].map { slot in
            var bytes = [UInt8](repeating: 0, count: slotByteCount)
            let read = pread(descriptor, &bytes, slotByteCount, slot * slotStride)
            let count = bytes.withUnsafeBytes { $0.load(as: Int64.self) }
            return read == slotByteCount && bytes == Self.bytes(count) ? count : 0
        }.max()!
    }

    /// The count and its checksum.
    private static func bytes(_ count: Int64) -> [UInt8] {
        let number = withUnsafeBytes(of: count.littleEndian) { Array($0) }
        let checksum = UInt64(crc32(0, number, UInt32(number.count)))
        return number + withUnsafeBytes(of: checksum.littleEndian) { Array($0) }
    }
}
