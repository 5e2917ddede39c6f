import JSONText
import SweepModel

// The messages that a coordinator handles by the thousand, each by the list of its fields. The others
// go through the general coder, and so does every message that another program wrote in another form.

extension Verdict: JSONValue {}

extension Header: JSONObject {
    public static var blank: Header {
        Header(run: "", epoch: 0, worker: WorkerID(""), messageNumber: 0)
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("epoch", &epoch)
        try fields.field("message_number", &messageNumber)
        try fields.field("run", &run)
        try fields.field("worker", &worker)
    }
}

extension Lease: JSONObject {
    public static var blank: Lease { Lease(trial: TrialID(""), attempt: 0) }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("attempt", &attempt)
        try fields.field("trial", &trial)
    }
}

extension ComputingOffer: JSONObject {
    public static var blank: ComputingOffer {
        ComputingOffer(engine: .onednn, precision: .float32)
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("engine", &engine)
        try fields.field("precision", &precision)
    }
}

extension Hello: JSONObject {
    public static var blank: Hello {
        Hello(host: "", slots: 0, softwareVersion: "", offers: nil, attempts: [])
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("attempts", &attempts)
        try fields.field("host", &host)
        try fields.field("offers", optional: &offers)
        try fields.field("remaining_ms", optional: &remainingMs)
        try fields.field("slots", &slots)
        try fields.field("software_version", &softwareVersion)
    }
}

extension Ready: JSONObject {
    public static var blank: Ready { Ready(freeSlots: 0, assignmentsReceived: 0) }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("assignments_received", &assignmentsReceived)
        try fields.field("free_slots", &freeSlots)
    }
}

extension AttemptProgress: JSONObject {
    public static var blank: AttemptProgress {
        AttemptProgress(lease: .blank, cycle: 0, epoch: 0)
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("cycle", &cycle)
        try fields.field("epoch", &epoch)
        try fields.field("lease", &lease)
    }
}

extension Heartbeat: JSONObject {
    public static var blank: Heartbeat {
        Heartbeat(number: 0, assignmentsReceived: 0, attempts: [])
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("assignments_received", &assignmentsReceived)
        try fields.field("attempts", &attempts)
        try fields.field("gpus", optional: &gpus)
        try fields.field("number", &number)
    }
}

extension GPULoad: JSONObject {
    public static var blank: GPULoad { GPULoad(gpu: .blank, trials: 0, slots: 0) }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("gpu", &gpu)
        try fields.field("slots", &slots)
        try fields.field("trials", &trials)
    }
}

extension Report: JSONObject {
    public static var blank: Report { Report(number: 0, lease: .blank, content: .released) }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("content", &content)
        try fields.field("lease", &lease)
        try fields.field("number", &number)
    }
}

/// An object with the case's name as its key, and an object of its values in it.
extension ReportContent: JSONValue {
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        switch self {
        case .cycle(var result):
            Self.begin("cycle", in: &writer)
            writer.field("_0", &result)
        case .finished(var modelDigest):
            Self.begin("finished", in: &writer)
            writer.field("modelDigest", &modelDigest)
        case .failed(var kind, var message):
            Self.begin("failed", in: &writer)
            writer.field("kind", &kind)
            writer.field("message", &message)
        case .released: Self.begin("released", in: &writer)
        }
        writer.endObject()
        writer.endObject()
    }

    public static func read(
        from scanner: inout JSONScanner
    ) throws(JSONMismatch) -> ReportContent {
        try scanner.beginObject()
        let content: ReportContent
        if try begin("cycle", in: &scanner) {
            var result = CycleResult.blank
            try scanner.field("_0", &result)
            content = .cycle(result)
        } else if try begin("finished", in: &scanner) {
            var digest = ""
            try scanner.field("modelDigest", &digest)
            content = .finished(modelDigest: digest)
        } else if try begin("failed", in: &scanner) {
            var (kind, message) = (FailureKind.crash, "")
            try scanner.field("kind", &kind)
            try scanner.field("message", &message)
            content = .failed(kind: kind, message: message)
        } else if try begin("released", in: &scanner) {
            content = .released
        } else {
            throw JSONMismatch()
        }
        try scanner.endObject()
        try scanner.endObject()
        return content
    }

    private static func begin(_ name: StaticString, in writer: inout JSONWriter) {
        writer.append(key: name)
        writer.beginObject()
    }

    private static func begin(
        _ name: StaticString, in scanner: inout JSONScanner
    ) throws(JSONMismatch) -> Bool {
        guard scanner.skip(key: name) else { return false }
        try scanner.beginObject()
        return true
    }
}

extension AttemptVerdict: JSONObject {
    public static var blank: AttemptVerdict { AttemptVerdict(lease: .blank, verdict: .fence) }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("lease", &lease)
        try fields.field("verdict", &verdict)
    }
}

extension Welcome: JSONObject {
    public static var blank: Welcome {
        Welcome(leaseMs: 0, heartbeatMs: 0, softwareVersion: "", verdicts: [])
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("blob_endpoint", optional: &blobEndpoint)
        try fields.field("hang_ms", optional: &hangMs)
        try fields.field("heartbeat_ms", &heartbeatMs)
        try fields.field("lease_ms", &leaseMs)
        try fields.field("software_version", &softwareVersion)
        try fields.field("verdicts", &verdicts)
    }
}

extension Assignment: JSONObject {
    public static var blank: Assignment {
        Assignment(lease: .blank, configuration: .blank, runFolder: "")
    }

    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("configuration", &configuration)
        try fields.field("lease", &lease)
        try fields.field("run_folder", &runFolder)
    }
}

/// The body of an answer that names what it answers.
struct Numbered: Codable, Hashable, JSONObject {
    var number: UInt64

    static var blank: Numbered { Numbered(number: 0) }

    mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("number", &number)
    }
}
