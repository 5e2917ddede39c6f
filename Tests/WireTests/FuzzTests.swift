import Fuzzing
import SweepModel
import Testing

@testable import Wire

/// Damaged messages give an error or a message; they never end the process.
@Suite struct FuzzTests {
    private static let digest = BlobDigest(String(repeating: "0f", count: 32))!

    /// One of every type, of both kinds of socket.
    private static let originals: [FrameMessage] = {
        let header = Header(run: "r", epoch: 3, worker: WorkerID("w"), messageNumber: 9).bytes()
        let contents: [BlobContent] = [
            .offer(BlobDescription(digest: digest, byteCount: 9, cycles: 2), attempt: 1), .find,
            .found(BlobDescription(digest: digest, byteCount: 9, name: "a", fileCount: 4)), .absent,
            .want(digest, offset: 3), .chunk(digest, offset: 3, bytes: [1, 2, 3]), .stored(digest),
            .refused(reason: "no", mayPass: true),
        ]
        var outbox = Outbox()
        for message in everyMessage { outbox.append(message) }
        return everyMessage.map {
            FrameMessage(type: $0.type.rawValue, header: header, body: $0.body())
        }
            + outbox.take(for: .current).map {
                FrameMessage(type: $0.type, header: header, body: $0.body)
            }
            + contents.map {
                BlobMessage(
                    worker: WorkerID("w"), item: .checkpoint(TrialID("t")), content: $0
                ).frames()
            }
    }()

    /// What a receiver does with a message whose frames are right.
    private func read(_ frames: FrameMessage) -> Bool {
        _ = try? Header(bytes: frames.header)
        if let message = try? BlobMessage(frames) {
            #expect((try? BlobMessage(message.frames())) == message)
            return true
        }
        guard let messages = try? Outbox.messages(type: frames.type, body: frames.body) else {
            return false
        }
        for message in messages { _ = message.body() }
        return true
    }

    @Test("damaged frames are refused, and damaged contents under a right checksum are an error")
    func frames() throws {
        var generator = FuzzGenerator(seed: fuzzSeed)
        var (whole, refused, understood) = (0, 0, 0)
        for round in 0..<fuzzFrames {
            let original = Self.originals[round % Self.originals.count]
            if round % 2 == 0 {
                // On the wire: the checksum finds it.
                var frames = original.encode()
                switch generator.below(8) {
                case 0: frames.remove(at: generator.below(frames.count))
                case 1: frames.append(frames[generator.below(frames.count)])
                case 2: frames.swapAt(generator.below(frames.count), generator.below(frames.count))
                default:
                    let index = generator.below(frames.count)
                    frames[index] = generator.damaged(frames[index])
                }
                do throws(FrameError) {
                    let message = try FrameMessage(frames: frames)
                    // Only what the checksum covers as it was may pass.
                    #expect(message.encode() == frames)
                    whole += 1
                } catch {
                    refused += 1
                    #expect(!error.description.isEmpty)
                }
            } else {
                // By a sender who knows the checksum.
                let damaged = FrameMessage(
                    type: generator.below(10) == 0
                        ? UInt8(truncatingIfNeeded: generator.next()) : original.type,
                    header: generator.below(2) == 0
                        ? generator.damaged(original.header) : original.header,
                    body: generator.below(2) == 0 ? generator.damaged(original.body) : original.body
                )
                let arrived = try FrameMessage(
                    frames: damaged.encode(), frameByteLimit: FrameMessage.blobFrameByteLimit)
                if read(arrived) { understood += 1 }
            }
        }
        // The damage is neither too weak nor too strong to find anything.
        #expect(refused > fuzzFrames / 4 && whole > 0 && understood > fuzzFrames / 50)
    }
}
