import GRDB
import GRDBSQLite

/// Inserts rows one after another. GRDB's own way makes an object of every value, which takes longer
/// than the insertion.
struct RowWriter {
    /// SQLite copies what is bound before the call returns.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    private let database: Database
    private let statement: Statement

    init(_ database: Database, sql: String) throws {
        self.database = database
        statement = try database.cachedStatement(sql: sql)
    }

    func bind(_ integer: Int64, at column: Int32) {
        check(sqlite3_bind_int64(statement.sqliteStatement, column, integer))
    }

    func bind(_ number: Double, at column: Int32) {
        check(sqlite3_bind_double(statement.sqliteStatement, column, number))
    }

    func bind(_ text: String, at column: Int32) {
        var text = text
        text.withUTF8 { bind(text: UnsafeRawBufferPointer($0), at: column) }
    }

    func bind(text bytes: [UInt8], at column: Int32) {
        bytes.withUnsafeBytes { bind(text: $0, at: column) }
    }

    private func bind(text bytes: UnsafeRawBufferPointer, at column: Int32) {
        // A null pointer would bind NULL in place of an empty text.
        let start = bytes.baseAddress.map { $0.assumingMemoryBound(to: CChar.self) }
        let count = Int32(bytes.count)
        if let start {
            check(
                sqlite3_bind_text(statement.sqliteStatement, column, start, count, Self.copied))
        } else {
            check(sqlite3_bind_text(statement.sqliteStatement, column, "", 0, Self.copied))
        }
    }

    func bindNull(at column: Int32) {
        check(sqlite3_bind_null(statement.sqliteStatement, column))
    }

    /// Inserts the row of the values bound before.
    func insert() throws {
        let handle = statement.sqliteStatement
        let code = sqlite3_step(handle)
        let message = code == SQLITE_DONE ? nil : database.lastErrorMessage
        sqlite3_reset(handle)
        guard code == SQLITE_DONE else {
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
        }
    }

    /// Fails only for a column that is not there, a text beyond SQLite's limit, or want of memory.
    private func check(_ code: Int32) {
        precondition(code == SQLITE_OK, "binding a value of a row: SQLite's error \(code)")
    }
}
