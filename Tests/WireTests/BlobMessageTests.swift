import SweepModel
import Testing

@testable import Wire

private let digest = BlobDigest(String(repeating: "0f", count: 32))!

@Suite struct BlobMessageTests {
    @Test(
        "every message comes back from its bytes",
        arguments: [
            BlobContent.offer(
                BlobDescription(digest: digest, byteCount: .max, cycles: 2), attempt: 3),
            .find, .found(BlobDescription(digest: digest, byteCount: 0, name: "a", fileCount: 4)),
            .absent, .want(digest, offset: .max), .chunk(digest, offset: 0, bytes: []),
            .chunk(digest, offset: 7, bytes: [0, 255]), .stored(digest),
            .refused(reason: "ü", mayPass: false),
        ])
    func roundTrip(_ content: BlobContent) throws {
        for item in [
            BlobItem.checkpoint(TrialID("t")), .model(TrialID("t")), .dataset(.cifar10, file: 2),
        ] {
            let message = BlobMessage(worker: WorkerID("w"), item: item, content: content)
            #expect(try BlobMessage(message.frames()) == message)
        }
    }

    @Test(
        "what is no digest is never taken for one",
        arguments: [
            "", "0f", String(repeating: "0F", count: 32), String(repeating: "0", count: 65),
            "../" + String(repeating: "0", count: 61), String(repeating: "é", count: 32),
        ])
    func badDigest(_ text: String) {
        #expect(BlobDigest(text) == nil)
    }

    @Test("a coordinator of protocol 1.1 is understood, and moves no files")
    func olderWelcome() throws {
        let body = #"{"heartbeat_ms":2,"lease_ms":1,"software_version":"1","verdicts":[]}"#
        guard
            case .welcome(let welcome) = try Message(
                type: MessageType.welcome.rawValue, body: Array(body.utf8))
        else { throw MessageError.unreadable("no welcome") }
        #expect(welcome.blobEndpoint == nil && welcome.leaseMs == 1)
    }

    @Test("a negative offset and a missing digest are errors")
    func badPlace() {
        for header in [
            #"{"item":{"checkpoint":{"_0":"t"}},"worker":"w"}"#,
            #"{"digest":"\#(digest)","item":{"checkpoint":{"_0":"t"}},"offset":-1,"worker":"w"}"#,
            #"{"digest":"x","item":{"checkpoint":{"_0":"t"}},"offset":1,"worker":"w"}"#,
        ] {
            #expect(throws: MessageError.self) {
                try BlobMessage(FrameMessage(type: 133, header: Array(header.utf8)))
            }
        }
    }
}
