import Datasets
import Foundation

/// What a fetch does, for showing it.
public enum FetchStep: Hashable, Sendable {
    /// The file is there already, with the right sums.
    case found(path: String)
    /// A file of this name is there, but it is another one; it is left alone.
    case ignored(path: String, reason: String)
    /// `arrived` bytes of the file are here.
    case downloading(PublishedFile, url: String, arrived: Int)
    case checking(PublishedFile)
    case unpacking(PublishedFile)
}

/// Gets a dataset from its publisher, or from a mirror, into a data folder.
///
/// Files arrive in `downloads/` of the data folder, as `.part` while they are not complete, so that
/// a stopped fetch goes on. Nothing is used before its length and sums are right, and the dataset's
/// folder appears in one step.
public struct DatasetFetch {
    public let published: PublishedDataset
    /// The data folder; made if it is missing.
    public let root: String
    /// Where to download from, in place of the publisher; with or without a slash at its end.
    public let mirror: String?

    var retryDelaySeconds = 1.0

    public init(_ published: PublishedDataset, root: String, mirror: String? = nil) {
        self.published = published
        self.root = root
        self.mirror = mirror
    }

    private var downloads: String { root + "/downloads" }
    private var target: String { "\(root)/\(published.folder)" }
    private var partial: String { "\(root)/.\(published.folder).partial" }

    /// - Parameters:
    ///   - report: told of every step, of a download a few times a second.
    ///   - shouldStop: asked at least once a second.
    /// - Returns: the dataset's folder.
    public func run(
        report: @escaping (FetchStep) -> Void = { _ in },
        shouldStop: @escaping () -> Bool = { false }
    ) throws(FetchError) -> String {
        try makeFolder(downloads)
        let lock = open(downloads + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw .storage(path: downloads + "/.lock", code: errno) }
        defer { close(lock) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw .busy(folder: root) }

        var paths: [String] = []
        for file in published.files {
            paths.append(try path(of: file, report, shouldStop))
        }
        try install(paths, report)
        // The lock goes with the folder, unless another dataset's downloads are in it.
        for path in paths where path.hasPrefix(downloads) { unlink(path) }
        let others = (try? FileManager.default.contentsOfDirectory(atPath: downloads)) ?? []
        if others == [".lock"] { try? FileManager.default.removeItem(atPath: downloads) }
        return target
    }

    /// A file with the right sums: one that is there, or else a downloaded one.
    private func path(
        of file: PublishedFile, _ report: @escaping (FetchStep) -> Void,
        _ shouldStop: @escaping () -> Bool
    ) throws(FetchError) -> String {
        let finished = "\(downloads)/\(file.name)"
        for path in [finished, "\(root)/\(file.name)", "\(target)/\(file.name)"]
        where access(path, F_OK) == 0 {
            do {
                try file.check(path)
                report(.found(path: path))
                return path
            } catch {
                report(.ignored(path: path, reason: error.description))
            }
        }
        try download(file, to: finished, report, shouldStop)
        return finished
    }

    private func download(
        _ file: PublishedFile, to path: String, _ report: @escaping (FetchStep) -> Void,
        _ shouldStop: @escaping () -> Bool
    ) throws(FetchError) {
        let part = path + ".part"
        let base = mirror ?? published.address
        let url = base + (base.hasSuffix("/") ? "" : "/") + file.name
        var hasBeginning = byteCount(of: part) > 0
        while true {
            try checkSpace(file.byteCount - byteCount(of: part) + unpackedByteCount)
            var download = Download(url: url, path: part, byteCount: file.byteCount)
            download.retryDelaySeconds = retryDelaySeconds
            try download.run(
                progress: { report(.downloading(file, url: url, arrived: $0)) },
                shouldStop: shouldStop)
            report(.checking(file))
            do {
                try file.check(part)
                break
            } catch {
                unlink(part)
                // What an earlier fetch left may be of another file: once more, from its beginning.
                guard hasBeginning else { throw .wrongFile(url: url, error) }
                hasBeginning = false
            }
        }
        guard rename(part, path) == 0 else { throw .storage(path: path, code: errno) }
    }

    private var unpackedByteCount: Int {
        published.archive == nil ? 0 : published.unpackedByteCount
    }

    private func byteCount(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    private func checkSpace(_ needed: Int) throws(FetchError) {
        var status = statvfs()
        guard statvfs(root, &status) == 0 else { throw .storage(path: root, code: errno) }
        let available = Int(status.f_bavail) * Int(status.f_frsize)
        guard available >= needed else {
            throw .noSpace(folder: root, needed: needed, available: available)
        }
    }

    /// Puts the dataset's files into their folder.
    private func install(
        _ paths: [String], _ report: (FetchStep) -> Void
    ) throws(FetchError) {
        try? FileManager.default.removeItem(atPath: partial)
        try makeFolder(partial)
        defer { try? FileManager.default.removeItem(atPath: partial) }
        if let archive = published.archive {
            report(.unpacking(archive))
            do {
                try DatasetSource.unpack(published.name, archive: paths[0], into: partial)
            } catch .unwritable(let path, let code) {
                throw .storage(path: path, code: code)
            } catch {
                throw .unusable(error)
            }
        } else {
            for path in paths { try place(path, in: partial) }
        }
        try replaceTarget()
    }

    /// Moves a download, and copies what the user put there.
    private func place(_ path: String, in folder: String) throws(FetchError) {
        let target = folder + path[path.lastIndex(of: "/")!...]
        if path.hasPrefix(downloads) {
            guard rename(path, target) == 0 else { throw .storage(path: target, code: errno) }
        } else {
            do {
                try FileManager.default.copyItem(atPath: path, toPath: target)
            } catch {
                throw .storage(path: target, code: (error as NSError).storageCode)
            }
        }
    }

    /// A folder that is there keeps what else is in it: then the files are replaced one by one.
    private func replaceTarget() throws(FetchError) {
        if rename(partial, target) == 0 { return }
        guard errno == ENOTEMPTY || errno == EEXIST else {
            throw .storage(path: target, code: errno)
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: partial)) ?? []
        for name in names.sorted() {
            guard rename("\(partial)/\(name)", "\(target)/\(name)") == 0 else {
                throw .storage(path: "\(target)/\(name)", code: errno)
            }
        }
    }

    /// Makes a folder and those above it, unless they are there.
    private func makeFolder(_ path: String) throws(FetchError) {
        if mkdir(path, 0o777) == 0 { return }
        if errno == ENOENT, let end = path.lastIndex(of: "/"), end != path.startIndex {
            try makeFolder(String(path[..<end]))
            if mkdir(path, 0o777) == 0 { return }
        }
        var status = stat()
        guard stat(path, &status) == 0 else { throw .storage(path: path, code: errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw .storage(path: path, code: ENOTDIR)
        }
    }
}

extension NSError {
    /// The operating system's code of one of Foundation's errors about files.
    fileprivate var storageCode: Int32 {
        let underlying = userInfo[NSUnderlyingErrorKey] as? NSError
        return underlying?.domain == NSPOSIXErrorDomain ? Int32(underlying!.code) : EIO
    }
}
