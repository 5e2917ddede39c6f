import Foundation
import GRDB
import SweepModel

/// A record as its rows hold it.
struct StoredRecord {
    private let sequence: Int64
    /// Seconds since 1970.
    private let time: Double
    private let kind: String
    private let trial: String?
    /// The record as JSON, but for its picks.
    let body: String
    let checksum: Int64
    /// The picks as a JSON array; nil of a record without.
    private let picks: String?
    let pickCount: Int

    init(_ record: SweepModel.Record, sequence: Int64, time: Double) {
        self.sequence = sequence
        self.time = time
        kind = record.kind.rawValue
        trial = record.trial?.rawValue
        pickCount = record.picks?.count ?? 0
        picks = record.picks.map { "[" + $0.map(String.init).joined(separator: ",") + "]" }
        body = encoded(record.withPicks([]))
        var checksum = RecordChecksum(sequence: sequence, time: time)
        checksum.append(kind)
        checksum.append(trial ?? "")
        checksum.append(body)
        checksum.append(UInt64(pickCount))
        self.checksum = checksum.value
    }

    func insert(in database: Database) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO record (sequence, time, kind, trial, body, pick_count, checksum)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """)
        try statement.execute(
            arguments: [sequence, time, kind, trial, body, pickCount, checksum])
        try insertPicks(in: database)
    }

    func insertPicks(in database: Database) throws {
        guard let picks else { return }
        var checksum = RecordChecksum(sequence: sequence, time: time)
        checksum.append(picks)
        let statement = try database.cachedStatement(
            sql: "INSERT INTO pick (sequence, picks, checksum) VALUES (?, ?, ?)")
        try statement.execute(arguments: [sequence, picks, checksum.value])
    }
}

extension SweepModel.Record {
    /// What a query picked, if there are any.
    var picks: [Int]? {
        switch self {
        case .cycleAccepted(let content), .cycleDisputed(let content):
            content.result.query.flatMap { $0.picks.isEmpty ? nil : $0.picks }
        default: nil
        }
    }

    /// The same record with other picks, if it is one of a query.
    func withPicks(_ picks: [Int]) -> Self {
        switch self {
        case .cycleAccepted(var content):
            content.result.query?.picks = picks
            return .cycleAccepted(content)
        case .cycleDisputed(var content):
            content.result.query?.picks = picks
            return .cycleDisputed(content)
        default: return self
        }
    }
}

func encoded(_ record: SweepModel.Record) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    // Records hold numbers, text and lists of them: nothing that JSON could not hold.
    return String(decoding: try! encoder.encode(record), as: UTF8.self)
}
