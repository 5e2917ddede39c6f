import Foundation
import GRDB
import SweepModel

extension Journal {
    /// What a reader wants of the records.
    public enum Detail: Sendable {
        /// All, as a coordinator needs it.
        case full
        /// Without the pool indices that queries picked, most of a journal's bytes: what tables and
        /// reports need.
        case withoutPicks
    }

    /// All records, in the order in which they were appended.
    public func records(_ detail: Detail = .full) throws(JournalError) -> [SweepModel.Record] {
        var records: [SweepModel.Record] = []
        try forEachRecord(detail) { record, _ in records.append(record) }
        return records
    }

    /// The fold over all records.
    public func history(_ detail: Detail = .full) throws(JournalError) -> RunHistory {
        var history = RunHistory()
        var inconsistency: InconsistentRecord?
        try forEachRecord(detail) { record, _ in
            guard inconsistency == nil else { return }
            do throws(InconsistentRecord) {
                try history.apply(record)
            } catch {
                inconsistency = error
            }
        }
        if let inconsistency { throw .foreign(path: path, reason: inconsistency.description) }
        return history
    }

    /// Calls `body` with every record and its time, until one is damaged.
    func forEachRecord(
        _ detail: Detail, _ body: (SweepModel.Record, Date) throws -> Void
    ) throws(JournalError) {
        // Before the snapshot is taken: a coordinator may be appending.
        let marked = CommitMark.count(of: path)
        try reading { database in
            let format = try Int.fetchOne(database, sql: "PRAGMA user_version")!
            let reader = RecordRows(hasChecksums: format >= 2, hasPicks: detail == .full)
            let count = try reader.forEach(in: database, body)
            guard count >= marked else {
                throw DamagedRecord(
                    sequence: count + 1,
                    reason: "it ends there, and \(marked - count) more records were on disk")
            }
        }
    }
}

/// Reads the rows of a journal and checks them.
private struct RecordRows {
    let hasChecksums: Bool
    /// Whether picks are wanted.
    let hasPicks: Bool

    /// - Returns: how many there are.
    func forEach(
        in database: Database, _ body: (SweepModel.Record, Date) throws -> Void
    ) throws -> Int64 {
        var decoder = RecordDecoder()
        var expected: Int64 = 1
        var picks = hasChecksums && hasPicks ? try PickRows(database) : nil
        var rows = try RowReader(
            database,
            sql:
                "SELECT sequence, time, kind, trial, body\(hasChecksums ? ", pick_count, checksum" : "") "
                + "FROM record ORDER BY sequence")
        while try rows.next() {
            let sequence = rows.integer(0)
            guard sequence == expected else {
                throw DamagedRecord(sequence: expected, reason: "it is missing")
            }
            expected += 1
            var record = try record(rows, sequence: sequence, &decoder)
            if !hasChecksums, !hasPicks { record = record.withPicks([]) }
            if hasChecksums, hasPicks, rows.integer(5) > 0,
                let found = try picks?.picks(of: sequence, time: rows.number(1), decoder)
            {
                record = record.withPicks(found)
            }
            try body(record, Date(timeIntervalSince1970: rows.number(1)))
        }
        return expected - 1
    }

    private func record(
        _ row: borrowing RowReader, sequence: Int64, _ decoder: inout RecordDecoder
    ) throws -> SweepModel.Record {
        let (kind, body) = (row.bytes(2), row.bytes(4))
        if hasChecksums {
            var checksum = RecordChecksum(sequence: sequence, time: row.number(1))
            checksum.append(kind)
            checksum.append(row.bytes(3))
            checksum.append(body)
            checksum.append(UInt64(bitPattern: row.integer(5)))
            guard checksum.value == row.integer(6) else {
                throw DamagedRecord(sequence: sequence, reason: "its checksum does not fit")
            }
        }
        do {
            return try decoder.record(
                kind: SweepModel.Record.Kind(rawValue: String(decoding: kind, as: UTF8.self)),
                body: body)
        } catch {
            throw DamagedRecord(sequence: sequence, reason: "\(error)")
        }
    }
}

/// Reads the picks of records, both in ascending order.
private struct PickRows: ~Copyable {
    private var rows: RowReader
    private var hasRow: Bool

    init(_ database: Database) throws {
        var rows = try RowReader(
            database, sql: "SELECT sequence, picks, checksum FROM pick ORDER BY sequence")
        hasRow = try rows.next()
        self.rows = rows
    }

    /// - Parameter time: the record's, of which the picks are a part.
    mutating func picks(
        of sequence: Int64, time: Double, _ decoder: RecordDecoder
    ) throws -> [Int] {
        guard hasRow, rows.integer(0) == sequence else {
            throw DamagedRecord(sequence: sequence, reason: "its picks are missing")
        }
        let text = rows.bytes(1)
        var checksum = RecordChecksum(sequence: sequence, time: time)
        checksum.append(text)
        guard checksum.value == rows.integer(2), let picks = try? decoder.picks(text) else {
            throw DamagedRecord(sequence: sequence, reason: "its picks are damaged")
        }
        hasRow = try rows.next()
        return picks
    }
}
