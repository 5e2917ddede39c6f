import Foundation
import GRDB
import SweepModel

/// A run's records in an SQLite file, appended and never changed.
public final class Journal: Sendable {
    /// The format this version writes. 2: a checksum per record, and picks in a table of their own.
    /// 3: what the user commanded. 4: priorities and drained workers.
    public static let format = 4
    /// "ALSW": tells a journal from other SQLite files.
    static let applicationID: Int32 = 0x414C_5357
    private static let lockPatienceSeconds = 5.0

    public let path: String
    let database: DatabaseQueue
    /// Holds a copy that is read instead of the journal; it goes with the reader.
    private let copyFolder: String?
    /// nil of a journal that is only read.
    private let mark: CommitMark?

    private init(
        path: String, database: DatabaseQueue, copyFolder: String? = nil, mark: CommitMark? = nil
    ) {
        self.path = path
        self.database = database
        self.copyFolder = copyFolder
        self.mark = mark
    }

    deinit {
        guard let copyFolder else { return }
        try? database.close()
        try? FileManager.default.removeItem(atPath: copyFolder)
    }

    /// Makes a new journal, or opens one to append to; one of an older format is brought to this
    /// one. The caller holds the run's lock.
    public static func write(at path: String) throws(JournalError) -> Journal {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        if let size = attributes?[.size] as? Int, size > 0 {
            // Before anything is written: a file of something else stays as it is.
            try openToRead(path).checkFormat(isEmptyAllowed: true)
        }
        var configuration = Configuration()
        configuration.busyMode = .timeout(lockPatienceSeconds)
        configuration.prepareDatabase { database in
            // Every commit is on disk before it returns.
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            try database.execute(sql: "PRAGMA synchronous = FULL")
        }
        let journal = try open(path, configuration, mark: CommitMark(journal: path))
        try journal.perform { database in
            let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master")!
            if tables == 0 { try create(in: database) } else { try migrate(database) }
        }
        return journal
    }

    /// Opens an existing journal to read; a coordinator may be appending to it meanwhile. One that
    /// lies where nothing can be written is copied and read from there, because readers of a
    /// journal that may be written share a file with its writer.
    public static func read(at path: String) throws(JournalError) -> Journal {
        guard FileManager.default.fileExists(atPath: path) else { throw .missing(path: path) }
        var journal: Journal
        do throws(JournalError) {
            journal = try openToRead(path)
        } catch {
            guard case .unwritable = error else { throw error }
            journal = try openCopy(of: path)
        }
        try journal.checkFormat(isEmptyAllowed: false)
        return journal
    }

    private static func openToRead(_ path: String) throws(JournalError) -> Journal {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(lockPatienceSeconds)
        return try open(path, configuration)
    }

    /// Reads a copy of the file and its log in a folder of the system's for temporary files.
    static func openCopy(of path: String) throws(JournalError) -> Journal {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appendingPathComponent("alsweep-\(UUID().uuidString)")
        let copy = folder.appendingPathComponent("journal.sqlite").path
        do {
            try files.createDirectory(
                at: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            for suffix in ["", "-wal"] where files.fileExists(atPath: path + suffix) {
                try files.copyItem(atPath: path + suffix, toPath: copy + suffix)
                try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: copy + suffix)
            }
            var configuration = Configuration()
            configuration.busyMode = .timeout(lockPatienceSeconds)
            return Journal(
                path: path, database: try DatabaseQueue(path: copy, configuration: configuration),
                copyFolder: folder.path)
        } catch {
            try? files.removeItem(at: folder)
            throw journalError(error, path: path)
        }
    }

    /// Appends in one transaction: all are on disk when it returns, or none.
    public func append(_ records: [SweepModel.Record], at time: Date) throws(JournalError) {
        let count = try perform { database in
            let last = try Int64.fetchOne(
                database, sql: "SELECT coalesce(max(sequence), 0) FROM record")!
            let writer = try RecordWriter(database)
            for (index, record) in records.enumerated() {
                let stored = StoredRecord(
                    record, sequence: last + 1 + Int64(index), time: time.timeIntervalSince1970)
                try stored.insert(with: writer)
            }
            return last + Int64(records.count)
        }
        mark?.set(count)
    }

    private static func open(
        _ path: String, _ configuration: Configuration, mark: CommitMark? = nil
    ) throws(JournalError) -> Journal {
        do {
            return Journal(
                path: path, database: try DatabaseQueue(path: path, configuration: configuration),
                mark: mark)
        } catch {
            throw journalError(error, path: path)
        }
    }

    /// - Parameter isEmptyAllowed: whether a file that was just made, and has no table yet, passes.
    private func checkFormat(isEmptyAllowed: Bool) throws(JournalError) {
        let (application, format, tables) = try reading { database in
            (
                try Int32.fetchOne(database, sql: "PRAGMA application_id")!,
                try Int.fetchOne(database, sql: "PRAGMA user_version")!,
                try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master")!
            )
        }
        if isEmptyAllowed, tables == 0, application == 0 { return }
        guard application == Self.applicationID else {
            throw .foreign(path: path, reason: "it is another program's SQLite file")
        }
        guard format <= Self.format else {
            throw .newerFormat(path: path, format: format, supported: Self.format)
        }
    }

    func reading<Result>(
        _ body: (Database) throws -> Result
    ) throws(JournalError) -> Result {
        do {
            return try database.read(body)
        } catch {
            throw journalError(error, path: path)
        }
    }

    private func perform<Result>(
        _ body: (Database) throws -> Result
    ) throws(JournalError) -> Result {
        do {
            return try database.write(body)
        } catch {
            throw journalError(error, path: path)
        }
    }
}

private func journalError(_ error: any Error, path: String) -> JournalError {
    if let error = error as? DamagedRecord {
        return .damaged(path: path, record: error.sequence, reason: error.reason)
    }
    if let error = error as? JournalError { return error }
    guard let error = error as? DatabaseError else {
        return .failed(path: path, reason: "\(error)")
    }
    switch error.extendedResultCode {
    // How a quota and a memory map that cannot grow show themselves.
    case .SQLITE_IOERR_WRITE, .SQLITE_IOERR_SHMSIZE: return .diskFull(path: path)
    default: break
    }
    switch error.resultCode {
    case .SQLITE_BUSY, .SQLITE_LOCKED: return .busy(path: path)
    case .SQLITE_FULL: return .diskFull(path: path)
    case .SQLITE_NOTADB: return .foreign(path: path, reason: "it is no SQLite file")
    case .SQLITE_CORRUPT: return .foreign(path: path, reason: "its SQLite pages are damaged")
    case .SQLITE_CANTOPEN, .SQLITE_READONLY:
        return .unwritable(path: path, reason: error.message ?? "\(error.resultCode)")
    default: return .failed(path: path, reason: error.message ?? "\(error.resultCode)")
    }
}
