import JSONText

extension Record {
    /// The JSON of a record of a frequent kind; nil of the others, for which there is a general coder.
    public var json: [UInt8]? {
        switch self {
        case .trialAdded(var content): json(of: &content)
        case .attemptStarted(var content): json(of: &content)
        case .cycleAccepted(var content), .cycleDisputed(var content): json(of: &content)
        case .trialFinished(var content): json(of: &content)
        case .sweepSubmitted, .sweepExtended, .seedsAdded, .coordinatorStarted, .stepsChosen,
            .attemptEnded, .trialFailed, .pauseSet, .trialCancelled, .trialRetried, .prioritySet,
            .drainSet:
            nil
        }
    }

    /// Scans the JSON of a record of a frequent kind.
    ///
    /// - Returns: nil if it is of another kind, or in another form: a general parser reads it then.
    public init?(scanning json: UnsafeRawBufferPointer, kind: Kind) {
        do throws(JSONMismatch) {
            switch kind {
            case .trialAdded: self = .trialAdded(try Self.content(of: json, kind))
            case .attemptStarted: self = .attemptStarted(try Self.content(of: json, kind))
            case .cycleAccepted: self = .cycleAccepted(try Self.content(of: json, kind))
            case .cycleDisputed: self = .cycleDisputed(try Self.content(of: json, kind))
            case .trialFinished: self = .trialFinished(try Self.content(of: json, kind))
            case .sweepSubmitted, .sweepExtended, .seedsAdded, .coordinatorStarted, .stepsChosen,
                .attemptEnded, .trialFailed, .pauseSet, .trialCancelled, .trialRetried,
                .prioritySet, .drainSet:
                return nil
            }
        } catch {
            return nil
        }
    }

    private func json(of content: inout some JSONObject) -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        var kind = kind
        writer.beginObject()
        writer.field("content", &content)
        writer.field("kind", &kind)
        writer.endObject()
        return writer.bytes
    }

    private static func content<Content: JSONObject>(
        of json: UnsafeRawBufferPointer, _ kind: Kind
    ) throws(JSONMismatch) -> Content {
        var scanner = JSONScanner(json)
        var content = Content.blank
        var stated = kind
        try scanner.beginObject()
        try scanner.field("content", &content)
        try scanner.field("kind", &stated)
        try scanner.endObject()
        try scanner.expectEnd()
        guard stated == kind else { throw JSONMismatch() }
        return content
    }
}

extension Record.Kind: JSONValue {}

extension TrialAdded: JSONObject {
    public static var blank: TrialAdded {
        TrialAdded(stage: "", isTimeSeeded: false, configuration: .blank)
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("configuration", &configuration)
        try fields.field("stage", &stage)
        try fields.field("time_seeded", &isTimeSeeded)
    }
}

extension AttemptStarted: JSONObject {
    public static var blank: AttemptStarted {
        AttemptStarted(trial: TrialID(""), attempt: 0, worker: WorkerID(""), host: "")
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("attempt", &attempt)
        try fields.field("host", &host)
        try fields.field("trial", &trial)
        try fields.field("worker", &worker)
    }
}

extension CycleAccepted: JSONObject {
    public static var blank: CycleAccepted {
        CycleAccepted(trial: TrialID(""), attempt: 0, host: "", result: .blank)
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("attempt", &attempt)
        try fields.field("host", &host)
        try fields.field("result", &result)
        try fields.field("trial", &trial)
    }
}

extension TrialFinished: JSONObject {
    public static var blank: TrialFinished {
        TrialFinished(trial: TrialID(""), attempt: 0, modelDigest: "")
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("attempt", &attempt)
        try fields.field("model_digest", &modelDigest)
        try fields.field("trial", &trial)
    }
}
