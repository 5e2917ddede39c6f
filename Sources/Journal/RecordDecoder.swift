import Foundation
import SweepModel

/// Decodes the records of a journal, the frequent ones by hand.
struct RecordDecoder {
    private let decoder: JSONDecoder
    /// What stands in a few forms in all records of a run, by its bytes.
    private var protocols: [Data: StudyProtocol] = [:]
    private var strategies: [Data: Strategy] = [:]
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
        if let kind, let record = try? scanned(kind, body) { return record }
        generalCount += 1
        return try decoder.decode(SweepModel.Record.self, from: Data(body))
    }

    /// - Parameter text: a JSON array of whole numbers.
    func picks(_ text: UnsafeRawBufferPointer) throws -> [Int] {
        var scanner = JSONScanner(text)
        let picks = try scanner.integers()
        try scanner.expectEnd()
        return picks
    }

    /// nil if the kind is too rare to have a scanner.
    private mutating func scanned(
        _ kind: SweepModel.Record.Kind, _ body: UnsafeRawBufferPointer
    ) throws -> SweepModel.Record? {
        var scanner = JSONScanner(body)
        try scanner.expect("{\"content\":{")
        let record: SweepModel.Record
        switch kind {
        case .cycleAccepted:
            record = .cycleAccepted(try scanner.cycle())
            try scanner.expect("},\"kind\":\"cycle_accepted\"}")
        case .trialAdded:
            record = .trialAdded(try trial(&scanner))
            try scanner.expect("},\"kind\":\"trial_added\"}")
        case .attemptStarted:
            record = .attemptStarted(try scanner.attempt())
            try scanner.expect("},\"kind\":\"attempt_started\"}")
        case .trialFinished:
            record = .trialFinished(try scanner.end())
            try scanner.expect("},\"kind\":\"trial_finished\"}")
        case .sweepSubmitted, .seedsAdded, .coordinatorStarted, .stepsChosen, .cycleDisputed,
            .attemptEnded, .trialFailed, .pauseSet, .trialCancelled, .trialRetried, .prioritySet,
            .drainSet:
            return nil
        }
        try scanner.expectEnd()
        return record
    }

    private mutating func trial(_ scanner: inout JSONScanner) throws -> TrialAdded {
        try scanner.expect("\"configuration\":{\"dataset\":")
        guard let dataset = DatasetName(rawValue: try scanner.string()) else {
            throw JSONScanner.Mismatch()
        }
        try scanner.expect(",\"protocol\":")
        let studyProtocol = try value(scanner.object(), in: &protocols)
        try scanner.expect(",\"seed\":")
        let seed = try scanner.unsignedInteger()
        try scanner.expect(",\"strategy\":")
        let strategy = try value(scanner.object(), in: &strategies)
        try scanner.expect("},\"stage\":")
        let stage = try scanner.string()
        try scanner.expect(",\"time_seeded\":")
        let isTimeSeeded = scanner.skip("true")
        if !isTimeSeeded { try scanner.expect("false") }
        return TrialAdded(
            stage: stage, isTimeSeeded: isTimeSeeded,
            configuration: TrialConfiguration(
                dataset: dataset, strategy: strategy, seed: seed, studyProtocol: studyProtocol))
    }

    private func value<Value: Decodable>(
        _ bytes: UnsafeRawBufferPointer, in known: inout [Data: Value]
    ) throws -> Value {
        let data = Data(bytes)
        if let value = known[data] { return value }
        let value = try decoder.decode(Value.self, from: data)
        known[data] = value
        return value
    }
}

extension JSONScanner {
    fileprivate mutating func attempt() throws(Mismatch) -> AttemptStarted {
        try expect("\"attempt\":")
        let attempt = try integer()
        try expect(",\"host\":")
        let host = try string()
        try expect(",\"trial\":")
        let trial = try string()
        try expect(",\"worker\":")
        return AttemptStarted(
            trial: TrialID(trial), attempt: attempt, worker: WorkerID(try string()), host: host)
    }

    fileprivate mutating func end() throws(Mismatch) -> TrialFinished {
        try expect("\"attempt\":")
        let attempt = try integer()
        try expect(",\"model_digest\":")
        let digest = try string()
        try expect(",\"trial\":")
        return TrialFinished(
            trial: TrialID(try string()), attempt: attempt, modelDigest: digest)
    }

    fileprivate mutating func cycle() throws(Mismatch) -> CycleAccepted {
        try expect("\"attempt\":")
        let attempt = try integer()
        try expect(",\"host\":")
        let host = try string()
        try expect(",\"result\":{")
        let result = try result()
        try expect("},\"trial\":")
        return CycleAccepted(
            trial: TrialID(try string()), attempt: attempt, host: host, result: result)
    }

    private mutating func result() throws(Mismatch) -> CycleResult {
        try expect("\"correct\":")
        let correct = try integer()
        try expect(",\"cycle\":")
        let cycle = try integer()
        try expect(",\"evaluate_seconds\":")
        let evaluateSeconds = try number()
        try expect(",\"labelled\":")
        let labelled = try integer()
        try expect(",\"labelled_digest\":")
        let labelledDigest = try string()
        let query = skip(",\"query\":{") ? try query() : nil
        try expect(",\"query_seconds\":")
        let querySeconds = try number()
        var isShared: Bool?
        if skip(",\"shared\":") {
            isShared = skip("true")
            if isShared == false { try expect("false") }
        }
        try expect(",\"test_loss\":")
        let testLoss = try number()
        try expect(",\"total\":")
        let total = try integer()
        try expect(",\"train_loss\":")
        let trainLoss = try number()
        try expect(",\"train_seconds\":")
        let trainSeconds = try number()
        try expect(",\"weights_digest\":")
        var result = CycleResult(
            cycle: cycle, labelled: labelled, correct: correct, total: total, testLoss: testLoss,
            trainLoss: trainLoss, labelledDigest: labelledDigest, weightsDigest: try string(),
            query: query, trainSeconds: trainSeconds, evaluateSeconds: evaluateSeconds,
            querySeconds: querySeconds)
        result.isShared = isShared
        return result
    }

    /// To the end of the query's object. A field that is not known here makes every record of a
    /// query slow to read, and a test fail.
    private mutating func query() throws(Mismatch) -> QueryResult {
        var query = QueryResult(picks: [], hitRate: .nan, classCounts: [])
        if skip("\"auc\":") {
            query.auc = try number()
            try expect(",")
        }
        try expect("\"class_counts\":")
        query.classCounts = try integers()
        if skip(",\"class_entropy\":") { query.classEntropy = try number() }
        if skip(",\"first_loss\":") { query.firstLoss = try number() }
        try expect(",\"hit_rate\":")
        query.hitRate = try number()
        if skip(",\"lambda\":") { query.lambda = try number() }
        if skip(",\"last_loss\":") { query.lastLoss = try number() }
        if skip(",\"mean_q\":") { query.meanQ = try number() }
        try expect(",\"picks\":")
        query.picks = try integers()
        try expect("}")
        return query
    }
}
