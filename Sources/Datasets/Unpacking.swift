import Glibc
import SweepModel

extension DatasetSource {
    /// Writes a dataset's files from its archive into a folder that exists and is empty. They are on
    /// the disk when this returns.
    ///
    /// Only the files that the dataset consists of are written, under their own names: no path of
    /// the archive is used as one. An archive with a suspicious member is refused altogether.
    public static func unpack(
        _ name: DatasetName, archive path: String, into folder: String
    ) throws(DatasetError) {
        try unpack(name, archive: path, into: folder, limits: DatasetArchive.Limits())
    }

    static func unpack(
        _ name: DatasetName, archive path: String, into folder: String,
        limits: DatasetArchive.Limits
    ) throws(DatasetError) {
        var missing = CIFAR.parts(of: name)
        var archive = try DatasetArchive(path: path, limits: limits)
        while let member = try archive.next() {
            let file = lastComponent(of: member)
            guard CIFAR.parts(of: name).contains(file) else { continue }
            guard let place = missing.firstIndex(of: file) else {
                throw .refusedMember(path: path, member: member, reason: "is there twice")
            }
            missing.remove(at: place)
            try write(&archive, to: "\(folder)/\(file)")
        }
        if let missing = missing.first {
            throw .incomplete(name, folder: path, missing: missing)
        }
        try synchronize(folder: folder)
    }

    private static func write(
        _ source: inout DatasetArchive, to path: String
    ) throws(DatasetError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .unwritable(path: path, code: errno) }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            var bytes = buffer.mutableSpan
            let count = try source.read(into: &bytes)
            guard count > 0 else { break }
            let isWritten = buffer.withUnsafeBytes {
                writeAll(UnsafeRawBufferPointer(rebasing: $0[..<count]), to: descriptor)
            }
            guard isWritten else { throw .unwritable(path: path, code: errno) }
        }
        guard fsync(descriptor) == 0 else { throw .unwritable(path: path, code: errno) }
    }

    private static func synchronize(folder: String) throws(DatasetError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unwritable(path: folder, code: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .unwritable(path: folder, code: errno) }
    }
}

/// - Returns: whether all was written; if not, errno says why.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var offset = 0
    while offset < bytes.count {
        let count = write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        offset += count
    }
    return true
}
