import Foundation
import GRDB
import SweepModel
import Testing
import Transport

@testable import CoordinatorService
@testable import Journal

/// The journal's thread by itself, with a disk that refuses.
@Suite("The thread that waits for the disk")
struct GroupCommitTests {
    private static func record(_ number: Int) -> SweepModel.Record {
        .prioritySet(PrioritySet(trial: TrialID("t"), priority: number))
    }

    /// Fills the journal's disk: SQLite answers a page limit just as it does a full disk.
    private static func fill(_ journal: Journal) throws {
        // Past what is free in the pages that are there.
        try journal.append((0..<200).map(record), at: Date())
        try limitPages(of: journal, to: "(SELECT page_count FROM pragma_page_count)")
    }

    private static func limitPages(of journal: Journal, to limit: String) throws {
        try journal.database.writeWithoutTransaction { database in
            let pages = try Int.fetchOne(database, sql: "SELECT \(limit)")!
            try database.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
    }

    private static func relieve(_ journal: Journal) throws {
        try limitPages(of: journal, to: "1000000")
    }

    /// So many that no page has room for them.
    private static let many = (1_000..<3_000).map(record)

    /// Waits for outcomes until `isOver` of all so far.
    private static func outcomes(
        of commits: GroupCommit, until isOver: ([GroupCommit.Outcome]) -> Bool
    ) throws -> [GroupCommit.Outcome] {
        var loop = PollLoop()
        _ = loop.watch(commits.outcomes.pollSource)
        var outcomes: [GroupCommit.Outcome] = []
        let deadline = Date(timeIntervalSinceNow: 30)
        while !isOver(outcomes) {
            try #require(Date() < deadline, "waited in vain; \(outcomes)")
            _ = try loop.wait(timeoutMs: 100)
            outcomes += commits.outcomes.takeAll()
        }
        return outcomes
    }

    private static func storedNumbers(_ outcomes: [GroupCommit.Outcome]) -> [UInt64] {
        outcomes.compactMap { if case .stored(let number) = $0 { number } else { nil } }
    }

    private static func errors(_ outcomes: [GroupCommit.Outcome]) -> [JournalError] {
        outcomes.compactMap { if case .failed(let error) = $0 { error } else { nil } }
    }

    @Test("records are stored in the order in which they were given, and closing stores them all")
    func order() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal.write(at: folder.path + "/j.sqlite")
        let commits = try GroupCommit()
        commits.begin(journal)
        for number in 1...500 {
            let records = [Self.record(2 * number), Self.record(2 * number + 1)]
            commits.append(records, number: UInt64(number))
        }
        commits.close()
        #expect(try journal.records() == (2...1_001).map(Self.record))
        let outcomes = commits.outcomes.takeAll()
        let numbers = Self.storedNumbers(outcomes)
        #expect(numbers.count == outcomes.count)
        #expect(numbers == numbers.sorted() && numbers.last == 500)
    }

    @Test("what a full disk refused is stored once, and in order, when there is space again")
    func retry() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/j.sqlite"
        let journal = try Journal.write(at: path)
        try Self.fill(journal)
        let before = try journal.records()
        let commits = try GroupCommit()
        commits.begin(journal)
        commits.append(Self.many, number: 1)
        let refused = try Self.outcomes(of: commits) { !$0.isEmpty }
        #expect(Self.errors(refused) == [.diskFull(path: path)])
        // These would fit, and must not overtake.
        commits.append([Self.record(1)], number: 2)
        #expect(try journal.records() == before)
        try Self.relieve(journal)
        let stored = try Self.outcomes(of: commits) { Self.storedNumbers($0).last == 2 }
        #expect(Self.errors(stored).isEmpty)
        #expect(try journal.records() == before + Self.many + [Self.record(1)])
        commits.close()
        #expect(try journal.records().count == before.count + Self.many.count + 1)
    }

    @Test("closing does not wait for the next attempt, and stores what then can be")
    func closingDuringRetry() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal.write(at: folder.path + "/j.sqlite")
        try Self.fill(journal)
        let before = try journal.records()
        let commits = try GroupCommit()
        commits.begin(journal)
        commits.append(Self.many, number: 1)
        _ = try Self.outcomes(of: commits) { !$0.isEmpty }
        try Self.relieve(journal)
        commits.close()
        #expect(Self.storedNumbers(commits.outcomes.takeAll()) == [1])
        #expect(try journal.records() == before + Self.many)
    }

    @Test("closing while the disk stays full says so, and stores nothing by half")
    func closingOnFullDisk() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/j.sqlite"
        let journal = try Journal.write(at: path)
        try Self.fill(journal)
        let before = try journal.records()
        let commits = try GroupCommit()
        commits.begin(journal)
        commits.append(Self.many, number: 1)
        commits.close()
        let outcomes = commits.outcomes.takeAll()
        #expect(Self.storedNumbers(outcomes).isEmpty)
        #expect(Self.errors(outcomes).last == .diskFull(path: path))
        #expect(try journal.records() == before)
    }

    @Test("after a failure that cannot pass nothing is stored any more")
    func brokenJournal() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal.write(at: folder.path + "/j.sqlite")
        try journal.database.writeWithoutTransaction {
            try $0.execute(sql: "ALTER TABLE record RENAME TO moved")
        }
        let commits = try GroupCommit()
        commits.begin(journal)
        commits.append([Self.record(1)], number: 1)
        let outcomes = try Self.outcomes(of: commits) { !$0.isEmpty }
        #expect(Self.errors(outcomes).map(\.mayPass) == [false])
        try journal.database.writeWithoutTransaction {
            try $0.execute(sql: "ALTER TABLE moved RENAME TO record")
        }
        commits.append([Self.record(2)], number: 2)
        commits.close()
        #expect(try journal.records().isEmpty)
        #expect(commits.outcomes.takeAll().isEmpty)
    }
}
