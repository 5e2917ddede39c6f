import FoundationEssentials
import SweepModel

/// A file that coordinator and workers give each other, named by what it is: no path crosses the wire.
public enum BlobItem: Codable, Hashable, Sendable {
    /// A trial's state after its last finished cycle.
    case checkpoint(TrialID)
    /// A trial's final network.
    case model(TrialID)
    /// One of a dataset's files, counted from 0 in the order of the coordinator's.
    case dataset(DatasetName, file: Int)

    /// No file of this kind is larger, in bytes; what claims to be is refused before any of it is
    /// stored.
    public var byteLimit: Int {
        switch self {
        case .checkpoint, .model: 4 << 30
        case .dataset: 256 << 20
        }
    }
}

/// The SHA-256 of a blob: 64 lower-case hexadecimal digits and nothing else, so that it may name a file.
public struct BlobDigest: Hashable, Sendable, CustomStringConvertible {
    public let hexadecimal: String

    public init?(_ hexadecimal: String) {
        guard hexadecimal.utf8.count == 64,
            hexadecimal.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        self.hexadecimal = hexadecimal
    }

    public var description: String { hexadecimal }
}

extension BlobDigest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let digest = BlobDigest(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "not a SHA-256 in hexadecimal")
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hexadecimal)
    }
}

/// What a sender has.
public struct BlobDescription: Codable, Hashable, Sendable {
    public var digest: BlobDigest
    public var byteCount: Int
    /// Of a checkpoint: the cycles it holds.
    public var cycles: Int?
    /// Of a dataset's file: its name in its folder, and how many files the dataset has.
    public var name: String?
    public var fileCount: Int?

    public init(
        digest: BlobDigest, byteCount: Int, cycles: Int? = nil, name: String? = nil,
        fileCount: Int? = nil
    ) {
        self.digest = digest
        self.byteCount = byteCount
        self.cycles = cycles
        self.name = name
        self.fileCount = fileCount
    }

    enum CodingKeys: String, CodingKey {
        case digest, cycles, name
        case byteCount = "byte_count"
        case fileCount = "file_count"
    }
}

/// What coordinator and worker say on the `blob` socket. The receiver asks for every chunk, so it
/// decides how much is under way, and where to go on after a break.
public enum BlobContent: Hashable, Sendable {
    /// From a worker: it has this to give. Repeated until it is answered with `want`, `stored` or
    /// `refused`.
    case offer(BlobDescription, attempt: Int)
    /// From a worker: has the coordinator this? Repeated until it is answered with `found`, `absent`
    /// or `refused`.
    case find
    case found(BlobDescription)
    case absent
    /// The chunk that begins here, please.
    case want(BlobDigest, offset: Int)
    case chunk(BlobDigest, offset: Int, bytes: [UInt8])
    /// The whole of it is on the coordinator's disk, or something newer is.
    case stored(BlobDigest)
    /// Not now, or never.
    case refused(reason: String, mayPass: Bool)

    /// Bytes of every chunk but the last of a blob.
    public static let chunkByteCount = 262_144
}

/// A message on the `blob` socket, whose types are numbered apart from those of the others. Header:
/// `BlobHeader` as JSON. Body: JSON, or a chunk's bytes as they are.
public struct BlobMessage: Hashable, Sendable {
    /// The worker that speaks, or that is spoken to.
    public var worker: WorkerID
    public var item: BlobItem
    public var content: BlobContent

    public init(worker: WorkerID, item: BlobItem, content: BlobContent) {
        self.worker = worker
        self.item = item
        self.content = content
    }

    /// A number is never used again for something else.
    private enum Kind: UInt8 {
        case offer = 129
        case find = 130
        case found = 131
        case absent = 132
        case want = 133
        case chunk = 134
        case stored = 135
        case refused = 136
    }

    private struct BlobHeader: Codable {
        var worker: WorkerID
        var item: BlobItem
        var digest: BlobDigest?
        var offset: Int?
        var attempt: Int?
    }

    private struct Refusal: Codable {
        var reason: String
        var mayPass: Bool

        enum CodingKeys: String, CodingKey {
            case reason
            case mayPass = "may_pass"
        }
    }

    public func frames() -> FrameMessage {
        var header = BlobHeader(worker: worker, item: item)
        var body: [UInt8] = []
        let kind: Kind
        switch content {
        case .offer(let description, let attempt):
            (kind, body, header.attempt) = (.offer, bodyBytes(description), attempt)
        case .find: kind = .find
        case .found(let description): (kind, body) = (.found, bodyBytes(description))
        case .absent: kind = .absent
        case .want(let digest, let offset):
            (kind, header.digest, header.offset) = (.want, digest, offset)
        case .chunk(let digest, let offset, let bytes):
            (kind, header.digest, header.offset, body) = (.chunk, digest, offset, bytes)
        case .stored(let digest): (kind, header.digest) = (.stored, digest)
        case .refused(let reason, let mayPass):
            (kind, body) = (.refused, bodyBytes(Refusal(reason: reason, mayPass: mayPass)))
        }
        return FrameMessage(type: kind.rawValue, header: bodyBytes(header), body: body)
    }

    public init(_ frames: FrameMessage) throws(MessageError) {
        guard let kind = Kind(rawValue: frames.type) else { throw .unknownType(frames.type) }
        let header: BlobHeader = try decode(frames.header)
        worker = header.worker
        item = header.item
        switch kind {
        case .offer:
            guard let attempt = header.attempt else {
                throw .unreadable("an offer without attempt")
            }
            content = .offer(try decode(frames.body), attempt: attempt)
        case .find: content = .find
        case .found: content = .found(try decode(frames.body))
        case .absent: content = .absent
        case .want:
            let (digest, offset) = try Self.place(header)
            content = .want(digest, offset: offset)
        case .chunk:
            let (digest, offset) = try Self.place(header)
            content = .chunk(digest, offset: offset, bytes: frames.body)
        case .stored:
            guard let digest = header.digest else { throw .unreadable("stored, but what?") }
            content = .stored(digest)
        case .refused:
            let refusal: Refusal = try decode(frames.body)
            content = .refused(reason: refusal.reason, mayPass: refusal.mayPass)
        }
    }

    private static func place(_ header: BlobHeader) throws(MessageError) -> (BlobDigest, Int) {
        guard let digest = header.digest, let offset = header.offset, offset >= 0 else {
            throw .unreadable("a chunk without digest or offset")
        }
        return (digest, offset)
    }
}
