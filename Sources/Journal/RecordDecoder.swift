import Foundation
import JSONText
import SweepModel

/// Decodes the records of a journal, the frequent ones with a scanner.
struct RecordDecoder {
    private let decoder: JSONDecoder
    /// The last trial's. All trials of a run have one of a few, and share it in memory.
    private var lastProtocol: StudyProtocol?
    /// Records that needed the general parser.
    private(set) var generalCount = 0

    init() {
        decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    }

    /// - Parameters:
    ///   - kind: as the journal's column says.
    ///   - body: the record as JSON.
    mutating func record(
        kind: SweepModel.Record.Kind?, body: UnsafeRawBufferPointer
    ) throws -> SweepModel.Record {
        guard let kind, let record = SweepModel.Record(scanning: body, kind: kind) else {
            generalCount += 1
            return try decoder.decode(SweepModel.Record.self, from: Data(body))
        }
        guard case .trialAdded(var trial) = record else { return record }
        if let lastProtocol, lastProtocol == trial.configuration.studyProtocol {
            trial.configuration.studyProtocol = lastProtocol
        } else {
            lastProtocol = trial.configuration.studyProtocol
        }
        return .trialAdded(trial)
    }

    /// - Parameter text: a JSON array of whole numbers.
    func picks(_ text: UnsafeRawBufferPointer) throws -> [Int] {
        var scanner = JSONScanner(text)
        let picks = try [Int].read(from: &scanner)
        try scanner.expectEnd()
        return picks
    }
}
