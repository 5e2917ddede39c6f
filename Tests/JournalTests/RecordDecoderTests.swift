import Foundation
import SweepModel
import Testing

@testable import Journal

/// A record as format 1 wrote it, and format 2 but for picks.
private func encodedAsWritten(_ record: SweepModel.Record, escapingSlashes: Bool = false) throws
    -> Data
{
    let encoder = JSONEncoder()
    encoder.outputFormatting =
        escapingSlashes ? [.sortedKeys] : [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try encoder.encode(record)
}

private func decoded(
    _ data: Data, as kind: SweepModel.Record.Kind?, _ decoder: inout RecordDecoder
) throws -> SweepModel.Record {
    try data.withUnsafeBytes { try decoder.record(kind: kind, body: $0) }
}

/// Every field of a query set: one that is added later must be added to the scanner too, or every
/// cycle's record goes to the slow parser.
private let fullQuery = QueryResult(
    picks: [7, 0, 49_999], hitRate: 0.125, classCounts: [1, 0, 2], classEntropy: 0.6365,
    meanQ: -0.25, firstLoss: 0.1234567890123456, lastLoss: 3e-17, auc: 0.75, lambda: 0.5)

private func cycle(_ query: QueryResult?, host: String = "node-1") -> SweepModel.Record {
    .cycleAccepted(
        CycleAccepted(
            trial: journaledConfiguration.id, attempt: 12, host: host,
            result: CycleResult(
                cycle: 2, labelled: 2_000, correct: 0, total: 10_000, testLoss: .infinity,
                trainLoss: .leastNonzeroMagnitude, labelledDigest: "ab", weightsDigest: "",
                query: query,
                trainSeconds: 1.5, evaluateSeconds: 1e20, querySeconds: 0)))
}

private func sharedCycle(_ isShared: Bool) -> SweepModel.Record {
    guard case .cycleAccepted(var content) = cycle(fullQuery) else { return cycle(nil) }
    content.result.isShared = isShared
    return .cycleAccepted(content)
}

private let frequentRecords: [SweepModel.Record] = [
    cycle(fullQuery), cycle(nil), sharedCycle(true), sharedCycle(false),
    cycle(fullQuery, host: "rechner/größe 7"),
    cycle(QueryResult(picks: [], hitRate: 0, classCounts: [])),
    .trialAdded(
        TrialAdded(stage: "a b", isTimeSeeded: true, configuration: journaledConfiguration)),
    .attemptStarted(
        AttemptStarted(
            trial: journaledConfiguration.id, attempt: 1, worker: WorkerID("w-1"), host: "h")),
    .trialFinished(
        TrialFinished(trial: journaledConfiguration.id, attempt: 3, modelDigest: "ff")),
]

@Test("the optional fields of a query are all set in the record that these tests use")
func queryFieldsAreAllSet() {
    for (name, value) in Mirror(reflecting: fullQuery).children {
        let mirror = Mirror(reflecting: value)
        #expect(
            mirror.displayStyle != .optional || !mirror.children.isEmpty,
            "set \(name ?? "") in fullQuery, and name it in QueryResult's visit")
    }
}

@Test("frequent records are scanned, and say what the general parser says")
func scannedRecords() throws {
    var decoder = RecordDecoder()
    for record in frequentRecords {
        let data = try encodedAsWritten(record)
        #expect(try decoded(data, as: record.kind, &decoder) == record)
        #expect(decoder.generalCount == 0, "not scanned: \(String(decoding: data, as: UTF8.self))")
        decoder = RecordDecoder()
    }
}

@Test("what the scanner does not expect goes to the general parser")
func generalRecords() throws {
    let odd: [SweepModel.Record] = [
        cycle(fullQuery, host: "a\u{1}"), .coordinatorStarted(epoch: 3),
        .trialFailed(TrialFailed(trial: journaledConfiguration.id, kind: .disk, message: "full")),
    ]
    for record in odd {
        var decoder = RecordDecoder()
        #expect(try decoded(encodedAsWritten(record), as: record.kind, &decoder) == record)
        #expect(decoder.generalCount == 1)
    }
    for record in frequentRecords + odd {
        #expect(try encoded(record) == Array(encodedAsWritten(record)), "written otherwise")
    }
    var decoder = RecordDecoder()
    let escaped = try encodedAsWritten(cycle(nil, host: "a/b"), escapingSlashes: true)
    #expect(try decoded(escaped, as: .cycleAccepted, &decoder) == cycle(nil, host: "a/b"))
    // A kind that the column does not name, or names wrongly.
    let trial = frequentRecords[6]
    #expect(try decoded(encodedAsWritten(trial), as: .trialFinished, &decoder) == trial)
    #expect(try decoded(encodedAsWritten(trial), as: nil, &decoder) == trial)
}

@Test("a body that was cut or changed anywhere is refused, or read as the general parser reads it")
func damagedBodies() throws {
    for record in frequentRecords {
        let whole = Array(try encodedAsWritten(record))
        for place in whole.indices {
            var decoder = RecordDecoder()
            #expect(throws: (any Error).self) {
                try decoded(Data(whole[..<place]), as: record.kind, &decoder)
            }
            for byte in [UInt8(ascii: "}"), UInt8(ascii: "9"), UInt8(ascii: "\""), 0] {
                var changed = whole
                changed[place] = byte
                // No crash and no read beyond the end, whatever it holds.
                _ = try? decoded(Data(changed), as: record.kind, &decoder)
            }
        }
    }
}
