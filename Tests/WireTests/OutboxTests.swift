import SweepModel
import Testing

@testable import Wire

@Suite("Several messages in one packet")
struct OutboxTests {
    private static let older = WireVersion(major: WireVersion.current.major, minor: 3)

    private static func packets(
        of messages: [Message], for version: WireVersion = .current
    ) -> [Outbox.Packet] {
        var outbox = Outbox()
        for message in messages { outbox.append(message) }
        let packets = outbox.take(for: version)
        #expect(outbox.isEmpty)
        return packets
    }

    private static func messages(_ packets: [Outbox.Packet]) throws -> [Message] {
        try packets.flatMap { try Outbox.messages(type: $0.type, body: $0.body) }
    }

    @Test("they come back in their order")
    func roundTrip() throws {
        let packets = Self.packets(of: everyMessage)
        #expect(packets.map(\.type) == [Outbox.packetType])
        #expect(packets.map(\.messages) == [everyMessage])
        #expect(try Self.messages(packets) == everyMessage)
    }

    @Test("one alone, and those for a peer of version 1.3, are sent as they always were")
    func single() throws {
        let alone = Self.packets(of: [.helloWanted])
        #expect(alone.map(\.type) == [MessageType.helloWanted.rawValue])
        #expect(alone.map(\.body) == [Message.helloWanted.body()])
        let separate = Self.packets(of: everyMessage, for: Self.older)
        #expect(separate.map(\.type) == everyMessage.map(\.type.rawValue))
        #expect(try Self.messages(separate) == everyMessage)
        #expect(Self.packets(of: []).isEmpty)
    }

    @Test("of several offers the last is sent, at its place")
    func offers() throws {
        let offers = (1...3).map { Message.ready(Ready(freeSlots: $0, assignmentsReceived: $0)) }
        let packets = Self.packets(of: [offers[0], .goodbye(Goodbye()), offers[1], offers[2]])
        #expect(try Self.messages(packets) == [.goodbye(Goodbye()), offers[2]])
        // An outbox that was emptied has forgotten its last offer.
        var outbox = Outbox()
        outbox.append(offers[0])
        _ = outbox.take(for: .current)
        outbox.append(.helloWanted)
        outbox.append(offers[1])
        #expect(try Self.messages(outbox.take(for: .current)) == [.helloWanted, offers[1]])
    }

    @Test("a packet stays within the limits of messages and bytes")
    func limits() throws {
        let many = (0..<UInt64(2 * Outbox.messageLimit + 1)).map { Message.acknowledge(report: $0) }
        let packets = Self.packets(of: many)
        #expect(packets.map(\.messages.count) == [Outbox.messageLimit, Outbox.messageLimit, 1])
        #expect(packets.last?.type == MessageType.acknowledge.rawValue)
        #expect(try Self.messages(packets) == many)
        let limit = FrameMessage.standardFrameByteLimit
        let large = (0..<5).map {
            Message.refused(reason: String(repeating: "\($0)", count: limit / 2 - 64))
        }
        let split = Self.packets(of: large)
        #expect(split.map(\.messages.count) == [2, 2, 1])
        #expect(split.allSatisfy { $0.body.count <= limit })
        #expect(try Self.messages(split) == large)
        // What fits nowhere is left to the socket, which says so.
        let giant = Message.refused(reason: String(repeating: "x", count: limit))
        #expect(Self.packets(of: [.helloWanted, giant, .helloWanted]).count == 3)
    }

    @Test("what ends too early, is empty, too many or nested is an error")
    func damaged() throws {
        let whole = Self.packets(of: [.helloWanted, .acknowledge(report: 1)])[0]
        let ends = [0, 5 + Message.helloWanted.body().count, whole.body.count]
        for count in whole.body.indices where !ends.contains(count) {
            #expect(throws: MessageError.self) {
                try Outbox.messages(type: Outbox.packetType, body: Array(whole.body[..<count]))
            }
        }
        #expect(throws: MessageError.unreadable("a packet without messages")) {
            try Outbox.messages(type: Outbox.packetType, body: [])
        }
        let nested =
            [Outbox.packetType] + UInt32(whole.body.count).littleEndianBytes + whole.body
        #expect(throws: MessageError.unknownType(Outbox.packetType)) {
            try Outbox.messages(type: Outbox.packetType, body: nested)
        }
        let one = [MessageType.helloWanted.rawValue, 2, 0, 0, 0] + Array("{}".utf8)
        let count = Outbox.messageLimit + 1
        let many = [UInt8](Array(repeating: one, count: count).joined())
        #expect(throws: MessageError.self) {
            try Outbox.messages(type: Outbox.packetType, body: many)
        }
        let allowed = Array(many.dropLast(one.count))
        #expect(
            try Outbox.messages(type: Outbox.packetType, body: allowed).count == count - 1)
        // A length that no packet has.
        #expect(throws: MessageError.unreadable("a packet ends within a message")) {
            try Outbox.messages(type: Outbox.packetType, body: [2, 255, 255, 255, 255, 0])
        }
    }

    @Test("its type is no message's, nor a file's")
    func type() {
        #expect(MessageType(rawValue: Outbox.packetType) == nil)
        let frames = FrameMessage(type: Outbox.packetType)
        #expect(throws: (any Error).self) { try BlobMessage(frames) }
    }
}
