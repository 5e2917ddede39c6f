import Foundation
import GRDB
import SweepModel
import Testing

@testable import Journal

private func damage(_ path: String, record: Int) throws {
    try DatabaseQueue(path: path).write {
        try $0.execute(
            sql: "UPDATE record SET body = replace(body, 'h', 'x') WHERE sequence = ?",
            arguments: [record])
    }
}

/// What can follow each other, unlike the last of the other tests' records.
private let soundRecords = Array(journaledRecords.dropLast())

private func write(_ records: [SweepModel.Record], to path: String) throws {
    let journal = try Journal.write(at: path)
    for (index, record) in records.enumerated() {
        try journal.append([record], at: Date(timeIntervalSince1970: Double(index / 2)))
    }
}

@Test("a sound journal is said to be, and a repair leaves it alone")
func soundJournal() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    try write(soundRecords, to: path)
    let inspection = try Journal.inspect(at: path)
    #expect(inspection.soundCount == soundRecords.count && inspection.damage == nil)
    #expect(try Journal.repair(at: path) == nil)
    #expect(try Journal.read(at: path).records().count == soundRecords.count)
    #expect(!FileManager.default.fileExists(atPath: path + ".repairing"))
}

@Test("a repair keeps the records before the damage, and the damaged file", arguments: [2, 4, 8])
func repairedJournal(record: Int) throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    try write(soundRecords, to: path)
    try DatabaseQueue(path: path).write {
        try $0.execute(
            sql: "UPDATE record SET time = time + 1 WHERE sequence = ?", arguments: [record])
    }
    let inspection = try Journal.inspect(at: path)
    #expect(inspection.soundCount == record - 1)
    guard case .damaged(_, Int64(record), _) = inspection.damage else {
        Issue.record("\(String(describing: inspection.damage))")
        return
    }
    let repair = try #require(try Journal.repair(at: path))
    #expect(repair.keptCount == record - 1)
    let kept = try Journal.read(at: path)
    #expect(
        try kept.records().map { "\($0)" } == soundRecords.prefix(record - 1).map { "\($0)" })
    let times = try kept.database.read {
        try Double.fetchAll($0, sql: "SELECT time FROM record ORDER BY sequence")
    }
    #expect(times == (0..<record - 1).map { Double($0 / 2) })
    #expect(throws: JournalError.self) { try Journal.read(at: repair.original).records() }
    // The run goes on where the damage was.
    try Journal.write(at: path).append(Array(soundRecords[(record - 1)...]), at: Date())
    #expect(try Journal.inspect(at: path).soundCount == soundRecords.count)
}

@Test("pages that SQLite cannot read are damage, too, and what is before them is kept")
func damagedPages() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    try write(
        soundRecords + Array(repeating: .coordinatorStarted(epoch: 7), count: 2_000), to: path)
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    let size = try file.seekToEnd()
    try file.seek(toOffset: size / 2 / 4096 * 4096)
    try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
    try file.close()
    let inspection = try Journal.inspect(at: path)
    #expect(inspection.damage != nil)
    #expect(inspection.soundCount >= soundRecords.count && inspection.soundCount < 2_010)
    let repair = try #require(try Journal.repair(at: path))
    #expect(repair.keptCount == inspection.soundCount)
    #expect(try Journal.inspect(at: path).damage == nil)
}

@Test("an export has a line of JSON per sound record, and tells of the damage after them")
func exportedJournal() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    try write(soundRecords, to: path)
    var lines: [String] = []
    #expect(try Journal.read(at: path).export { lines.append($0) } == nil)
    #expect(lines.count == soundRecords.count)
    let first = try JSONSerialization.jsonObject(with: Data(lines[4].utf8)) as? [String: Any]
    #expect((first?["record"] as? [String: Any])?["kind"] as? String == "cycle_accepted")
    #expect(lines[4].contains("\"picks\":[3,1]"))
    try damage(path, record: 4)
    lines = []
    #expect(try Journal.read(at: path).export { lines.append($0) } != nil)
    #expect(lines.count == 3)
}

/// A journal as a crash leaves it: three commits, all of them in SQLite's log only.
private func crashedJournal(in folder: borrowing TemporaryFolder) throws -> String {
    let (path, copy) = (folder.path + "/j.sqlite", folder.path + "/crashed.sqlite")
    let journal = try Journal.write(at: path)
    for part in [0..<4, 4..<7, 7..<10] { try journal.append(Array(soundRecords[part]), at: Date()) }
    for suffix in ["", "-wal", ".mark"] {
        try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
    }
    return copy
}

@Test("a flipped bit in SQLite's log, which it takes for the log's end, is told as a loss")
func damagedLog() throws {
    let folder = try TemporaryFolder()
    let path = try crashedJournal(in: folder)
    let log = URL(fileURLWithPath: path + "-wal")
    let sound = try Data(contentsOf: log)
    // Somewhere in the pages of the last commit.
    var damaged = sound
    damaged[damaged.count - 100] ^= 1
    try damaged.write(to: log)
    let error = #expect(throws: JournalError.self) { try Journal.write(at: path).history() }
    guard case .damaged(_, record: 8, let reason) = error else {
        Issue.record("\(String(describing: error))")
        return
    }
    #expect(reason == "it ends there, and 3 more records were on disk")
    let inspection = try Journal.inspect(at: path)
    #expect(inspection.soundCount == 7 && inspection.damage == error)
    let repair = try #require(try Journal.repair(at: path))
    #expect(repair.keptCount == 7)
    #expect(FileManager.default.fileExists(atPath: repair.original + ".mark"))
    // The run goes on from there, and its new end is known.
    try Journal.write(at: path).append([soundRecords[7]], at: Date())
    #expect(try Journal.inspect(at: path).damage == nil)
    #expect(CommitMark.count(of: path) == 8)
}

@Test("a torn end that nobody was told of is no loss, nor is a mark that is older, damaged or gone")
func tornLog() throws {
    let folder = try TemporaryFolder()
    let path = try crashedJournal(in: folder)
    let log = URL(fileURLWithPath: path + "-wal")
    try (try Data(contentsOf: log) + Data(repeating: 7, count: 5_000)).write(to: log)
    #expect(try Journal.read(at: path).records().count == 10)
    let mark = CommitMark.path(of: path)
    // The place of even counts holds 4 and then 10, the other one 7.
    #expect(CommitMark.count(of: path) == 10)
    var bytes = try #require(FileManager.default.contents(atPath: mark))
    bytes[0] ^= 64
    try bytes.write(to: URL(fileURLWithPath: mark))
    #expect(CommitMark.count(of: path) == 7)
    #expect(try Journal.read(at: path).records().count == 10)
    try FileManager.default.removeItem(atPath: mark)
    #expect(try Journal.inspect(at: path).damage == nil)
}
