import Foundation
import GRDB
import SweepModel
import Testing

@testable import Journal

/// A folder that goes with the test.
struct TemporaryFolder: ~Copyable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "alsweep-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

let journaledConfiguration: TrialConfiguration = {
    var studyProtocol = StudyProtocol()
    studyProtocol.cycles = 2
    return TrialConfiguration(
        dataset: .fashionmnist, strategy: .dqn(gradientSteps: 100), seed: 3,
        studyProtocol: studyProtocol)
}()

func journaledResult(cycle: Int) -> CycleResult {
    CycleResult(
        cycle: cycle, labelled: cycle * 1_000, correct: 5_000, total: 10_000, testLoss: .nan,
        trainLoss: 0.1, labelledDigest: "l", weightsDigest: "w",
        query: QueryResult(picks: [3, 1], hitRate: 0.5, classCounts: [1, 1], meanQ: 0.25),
        trainSeconds: 1, evaluateSeconds: 2, querySeconds: 3)
}

let journaledRecords: [SweepModel.Record] = [
    .sweepSubmitted(SweepSubmitted(name: "s", text: "name: s\n", timeSeeds: [1, 2])),
    .coordinatorStarted(epoch: 1),
    .trialAdded(TrialAdded(stage: "a", isTimeSeeded: false, configuration: journaledConfiguration)),
    .attemptStarted(
        AttemptStarted(
            trial: journaledConfiguration.id, attempt: 1, worker: WorkerID("w"), host: "h")),
    .cycleAccepted(
        CycleAccepted(
            trial: journaledConfiguration.id, attempt: 1, host: "h",
            result: journaledResult(cycle: 1))),
    .attemptEnded(
        AttemptEnded(
            trial: journaledConfiguration.id, attempt: 1,
            end: .failed(kind: .crash, message: "boom"))),
    .attemptStarted(
        AttemptStarted(
            trial: journaledConfiguration.id, attempt: 2, worker: WorkerID("v"), host: "g")),
    .cycleAccepted(
        CycleAccepted(
            trial: journaledConfiguration.id, attempt: 2, host: "g",
            result: journaledResult(cycle: 2))),
    .trialFinished(TrialFinished(trial: journaledConfiguration.id, attempt: 2, modelDigest: "m")),
    .stepsChosen(StepsChosen(stage: "b", dataset: .cifar10, gradientSteps: 100, tied: [100])),
    .trialFailed(TrialFailed(trial: journaledConfiguration.id, kind: .disk, message: "full")),
    .sweepExtended(SweepExtended(text: "name: s\n# more\n")),
]

@Test("what is appended is read back, in order, by another reader too")
func appendAndRead() throws {
    let folder = try TemporaryFolder()
    let journal = try Journal.write(at: folder.path + "/j.sqlite")
    try journal.append(Array(journaledRecords[..<4]), at: Date())
    try journal.append(Array(journaledRecords[4...]), at: Date())
    let reader = try Journal.read(at: folder.path + "/j.sqlite")
    let read = try reader.records()
    // NaN differs from itself: compared as text.
    #expect(read.map { "\($0)" } == journaledRecords.map { "\($0)" })
    #expect(try reader.history().trials[0].attempts.count == 2)
}

@Test("a commit is flushed to the disk before it returns")
func commitsAreDurable() throws {
    let folder = try TemporaryFolder()
    let journal = try Journal.write(at: folder.path + "/j.sqlite")
    let modes = try journal.database.read { database in
        (
            try String.fetchOne(database, sql: "PRAGMA journal_mode"),
            try Int.fetchOne(database, sql: "PRAGMA synchronous")
        )
    }
    #expect(modes.0 == "wal" && modes.1 == 2)
}

@Test("people can ask the views")
func views() throws {
    let folder = try TemporaryFolder()
    let journal = try Journal.write(at: folder.path + "/j.sqlite")
    try journal.append(Array(journaledRecords.dropLast(2)), at: Date(timeIntervalSince1970: 0))
    let (trial, cycles, attempts) = try journal.database.read { database in
        (
            try Row.fetchAll(database, sql: "SELECT * FROM trial"),
            try Row.fetchAll(database, sql: "SELECT * FROM cycle"),
            try Row.fetchAll(database, sql: "SELECT * FROM attempt")
        )
    }
    #expect(trial.count == 1)
    #expect(trial[0]["state"] == "done" && trial[0]["gradient_steps"] == 100)
    #expect(cycles.map { $0["accuracy"] as Double } == [50, 50])
    #expect(cycles.map { $0["host"] as String } == ["h", "g"])
    #expect(attempts.map { $0["outcome"] as String } == ["failed", "finished"])
    #expect(attempts[0]["message"] == "boom")
}

