import Foundation
import GRDB
import JSONText
import SweepModel

/// A record as its rows hold it.
struct StoredRecord {
    private let sequence: Int64
    /// Seconds since 1970.
    private let time: Double
    private let kind: String
    private let trial: String?
    /// The record as JSON, but for its picks.
    let body: [UInt8]
    let checksum: Int64
    /// The picks as a JSON array; nil of a record without.
    private let picks: [UInt8]?
    let pickCount: Int

    init(_ record: SweepModel.Record, sequence: Int64, time: Double) {
        self.sequence = sequence
        self.time = time
        kind = record.kind.rawValue
        trial = record.trial?.rawValue
        if let picks = record.picks {
            pickCount = picks.count
            self.picks = JSONWriter.bytes(of: picks)
            body = encoded(record.withPicks([]))
        } else {
            pickCount = 0
            picks = nil
            body = encoded(record)
        }
        var checksum = RecordChecksum(sequence: sequence, time: time)
        checksum.append(kind)
        checksum.append(trial ?? "")
        body.withUnsafeBytes { checksum.append($0) }
        checksum.append(UInt64(pickCount))
        self.checksum = checksum.value
    }

    func insert(with writer: RecordWriter) throws {
        let row = writer.record
        row.bind(sequence, at: 1)
        row.bind(time, at: 2)
        row.bind(kind, at: 3)
        if let trial { row.bind(trial, at: 4) } else { row.bindNull(at: 4) }
        row.bind(text: body, at: 5)
        row.bind(Int64(pickCount), at: 6)
        row.bind(checksum, at: 7)
        try row.insert()
        try insertPicks(with: writer)
    }

    func insertPicks(with writer: RecordWriter) throws {
        guard let picks else { return }
        var checksum = RecordChecksum(sequence: sequence, time: time)
        picks.withUnsafeBytes { checksum.append($0) }
        let row = writer.picks
        row.bind(sequence, at: 1)
        row.bind(text: picks, at: 2)
        row.bind(checksum.value, at: 3)
        try row.insert()
    }
}

/// The statements that insert records, for one transaction.
struct RecordWriter {
    fileprivate let record: RowWriter
    fileprivate let picks: RowWriter

    init(_ database: Database) throws {
        record = try RowWriter(
            database,
            sql: """
                INSERT INTO record (sequence, time, kind, trial, body, pick_count, checksum)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """)
        picks = try RowWriter(
            database, sql: "INSERT INTO pick (sequence, picks, checksum) VALUES (?, ?, ?)")
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

func encoded(_ record: SweepModel.Record) -> [UInt8] {
    if let json = record.json { return json }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    // Records hold numbers, text and lists of them: nothing that JSON could not hold.
    return Array(try! encoder.encode(record))
}
