import Foundation
import GRDB
import SweepModel

extension Journal {
    /// One table that is only appended to, and views of it for people with sqlite3.
    ///
    /// The picks of a query, some kilobytes of a record that has less than one otherwise, stand
    /// apart, so that they are read only by who asks for them.
    static let schema = """
        CREATE TABLE record (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            time REAL NOT NULL,
            kind TEXT NOT NULL,
            trial TEXT,
            body TEXT NOT NULL,
            pick_count INTEGER NOT NULL DEFAULT 0,
            checksum INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX record_trial ON record (trial, kind);
        \(pickTable)
        \(views)
        """

    private static let views = """
        CREATE VIEW trial AS
        SELECT trial,
            body ->> '$.content.stage' AS stage,
            body ->> '$.content.configuration.dataset' AS dataset,
            body ->> '$.content.configuration.strategy.name' AS strategy,
            body ->> '$.content.configuration.strategy.gradient_steps' AS gradient_steps,
            body ->> '$.content.configuration.seed' AS seed,
            body ->> '$.content.time_seeded' AS time_seeded,
            coalesce(
                (SELECT CASE last.kind
                    WHEN 'attempt_started' THEN 'running'
                    WHEN 'trial_finished' THEN 'done'
                    WHEN 'trial_failed' THEN 'failed'
                    WHEN 'trial_cancelled' THEN 'cancelled' END
                FROM record AS last
                WHERE last.trial = record.trial AND last.kind IN
                    ('attempt_started', 'attempt_ended', 'trial_finished', 'trial_failed',
                    'trial_cancelled', 'trial_retried')
                ORDER BY last.sequence DESC LIMIT 1), 'pending') AS state
        FROM record WHERE kind = 'trial_added' ORDER BY sequence;

        CREATE VIEW cycle AS
        SELECT trial,
            body ->> '$.content.result.cycle' AS cycle,
            body ->> '$.content.attempt' AS attempt,
            body ->> '$.content.host' AS host,
            body ->> '$.content.result.labelled' AS labelled,
            body ->> '$.content.result.correct' AS correct,
            body ->> '$.content.result.total' AS total,
            100.0 * (body ->> '$.content.result.correct') / (body ->> '$.content.result.total')
                AS accuracy,
            body ->> '$.content.result.test_loss' AS test_loss,
            datetime(time, 'unixepoch') AS accepted
        FROM record WHERE kind = 'cycle_accepted' ORDER BY sequence;

        CREATE VIEW attempt AS
        SELECT started.trial AS trial,
            started.body ->> '$.content.attempt' AS attempt,
            started.body ->> '$.content.worker' AS worker,
            started.body ->> '$.content.host' AS host,
            datetime(started.time, 'unixepoch') AS started,
            datetime(ended.time, 'unixepoch') AS ended,
            coalesce(
                CASE ended.kind
                    WHEN 'trial_finished' THEN 'finished'
                    WHEN 'attempt_ended' THEN
                        (SELECT key FROM json_each(ended.body, '$.content.end')) END,
                'running') AS outcome,
            ended.body ->> '$.content.end.failed.message' AS message
        FROM record AS started
        LEFT JOIN record AS ended ON ended.trial = started.trial
            AND ended.kind IN ('attempt_ended', 'trial_finished')
            AND ended.body ->> '$.content.attempt' = started.body ->> '$.content.attempt'
        WHERE started.kind = 'attempt_started' ORDER BY started.sequence;
        """

    /// `picks` is a JSON array of pool indices in the order in which they were picked.
    private static let pickTable = """
        CREATE TABLE pick (
            sequence INTEGER PRIMARY KEY REFERENCES record,
            picks TEXT NOT NULL,
            checksum INTEGER NOT NULL
        );
        """

    static func create(in database: Database) throws {
        try database.execute(
            sql: """
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(format);
                """)
        try database.execute(sql: schema)
    }

    /// Brings a journal of an older format to this one, in the transaction of the caller: an
    /// interrupted migration leaves the old journal.
    static func migrate(_ database: Database) throws {
        let format = try Int.fetchOne(database, sql: "PRAGMA user_version")!
        if format < 2 {
            try database.execute(
                sql: """
                    ALTER TABLE record ADD COLUMN pick_count INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE record ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
                    \(pickTable)
                    """)
            try separatePicks(database)
        }
        if format < 3 {
            try database.execute(
                sql: """
                    DROP VIEW IF EXISTS trial;
                    DROP VIEW IF EXISTS cycle;
                    DROP VIEW IF EXISTS attempt;
                    \(views)
                    """)
        }
        try database.execute(sql: "PRAGMA user_version = \(Self.format)")
    }

    /// Format 1 had picks in the records, and no checksums.
    private static func separatePicks(_ database: Database) throws {
        let count =
            try Int64.fetchOne(database, sql: "SELECT coalesce(max(sequence), 0) FROM record") ?? 0
        var decoder = RecordDecoder()
        let writer = try RecordWriter(database)
        for sequence in stride(from: Int64(1), through: count, by: 1) {
            guard
                let row = try Row.fetchOne(
                    database, sql: "SELECT time, kind, body FROM record WHERE sequence = ?",
                    arguments: [sequence])
            else { throw DamagedRecord(sequence: sequence, reason: "it is missing") }
            let stored: StoredRecord
            do {
                let kind = Record.Kind(rawValue: row["kind"])
                let record = try (row["body"] as Data).withUnsafeBytes {
                    try decoder.record(kind: kind, body: $0)
                }
                stored = StoredRecord(record, sequence: sequence, time: row["time"])
            } catch {
                throw DamagedRecord(sequence: sequence, reason: "\(error)")
            }
            try database.execute(
                sql: """
                    UPDATE record SET body = ?, pick_count = ?, checksum = ? WHERE sequence = ?
                    """,
                arguments: [
                    String(decoding: stored.body, as: UTF8.self), stored.pickCount, stored.checksum,
                    sequence,
                ])
            try stored.insertPicks(with: writer)
        }
    }
}

/// A record that a transaction cannot go on from.
struct DamagedRecord: Error {
    var sequence: Int64
    var reason: String
}