@Test("a file of something else, or of a newer format, is refused and left alone")
func foreignFiles() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    #expect(throws: JournalError.missing(path: path)) { try Journal.read(at: path) }

    try Data("this is no database, but it is long enough to look at".utf8)
        .write(to: URL(fileURLWithPath: path))
    let before = FileManager.default.contents(atPath: path)
    #expect(throws: JournalError.self) { try Journal.read(at: path) }
    #expect(throws: JournalError.self) { try Journal.write(at: path) }
    #expect(FileManager.default.contents(atPath: path) == before)

    let newer = folder.path + "/newer.sqlite"
    try Journal.write(at: newer).database.write { try $0.execute(sql: "PRAGMA user_version = 9") }
    let error = #expect(throws: JournalError.self) { try Journal.read(at: newer) }
    #expect(error == .newerFormat(path: newer, format: 9, supported: Journal.format))

    let other = folder.path + "/other.sqlite"
    try DatabaseQueue(path: other).write { try $0.execute(sql: "CREATE TABLE t (x)") }
    let foreign = #expect(throws: JournalError.self) { try Journal.read(at: other) }
    #expect(foreign?.description.contains("another program's") ?? false)
}

@Test("a damaged record is named by its number")
func damagedRecord() throws {
    let folder = try TemporaryFolder()
    let journal = try Journal.write(at: folder.path + "/j.sqlite")
    try journal.append(journaledRecords, at: Date())
    try journal.database.write {
        try $0.execute(sql: "UPDATE record SET body = '{' WHERE sequence = 3")
    }
    let error = #expect(throws: JournalError.self) { try journal.records() }
    guard case .damaged(_, record: 3, _) = error else {
        Issue.record("\(String(describing: error))")
        return
    }
}

@Test("a full disk is told as such, and nothing of the transaction stays")
func fullDisk() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/j.sqlite"
    let journal = try Journal.write(at: path)
    try journal.append(Array(journaledRecords[..<3]), at: Date())
    // SQLite answers a page limit just as it does a full disk.
    try journal.database.writeWithoutTransaction { database in
        let pages = try Int.fetchOne(database, sql: "PRAGMA page_count")!
        try database.execute(sql: "PRAGMA max_page_count = \(pages)")
    }
    let many = Array(repeating: journaledRecords[4], count: 1_000)
    #expect(throws: JournalError.diskFull(path: path)) { try journal.append(many, at: Date()) }
    #expect(try journal.records().count == 3)
    try journal.database.writeWithoutTransaction {
        try $0.execute(sql: "PRAGMA max_page_count = 1000000")
    }
    try journal.append(Array(journaledRecords[3...4]), at: Date())
    #expect(try journal.records().count == 5)
}

@Test("a run has one holder at a time")
func runLock() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/coordinator.lock"
    do {
        let first = try RunLock(path: path, folder: "runs/a")
        do {
            _ = try RunLock(path: path, folder: "runs/a")
            Issue.record("a second holder")
        } catch {
            #expect(error == .held(folder: "runs/a", holder: "process \(getpid())"))
        }
        _ = consume first
    }
    _ = try RunLock(path: path, folder: "runs/a")
}

@Test("records that cannot follow each other are refused")
func inconsistentRecords() throws {
    #expect(throws: InconsistentRecord.self) { try RunHistory([journaledRecords[3]]) }
    #expect(throws: InconsistentRecord.self) {
        try RunHistory([journaledRecords[0], journaledRecords[0]])
    }
    #expect(throws: InconsistentRecord.self) {
        try RunHistory([journaledRecords[2], journaledRecords[2]])
    }
    #expect(throws: InconsistentRecord.self) {
        try RunHistory([journaledRecords[2], journaledRecords[6]])
    }
    #expect(throws: InconsistentRecord.self) {
        try RunHistory([
            journaledRecords[2], journaledRecords[3], journaledRecords[4], journaledRecords[4],
        ])
    }
}

@Test("a foreign file stays as it is, also beside it")
func foreignFileIsNotTouched() throws {
    let folder = try TemporaryFolder()
    let other = folder.path + "/other.sqlite"
    try DatabaseQueue(path: other).write { try $0.execute(sql: "CREATE TABLE t (x)") }
    let before = FileManager.default.contents(atPath: other)
    #expect(throws: JournalError.self) { try Journal.write(at: other) }
    #expect(FileManager.default.contents(atPath: other) == before)
}
