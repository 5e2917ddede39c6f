import FoundationEssentials
import JSONText
import SweepModel

/// A message whose type or body cannot be read.
public enum MessageError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownType(UInt8)
    case unreadable(String)

    public var description: String {
        switch self {
        case .unknownType(let type): "message type \(type) is not known"
        case .unreadable(let reason): "the message cannot be read: \(reason)"
        }
    }
}

extension Message {
    public var type: MessageType {
        switch self {
        case .hello: .hello
        case .ready: .ready
        case .heartbeat: .heartbeat
        case .report: .report
        case .goodbye: .goodbye
        case .welcome: .welcome
        case .helloWanted: .helloWanted
        case .assign: .assign
        case .acknowledge: .acknowledge
        case .fenced: .fenced
        case .renewed: .renewed
        case .stop: .stop
        case .refused: .refused
        case .command: .command
        case .commandAnswered: .commandAnswered
        case .workersAsked: .workersAsked
        case .workersTold: .workersTold
        }
    }

    /// The body's JSON. The same message gives the same bytes.
    public func body() -> [UInt8] {
        switch self {
        case .hello(let content): bodyBytes(content)
        case .ready(let content): bodyBytes(content)
        case .heartbeat(let content): bodyBytes(content)
        case .report(let content): bodyBytes(content)
        case .goodbye(let content): bodyBytes(content)
        case .welcome(let content): bodyBytes(content)
        case .helloWanted, .workersAsked: bodyBytes(Goodbye())
        case .assign(let content): bodyBytes(content)
        case .acknowledge(let report): bodyBytes(Numbered(number: report))
        case .fenced(let content): bodyBytes(content)
        case .renewed(let heartbeat): bodyBytes(Numbered(number: heartbeat))
        case .stop(let reason): bodyBytes(Reasoned(reason: reason.rawValue))
        case .refused(let reason): bodyBytes(Reasoned(reason: reason))
        case .command(let command): bodyBytes(command)
        case .commandAnswered(let answer): bodyBytes(answer)
        case .workersTold(let told): bodyBytes(told)
        }
    }

    public init(type: UInt8, body: [UInt8]) throws(MessageError) {
        guard let type = MessageType(rawValue: type) else { throw .unknownType(type) }
        self =
            switch type {
            case .hello: .hello(try decode(body))
            case .ready: .ready(try decode(body))
            case .heartbeat: .heartbeat(try decode(body))
            case .report: .report(try decode(body))
            case .goodbye: .goodbye(try decode(body))
            case .welcome: .welcome(try decode(body))
            case .helloWanted: .helloWanted
            case .assign: .assign(try decode(body))
            case .acknowledge: .acknowledge(report: try decode(body, as: Numbered.self).number)
            case .fenced: .fenced(try decode(body))
            case .renewed: .renewed(heartbeat: try decode(body, as: Numbered.self).number)
            case .stop: .stop(try Self.stopReason(body))
            case .refused: .refused(reason: try decode(body, as: Reasoned.self).reason)
            case .command: .command(try decode(body))
            case .commandAnswered: .commandAnswered(try decode(body))
            case .workersAsked: .workersAsked
            case .workersTold: .workersTold(try decode(body))
            }
    }

    private static func stopReason(_ body: [UInt8]) throws(MessageError) -> StopReason {
        let word = try decode(body, as: Reasoned.self).reason
        guard let reason = StopReason(rawValue: word) else {
            throw .unreadable("unknown reason to stop '\(word)'")
        }
        return reason
    }
}

extension Header {
    /// The header's JSON. The same header gives the same bytes.
    public func bytes() -> [UInt8] { bodyBytes(self) }

    public init(bytes: [UInt8]) throws(MessageError) { self = try decode(bytes) }
}

private struct Reasoned: Codable { var reason: String }

/// The JSON of a content that is frequent enough to have a list of its fields.
func bodyBytes(_ content: some Encodable & JSONObject) -> [UInt8] { JSONWriter.bytes(of: content) }

func bodyBytes(_ content: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    // Messages hold numbers, text and lists of them: nothing that JSON could not hold.
    return Array(try! encoder.encode(content))
}

/// Scans what a writer of this program wrote; whatever else it may be, the general parser reads.
func decode<Content: Decodable & JSONObject>(
    _ bytes: [UInt8], as type: Content.Type = Content.self
) throws(MessageError) -> Content {
    if let content = bytes.withUnsafeBytes({ try? Content(json: $0) }) { return content }
    return try decodeGenerally(bytes)
}

func decode<Content: Decodable>(
    _ bytes: [UInt8], as type: Content.Type = Content.self
) throws(MessageError) -> Content {
    try decodeGenerally(bytes)
}

private func decodeGenerally<Content: Decodable>(
    _ bytes: [UInt8]
) throws(MessageError) -> Content {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do {
        return try decoder.decode(Content.self, from: Data(bytes))
    } catch {
        throw .unreadable("\(error)")
    }
}
