/// The version of the frames and of the messages inside them.
public struct WireVersion: Hashable, Sendable, CustomStringConvertible {
    /// Peers whose major versions differ do not understand each other.
    public let major: UInt8
    /// Peers whose minor versions differ do: a higher one only adds optional fields, and kinds of
    /// messages that it does not send to a lower one.
    public let minor: UInt8

    /// A version as it stands in the first frame.
    public init(major: UInt8, minor: UInt8) {
        self.major = major
        self.minor = minor
    }

    /// What this build speaks.
    public static let current = WireVersion(major: 1, minor: 4)

    /// As people write it: `1.0`.
    public var description: String { "\(major).\(minor)" }
}

/// One message as it crosses the wire: exactly five frames,
/// `[magic and version][type][header][body][crc32c]`.
///
/// The checksum covers the four frames before it, each preceded by its length, so that bytes cannot
/// move from one frame to the next unnoticed.
public struct FrameMessage: Hashable, Sendable {
    /// What the sender speaks; its major part is ours, or decoding would have failed.
    public let version: WireVersion
    /// Which message this is; the codec does not interpret it.
    public let type: UInt8
    /// Who speaks about what: the same layout for every type.
    public let header: [UInt8]
    /// What is said: the layout depends on `type`.
    public let body: [UInt8]

    /// A message to send.
    public init(
        version: WireVersion = .current, type: UInt8, header: [UInt8] = [], body: [UInt8] = []
    ) {
        self.version = version
        self.type = type
        self.header = header
        self.body = body
    }

    /// Frames of a message, never fewer and never more.
    public static let frameCount = 5
    /// The largest frame on the `worker` and `control` sockets, in bytes.
    public static let standardFrameByteLimit = 262_144
    /// The largest frame on the `blob` socket: a chunk of 256 KiB with room to spare, in bytes.
    public static let blobFrameByteLimit = 524_288

    private static let magic: [UInt8] = [0x41, 0x4C, 0x53, 0x57]  // ALSW
    private static let preambleByteCount = 6
    private static let checksumByteCount = 4

    /// The size of the largest of the five frames; a receiver whose limit is lower drops the
    /// connection, so senders look first.
    public var largestFrameByteCount: Int {
        max(Self.preambleByteCount, header.count, body.count)
    }

    /// The five frames.
    public func encode() -> [[UInt8]] {
        let preamble = Self.magic + [version.major, version.minor]
        let covered = [preamble, [type], header, body]
        return covered + [Self.checksum(of: covered).littleEndianBytes]
    }

    /// The message in `frames`.
    ///
    /// The version is looked at before anything else that could differ between versions, so that a
    /// peer of another major version is told so whatever the rest of its message looks like.
    public init(
        frames: [[UInt8]], frameByteLimit: Int = Self.standardFrameByteLimit
    ) throws(FrameError) {
        let version = try Self.version(ofFirstFrame: frames.first)
        guard frames.count == Self.frameCount else {
            throw .wrongFrameCount(frames.count)
        }
        for (part, frame) in zip(FramePart.allCases, frames) where frame.count > frameByteLimit {
            throw .oversized(part, byteCount: frame.count, limit: frameByteLimit)
        }
        try Self.requireLength(Self.preambleByteCount, of: frames[0], .preamble)
        try Self.requireLength(1, of: frames[1], .type)
        try Self.requireLength(Self.checksumByteCount, of: frames[4], .checksum)
        let stated = frames[4].enumerated().reduce(UInt32(0)) { word, byte in
            word | UInt32(byte.element) << (8 * UInt32(byte.offset))
        }
        let computed = Self.checksum(of: Array(frames[..<4]))
        guard stated == computed else {
            throw .wrongChecksum(stated: stated, computed: computed)
        }
        self.init(version: version, type: frames[1][0], header: frames[2], body: frames[3])
    }

    /// Why a message of `frameCount` frames that begins with `firstFrame` is refused, for a receiver
    /// that discarded the others: another version if it states one, else the wrong count.
    public static func refusal(ofFirstFrame firstFrame: [UInt8]?, frameCount: Int) -> FrameError {
        precondition(frameCount != Self.frameCount, "a message of the right count can be decoded")
        do {
            _ = try version(ofFirstFrame: firstFrame)
            return .wrongFrameCount(frameCount)
        } catch {
            return error
        }
    }

    private static func version(ofFirstFrame frame: [UInt8]?) throws(FrameError) -> WireVersion {
        guard let frame else { throw .wrongFrameCount(0) }
        guard frame.count >= preambleByteCount, frame.starts(with: magic) else {
            throw .wrongMagic
        }
        let theirs = WireVersion(major: frame[magic.count], minor: frame[magic.count + 1])
        guard theirs.major == WireVersion.current.major else {
            throw .versionMismatch(theirs: theirs, ours: .current)
        }
        return theirs
    }

    private static func requireLength(
        _ expected: Int, of frame: [UInt8], _ part: FramePart
    ) throws(FrameError) {
        guard frame.count == expected else {
            throw .wrongLength(part, byteCount: frame.count, expected: expected)
        }
    }

    private static func checksum(of frames: [[UInt8]]) -> UInt32 {
        var checksum = CRC32C()
        for frame in frames {
            checksum.update(withLittleEndian: UInt32(frame.count))
            checksum.update(with: frame.span)
        }
        return checksum.value
    }
}

/// Which of the five frames, in their order.
public enum FramePart: String, CaseIterable, Hashable, Sendable {
    /// Magic and version.
    case preamble
    /// One byte that names the message.
    case type
    /// Who speaks about what.
    case header
    /// What is said.
    case body
    /// CRC-32C of the four before it, least significant byte first.
    case checksum
}

/// Why frames are not a message.
public enum FrameError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There are not five.
    case wrongFrameCount(Int)
    /// The first does not begin as ours do: another program speaks.
    case wrongMagic
    /// The peer speaks another major version.
    case versionMismatch(theirs: WireVersion, ours: WireVersion)
    /// A frame is larger than the socket allows.
    case oversized(FramePart, byteCount: Int, limit: Int)
    /// A frame of fixed size has another.
    case wrongLength(FramePart, byteCount: Int, expected: Int)
    /// The message was damaged on the way.
    case wrongChecksum(stated: UInt32, computed: UInt32)

    /// What is wrong with which frame, and both values.
    public var description: String {
        switch self {
        case .wrongFrameCount(let count):
            "a message of \(count) frames; it must have exactly \(FrameMessage.frameCount)"
        case .wrongMagic:
            "a message that is not alsweep's: its first frame does not begin with ALSW"
        case .versionMismatch(let theirs, let ours):
            "the peer speaks protocol \(theirs) and this alsweep \(ours); "
                + "install the same version on both machines"
        case .oversized(let part, let byteCount, let limit):
            "the \(part.rawValue) frame has \(byteCount) bytes; the limit is \(limit)"
        case .wrongLength(let part, let byteCount, let expected):
            "the \(part.rawValue) frame has \(byteCount) bytes instead of \(expected)"
        case .wrongChecksum(let stated, let computed):
            "a damaged message: its checksum says \(Self.hexadecimal(stated)), "
                + "its bytes give \(Self.hexadecimal(computed))"
        }
    }

    private static func hexadecimal(_ word: UInt32) -> String {
        let digits = String(word, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
