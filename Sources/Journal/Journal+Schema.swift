extension Journal {
    /// One table that is only appended to, and views of it for people with sqlite3.
    static let schema = """
        CREATE TABLE record (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            time REAL NOT NULL,
            kind TEXT NOT NULL,
            trial TEXT,
            body TEXT NOT NULL
        );
        CREATE INDEX record_trial ON record (trial, kind);

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
                    WHEN 'trial_failed' THEN 'failed' END
                FROM record AS last
                WHERE last.trial = record.trial AND last.kind IN
                    ('attempt_started', 'attempt_ended', 'trial_finished', 'trial_failed')
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
}
