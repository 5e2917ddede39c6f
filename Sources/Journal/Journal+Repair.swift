import Foundation
import GRDB
import SweepModel

/// What a look at every row of a journal found.
public struct JournalInspection: Sendable {
    /// Records before the damage; all of them if there is none.
    public let soundCount: Int
    /// nil of a sound journal.
    public let damage: JournalError?
}

/// What a repair did.
public struct JournalRepair: Sendable {
    public let keptCount: Int
    public let damage: JournalError
    /// Where the damaged file is now.
    public let original: String
}

extension Journal {
    /// Looks at every row, and whether each record can follow those before it.
    public static func inspect(at path: String) throws(JournalError) -> JournalInspection {
        let journal = try read(at: path)
        var history = RunHistory()
        let (count, damage) = try journal.soundRecords { record, _ in try history.apply(record) }
        return JournalInspection(soundCount: count, damage: damage)
    }

    /// One line of JSON per record, up to the first that is damaged.
    ///
    /// - Returns: the damage, if there is any.
    public func export(_ write: (String) throws -> Void) throws(JournalError) -> JournalError? {
        try soundRecords { record, time in
            let seconds = time.timeIntervalSince1970
            let body = String(decoding: encoded(record), as: UTF8.self)
            try write("{\"time\":\(seconds),\"record\":\(body)}\n")
        }.damage
    }

    /// Keeps the records before the damage, which are a state that the run once had: what came later
    /// is computed again, with the same numbers. The damaged file is kept beside. The caller holds the
    /// run's lock.
    ///
    /// - Returns: nil of a sound journal, which stays as it is.
    public static func repair(at path: String) throws(JournalError) -> JournalRepair? {
        let partial = path + ".repairing"
        for suffix in suffixes { try? FileManager.default.removeItem(atPath: partial + suffix) }
        var kept = 0
        var found: JournalError?
        do {
            let damaged = try read(at: path)
            let repaired = try write(at: partial)
            var history = RunHistory()
            var batch: (records: [SweepModel.Record], time: Date) = ([], .distantPast)
            (kept, found) = try damaged.soundRecords { record, time in
                try history.apply(record)
                if time != batch.time {
                    try repaired.append(batch.records, at: batch.time)
                    batch = ([], time)
                }
                batch.records.append(record)
            }
            try repaired.append(batch.records, at: batch.time)
            try? repaired.database.close()
            try? damaged.database.close()
        }
        guard let found else {
            for suffix in suffixes {
                try? FileManager.default.removeItem(atPath: partial + suffix)
            }
            return nil
        }
        let original = freeName(for: path + ".damaged")
        // With the damaged file goes its log. If the machine fails between these steps, both files are
        // there, under the names that this function says.
        for suffix in suffixes where FileManager.default.fileExists(atPath: path + suffix) {
            try move(path + suffix, to: original + suffix)
        }
        try move(partial, to: path)
        try? move(partial + ".mark", to: CommitMark.path(of: path))
        return JournalRepair(keptCount: kept, damage: found, original: original)
    }

    /// The file, SQLite's two beside it, and the mark.
    private static let suffixes = ["", "-wal", "-shm", ".mark"]

    /// Calls `body` with the records before the damage.
    private func soundRecords(
        _ body: (SweepModel.Record, Date) throws -> Void
    ) throws(JournalError) -> (count: Int, damage: JournalError?) {
        var count = 0
        do throws(JournalError) {
            try forEachRecord(.full) { record, time in
                do {
                    try body(record, time)
                } catch let error as InconsistentRecord {
                    throw DamagedRecord(sequence: Int64(count + 1), reason: error.description)
                }
                count += 1
            }
        } catch {
            switch error {
            case .damaged, .foreign: return (count, error)
            case .missing, .newerFormat, .diskFull, .busy, .unwritable, .failed: throw error
            }
        }
        return (count, nil)
    }

    private static func freeName(for path: String) -> String {
        var name = path
        var number = 1
        while FileManager.default.fileExists(atPath: name) {
            number += 1
            name = "\(path)-\(number)"
        }
        return name
    }

    private static func move(_ path: String, to target: String) throws(JournalError) {
        do {
            try FileManager.default.moveItem(atPath: path, toPath: target)
        } catch {
            throw .failed(path: path, reason: error.localizedDescription)
        }
    }
}
