/// What is to be sent to one peer in one go, in order: several messages share their frames, where the
/// peer understands that, since version 1.4.
///
/// The body of such a packet has for each message its type, the length of its body in four bytes,
/// least significant first, and its body.
public struct Outbox {
    /// What is sent at once, and the messages in it.
    public struct Packet: Hashable, Sendable {
        public let type: UInt8
        public let body: [UInt8]
        public let messages: [Message]
    }

    /// The type of packets of several messages.
    public static let packetType: UInt8 = 127
    /// So many messages are in a packet at most.
    public static let messageLimit = 1_024
    private static let firstMinorVersion: UInt8 = 4
    private static let prefixByteCount = 5

    private var messages: [Message?] = []
    private var lastOffer: Int?

    public init() {}

    public var isEmpty: Bool { messages.isEmpty }

    /// Of several `ready` only the last counts, so only that is sent.
    public mutating func append(_ message: Message) {
        if case .ready = message {
            if let lastOffer { messages[lastOffer] = nil }
            lastOffer = messages.count
        }
        messages.append(message)
    }

    /// All that was appended since, in as few packets as possible.
    ///
    /// - Parameter version: what the peer speaks.
    public mutating func take(for version: WireVersion) -> [Packet] {
        let waiting = messages.compactMap(\.self)
        messages.removeAll(keepingCapacity: true)
        lastOffer = nil
        guard waiting.count > 1, version.minor >= Self.firstMinorVersion else {
            return waiting.map(Self.single)
        }
        return Self.packets(of: waiting)
    }

    private static func single(_ message: Message) -> Packet {
        Packet(type: message.type.rawValue, body: message.body(), messages: [message])
    }

    private static func packets(of messages: [Message]) -> [Packet] {
        var packets: [Packet] = []
        var (body, members) = ([] as [UInt8], [] as [Message])
        func finish() {
            switch members.count {
            case 0: break
            case 1: packets.append(single(members[0]))
            default: packets.append(Packet(type: packetType, body: body, messages: members))
            }
            body.removeAll(keepingCapacity: true)
            members = []
        }
        for message in messages {
            let content = message.body()
            let byteCount = prefixByteCount + content.count
            if body.count + byteCount > FrameMessage.standardFrameByteLimit
                || members.count == messageLimit
            {
                finish()
            }
            body.append(message.type.rawValue)
            body += UInt32(content.count).littleEndianBytes
            body += content
            members.append(message)
        }
        finish()
        return packets
    }

    /// The messages in what arrived: one, or those of a packet.
    ///
    /// - Throws: also if only one of several cannot be read.
    public static func messages(
        type: UInt8, body: [UInt8]
    ) throws(MessageError) -> [Message] {
        guard type == packetType else { return [try Message(type: type, body: body)] }
        var messages: [Message] = []
        var rest = body[...]
        while !rest.isEmpty {
            guard rest.count >= prefixByteCount else {
                throw .unreadable("a packet ends within a message's length")
            }
            let type = rest.removeFirst()
            let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard count <= rest.count else {
                throw .unreadable("a packet ends within a message")
            }
            guard messages.count < messageLimit else {
                throw .unreadable("a packet of more than \(messageLimit) messages")
            }
            // A packet in a packet has an unknown type here.
            messages.append(try Message(type: type, body: Array(rest.prefix(count))))
            rest = rest.dropFirst(count)
        }
        guard !messages.isEmpty else { throw .unreadable("a packet without messages") }
        return messages
    }
}
