import GRDB
import GRDBSQLite

/// Steps through the rows of a query and lends their columns where SQLite holds them. GRDB's own
/// rows make a string or an object of every column, which takes longer than to decode a record.
struct RowReader: ~Copyable {
    private let database: Database
    private let statement: Statement

    init(_ database: Database, sql: String) throws {
        self.database = database
        statement = try database.makeStatement(sql: sql)
    }

    /// - Returns: false after the last row.
    mutating func next() throws -> Bool {
        switch sqlite3_step(statement.sqliteStatement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            throw DatabaseError(
                resultCode: ResultCode(rawValue: code), message: database.lastErrorMessage)
        }
    }

    func integer(_ column: Int32) -> Int64 {
        sqlite3_column_int64(statement.sqliteStatement, column)
    }

    func number(_ column: Int32) -> Double {
        sqlite3_column_double(statement.sqliteStatement, column)
    }

    /// A text's bytes, which stay where they are until the next step; none of NULL.
    func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        let handle = statement.sqliteStatement
        guard let start = sqlite3_column_blob(handle, column) else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(
            start: start, count: Int(sqlite3_column_bytes(handle, column)))
    }
}
