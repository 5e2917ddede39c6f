import CArchive

/// A tar archive, plain or gzip, read from front to back. A member that could lead outside the
/// folder it is unpacked in, or fill the disk, makes the whole archive refused.
///
/// libarchive does not check gzip's own checksum: who needs that checks the file's digest before.
struct DatasetArchive: ~Copyable {
    struct Limits {
        /// Files and folders; the archives of CIFAR have nine.
        var memberCount = 100
        /// Of all files together; CIFAR's take 185 MB.
        var byteCount = 256 << 20
    }

    let archivePath: String

    private let archive: OpaquePointer
    private let limits: Limits
    private var member = ""
    private var memberCount = 0
    /// Of the members that were opened.
    private var announcedByteCount = 0

    private static let blockByteCount = 1 << 16

    init(path: String, limits: Limits = Limits()) throws(DatasetError) {
        guard let archive = archive_read_new() else { preconditionFailure("out of memory") }
        self.archive = archive
        self.limits = limits
        archivePath = path
        archive_read_support_filter_gzip(archive)
        archive_read_support_format_tar(archive)
        let status = archive_read_open_filename(archive, path, Self.blockByteCount)
        guard status == ARCHIVE_OK else { throw damaged() }
    }

    deinit { archive_read_free(archive) }

    /// Goes to the next file.
    ///
    /// - Returns: its path in the archive; nil at the end.
    mutating func next() throws(DatasetError) -> String? {
        while true {
            var entry: OpaquePointer?
            let status = archive_read_next_header(archive, &entry)
            if status == ARCHIVE_EOF { return nil }
            guard status >= ARCHIVE_WARN, let entry else { throw damaged() }
            memberCount += 1
            member = archive_entry_pathname(entry).map { String(cString: $0) } ?? ""
            if let reason = refusal(of: entry) {
                throw .refusedMember(path: archivePath, member: member, reason: reason)
            }
            if Int(archive_entry_filetype(entry)) == ALSWEEP_MEMBER_FILE {
                return member
            }
        }
    }

    /// Why a member cannot be part of a dataset, or nil.
    private mutating func refusal(of entry: OpaquePointer) -> String? {
        guard memberCount <= limits.memberCount else {
            return "is one too many; \(limits.memberCount) is the most that is unpacked"
        }
        if let reason = Self.refusal(ofPath: member) { return reason }
        if archive_entry_hardlink(entry) != nil { return "is a hard link" }
        switch Int(archive_entry_filetype(entry)) {
        case ALSWEEP_MEMBER_FILE: break
        case ALSWEEP_MEMBER_FOLDER: return nil
        default: return "is neither a file nor a folder"
        }
        let byteCount = Int(archive_entry_size(entry))
        let (sum, overflow) = announcedByteCount.addingReportingOverflow(max(0, byteCount))
        announcedByteCount = sum
        guard !overflow, sum <= limits.byteCount else {
            return "is too large: with it the archive has more than \(limits.byteCount) bytes"
        }
        return nil
    }

    /// Why a path may lead out of the folder it is unpacked in, or nil.
    static func refusal(ofPath path: String) -> String? {
        if path.isEmpty { return "has no name" }
        if path.hasPrefix("/") { return "has an absolute path" }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.contains("..") ? "leads out of its folder" : nil
    }

    private func damaged() -> DatasetError {
        let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unknown"
        return .damagedArchive(path: archivePath, reason: reason)
    }
}

/// The file that `next()` went to.
extension DatasetArchive: ByteSource {
    var path: String { "\(archivePath): \(member)" }

    mutating func read(into bytes: inout MutableSpan<UInt8>) throws(DatasetError) -> Int {
        let archive = self.archive
        var count = 0
        while count < bytes.count {
            let added = bytes.withUnsafeMutableBufferPointer { buffer in
                archive_read_data(archive, buffer.baseAddress! + count, buffer.count - count)
            }
            guard added >= 0 else { throw damaged() }
            guard added > 0 else { break }
            count += added
        }
        return count
    }
}
