import Foundation
import GRDB
import SweepModel
import Testing

@testable import Journal

/// A journal of format 1: no checksums, and picks inside the records.
private func writeFormat1(_ records: [SweepModel.Record], to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try DatabaseQueue(path: path).write { database in
        try database.execute(
            sql: """
                PRAGMA application_id = \(0x414C_5357); PRAGMA user_version = 1;
                CREATE TABLE record (
                    sequence INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL,
                    kind TEXT NOT NULL, trial TEXT, body TEXT NOT NULL);
                CREATE INDEX record_trial ON record (trial, kind);
                """)
        for record in records {
            try database.execute(
                sql: "INSERT INTO record (time, kind, trial, body) VALUES (1.5, ?, ?, ?)",
                arguments: [
                    record.kind.rawValue, record.trial?.rawValue,
                    String(decoding: try encoder.encode(record), as: UTF8.self),
                ])
        }
    }
}

private func picks(_ records: [SweepModel.Record]) -> [[Int]?] { records.map(\.picks) }

@Test("a journal of format 1 is read as it is, and brought to the newest when it is written to")
func olderFormat() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    try writeFormat1(journaledRecords, to: path)
    let before = FileManager.default.contents(atPath: path)
    let old = try Journal.read(at: path)
    #expect(try old.records().map { "\($0)" } == journaledRecords.map { "\($0)" })
    #expect(try picks(old.records(.withoutPicks)).allSatisfy { $0 == nil })
    #expect(FileManager.default.contents(atPath: path) == before, "reading changes nothing")

    let journal = try Journal.write(at: path)
    let version = try journal.database.read { try Int.fetchOne($0, sql: "PRAGMA user_version") }
    #expect(version == Journal.format)
    #expect(try journal.records().map { "\($0)" } == journaledRecords.map { "\($0)" })
    try journal.append([journaledRecords[4]], at: Date())
    #expect(try Journal.read(at: path).records().count == journaledRecords.count + 1)
}

@Test(
    "a journal of format 2 gets views that know of commands, and an older program refuses it then")
func format2() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    try Journal.write(at: path).append(Array(journaledRecords[..<3]), at: Date())
    try DatabaseQueue(path: path).write {
        try $0.execute(
            sql: """
                PRAGMA user_version = 2; DROP VIEW trial;
                CREATE VIEW trial AS SELECT 'old' AS state;
                """)
    }
    #expect(try Journal.read(at: path).records().count == 3)
    let journal = try Journal.write(at: path)
    let trial = journaledConfiguration.id
    func state() throws -> String? {
        try journal.database.read { try String.fetchOne($0, sql: "SELECT state FROM trial") }
    }
    let commands: [SweepModel.Record] = [
        .pauseSet(true), .trialCancelled(trial), .trialRetried(trial),
        .prioritySet(PrioritySet(trial: trial, priority: -3)),
        .drainSet(DrainSet(name: "h", isDrained: true)),
    ]
    try journal.append(Array(commands[..<2]), at: Date())
    #expect(try state() == "cancelled")
    try journal.append(Array(commands[2...]), at: Date())
    #expect(try state() == "pending")
    #expect(try journal.records().suffix(5) == commands)
    let history = try journal.history()
    #expect(history.isPaused && history.drained == ["h"] && history[trial]?.priority == -3)
    // The programs of format 2 read no format above it.
    let version = try journal.database.read { try Int.fetchOne($0, sql: "PRAGMA user_version") }
    #expect(version == Journal.format)
}

@Test("a migration that meets a damaged record leaves the older journal")
func interruptedMigration() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    try writeFormat1(journaledRecords, to: path)
    try DatabaseQueue(path: path).write {
        try $0.execute(sql: "UPDATE record SET body = 'x' WHERE sequence = 5")
    }
    let error = #expect(throws: JournalError.self) { try Journal.write(at: path) }
    guard case .damaged(_, record: 5, _) = error else {
        Issue.record("\(String(describing: error))")
        return
    }
    let version = try DatabaseQueue(path: path).read {
        try Int.fetchOne($0, sql: "PRAGMA user_version")
    }
    #expect(version == 1)
}

@Test("picks stand apart: a reader gets them or does without")
func separatePicks() throws {
    let folder = try TemporaryFolder()
    let journal = try Journal.write(at: folder.path + "/j.sqlite")
    try journal.append(journaledRecords, at: Date())
    #expect(try picks(journal.records()).compactMap { $0 } == [[3, 1], [3, 1]])
    let light = try journal.records(.withoutPicks)
    #expect(picks(light).allSatisfy { $0 == nil })
    guard case .cycleAccepted(let cycle) = light[4] else { return }
    #expect(cycle.result.query?.hitRate == 0.5)
    let sum = try journal.database.read {
        try Int.fetchOne(
            $0, sql: "SELECT sum(value) FROM pick, json_each(pick.picks) WHERE sequence = 5")
    }
    #expect(sum == 4, "people can ask for picks")
}

@Test(
    "a changed or missing row is found, wherever it is",
    arguments: [
        ("UPDATE record SET body = replace(body, '5000', '5001') WHERE sequence = 5", 5),
        ("UPDATE record SET time = time + 1 WHERE sequence = 2", 2),
        ("UPDATE record SET kind = 'cycle_disputed' WHERE sequence = 5", 5),
        ("UPDATE record SET trial = 'other' WHERE sequence = 4", 4),
        ("UPDATE record SET sequence = 99 WHERE sequence = 11", 11),
        ("DELETE FROM record WHERE sequence = 6", 6),
        ("UPDATE pick SET picks = '[3,2]' WHERE sequence = 5", 5),
        ("DELETE FROM pick WHERE sequence = 5", 5),
    ])
func changedRows(change: String, place: Int) throws {
    let folder = try TemporaryFolder()
    let journal = try Journal.write(at: folder.path + "/j.sqlite")
    try journal.append(journaledRecords, at: Date())
    try journal.database.write { try $0.execute(sql: change) }
    let error = #expect(throws: JournalError.self) { try journal.records() }
    guard case .damaged(_, record: let record, _) = error else {
        Issue.record("\(String(describing: error))")
        return
    }
    #expect(record == place)
    #expect(error?.hint.contains("copy") ?? false)
}

@Test("a journal where nothing can be written is read from a copy, with what is only in its log")
func unwritableFolder() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    let journal = try Journal.write(at: path)
    try journal.append(journaledRecords, at: Date())
    #expect(FileManager.default.fileExists(atPath: path + "-wal"))
    let temporary = FileManager.default.temporaryDirectory.path
    func copies() throws -> Set<String> {
        Set(
            try FileManager.default.contentsOfDirectory(atPath: temporary).filter {
                FileManager.default.fileExists(atPath: "\(temporary)/\($0)/journal.sqlite")
            })
    }
    let before = try copies()
    do {
        let copy = try Journal.openCopy(of: path)
        #expect(try copy.records().count == journaledRecords.count)
        #expect(try copies().subtracting(before).count == 1)
        _ = consume copy
    }
    #expect(try copies().subtracting(before).isEmpty, "the copy goes with its reader")
}
