import Foundation
import GRDB
import SweepModel

/// What can go wrong with a journal.
public enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    case missing(path: String)
    /// It is a file of something else, or damaged.
    case foreign(path: String, reason: String)
    case newerFormat(path: String, format: Int, supported: Int)
    case diskFull(path: String)
    /// Another program holds a lock on it.
    case busy(path: String)
    /// SQLite refused otherwise.
    case failed(path: String, reason: String)
    case damaged(path: String, record: Int64, reason: String)

    public var description: String {
        switch self {
        case .missing(let path): "there is no journal at \(path)"
        case .foreign(let path, let reason): "\(path) is not a journal of alsweep: \(reason)"
        case .newerFormat(let path, let format, let supported):
            "\(path) was written by format \(format); this alsweep reads up to \(supported)"
        case .diskFull(let path): "no space is left for \(path)"
        case .busy(let path): "another program keeps \(path) locked"
        case .failed(let path, let reason): "\(path): \(reason)"
        case .damaged(let path, let record, let reason):
            "\(path) is damaged at record \(record): \(reason)"
        }
    }

    /// Whether trying again later can help.
    public var mayPass: Bool {
        switch self {
        case .diskFull, .busy: true
        case .missing, .foreign, .newerFormat, .failed, .damaged: false
        }
    }

    public var hint: String {
        switch self {
        case .missing: "give a run's folder, as in runs/quick-20260131-120000"
        case .foreign: "the file was not changed; restore it from a copy"
        case .newerFormat: "upgrade alsweep; the file was not changed"
        case .diskFull: "free some space; nothing that was acknowledged is lost"
        case .busy: "end the transaction of whoever has it open"
        case .failed: "check the folder's permissions and its disk"
        case .damaged: "the file was not changed; restore it from a copy"
        }
    }
}

/// A run's records in an SQLite file, appended and never changed.
public final class Journal: Sendable {
    /// The format this version writes.
    public static let format = 1
    /// "ALSW": tells a journal from other SQLite files.
    private static let applicationID: Int32 = 0x414C_5357
    private static let lockPatienceSeconds = 5.0

    public let path: String
    let database: DatabaseQueue

    private init(path: String, database: DatabaseQueue) {
        self.path = path
        self.database = database
    }

    /// Makes a new journal, or opens one to append to. The caller holds the run's lock.
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
        let journal = try open(path, configuration)
        try journal.perform { database in
            let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master")!
            if tables == 0 { try Self.create(in: database) }
        }
        return journal
    }

    /// Opens an existing journal to read; a coordinator may be appending to it meanwhile.
    public static func read(at path: String) throws(JournalError) -> Journal {
        guard FileManager.default.fileExists(atPath: path) else { throw .missing(path: path) }
        let journal = try openToRead(path)
        try journal.checkFormat(isEmptyAllowed: false)
        return journal
    }

    private static func openToRead(_ path: String) throws(JournalError) -> Journal {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(lockPatienceSeconds)
        return try open(path, configuration)
    }

    /// Appends in one transaction: all are on disk when it returns, or none.
    public func append(_ records: [SweepModel.Record], at time: Date) throws(JournalError) {
        let rows = records.map { ($0.kind.rawValue, $0.trial?.rawValue, encoded($0)) }
        try perform { database in
            let statement = try database.cachedStatement(
                sql: "INSERT INTO record (time, kind, trial, body) VALUES (?, ?, ?, ?)")
            for (kind, trial, body) in rows {
                try statement.execute(arguments: [time.timeIntervalSince1970, kind, trial, body])
            }
        }
    }

    /// All records, in the order in which they were appended.
    public func records() throws(JournalError) -> [SweepModel.Record] {
        let rows = try reading { database in
            try Row.fetchAll(database, sql: "SELECT sequence, body FROM record ORDER BY sequence")
        }
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        var records: [SweepModel.Record] = []
        records.reserveCapacity(rows.count)
        for row in rows {
            do {
                records.append(
                    try decoder.decode(SweepModel.Record.self, from: row["body"] as Data))
            } catch {
                throw .damaged(path: path, record: row["sequence"], reason: "\(error)")
            }
        }
        return records
    }

    /// The fold over all records.
    public func history() throws(JournalError) -> RunHistory {
        let records = try records()
        do {
            return try RunHistory(records)
        } catch {
            throw .foreign(path: path, reason: error.description)
        }
    }

    private static func open(
        _ path: String, _ configuration: Configuration
    ) throws(JournalError) -> Journal {
        do {
            return Journal(
                path: path, database: try DatabaseQueue(path: path, configuration: configuration))
        } catch {
            throw journalError(error, path: path)
        }
    }

    private static func create(in database: Database) throws {
        try database.execute(
            sql: """
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(format);
                """)
        try database.execute(sql: schema)
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

    private func reading<Result>(
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

private func encoded(_ record: SweepModel.Record) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    // Records hold numbers, text and lists of them: nothing that JSON could not hold.
    return String(decoding: try! encoder.encode(record), as: UTF8.self)
}

private func journalError(_ error: any Error, path: String) -> JournalError {
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
    default: return .failed(path: path, reason: error.message ?? "\(error.resultCode)")
    }
}
