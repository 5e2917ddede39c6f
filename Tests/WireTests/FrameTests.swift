import Testing
import Wire

@Suite("Frames")
struct FrameTests {
    static let message = FrameMessage(
        type: 7, header: Array("header".utf8), body: Array("{\"slots\":2}".utf8))

    @Test("a message survives its frames")
    func roundTrip() throws {
        let frames = Self.message.encode()
        #expect(frames.count == 5)
        #expect(try FrameMessage(frames: frames) == Self.message)
    }

    /// The first message ever sent must stay readable: the checksum was computed by an independent
    /// implementation (Python, bit by bit) over the frames and their lengths.
    @Test("the bytes of a message are fixed")
    func goldenBytes() {
        let frames = FrameMessage(
            version: WireVersion(major: 1, minor: 0), type: 1, header: [0xAA], body: [0xBB, 0xCC]
        ).encode()
        #expect(
            frames == [
                [0x41, 0x4C, 0x53, 0x57, 1, 0], [1], [0xAA], [0xBB, 0xCC],
                [0x90, 0x6E, 0xE7, 0xE4],
            ])
    }

    @Test("an empty header and body are a message")
    func emptyParts() throws {
        let message = FrameMessage(type: 0)
        #expect(try FrameMessage(frames: message.encode()) == message)
    }

    @Test("a higher minor version is understood, and kept")
    func higherMinor() throws {
        let theirs = WireVersion(major: WireVersion.current.major, minor: 9)
        let message = FrameMessage(version: theirs, type: 1)
        #expect(try FrameMessage(frames: message.encode()).version == theirs)
    }

    @Test("another major version is named whatever follows it", arguments: 1...8)
    func otherMajor(frameCount: Int) throws {
        let theirs = WireVersion(major: WireVersion.current.major + 1, minor: 3)
        let preamble = FrameMessage(version: theirs, type: 1).encode()[0] + [9, 9]
        let frames = [preamble] + Array(repeating: [1, 2, 3], count: frameCount - 1)
        let mismatch = FrameError.versionMismatch(theirs: theirs, ours: .current)
        #expect(throws: mismatch) { try FrameMessage(frames: frames) }
        #expect(mismatch.description.contains("\(theirs)"))
        #expect(mismatch.description.contains("\(WireVersion.current)"))
        if frameCount != FrameMessage.frameCount {
            let refusal = FrameMessage.refusal(ofFirstFrame: preamble, frameCount: frameCount)
            #expect(refusal == mismatch)
        }
    }

    @Test("only five frames are a message", arguments: [0, 1, 4, 6, 1_000])
    func wrongCount(frameCount: Int) {
        let frames = Array(
            (Self.message.encode() + Array(repeating: [], count: 1_000)).prefix(frameCount))
        #expect(throws: FrameError.wrongFrameCount(frameCount)) { try FrameMessage(frames: frames) }
        let refusal = FrameMessage.refusal(ofFirstFrame: frames.first, frameCount: frameCount)
        #expect(refusal == .wrongFrameCount(frameCount))
    }

    @Test("another program's message is told from a damaged one")
    func wrongMagic() {
        for preamble in [Array("GET / HTTP/1.1".utf8), [], Array("ALSW".utf8), [0x41]] {
            var frames = Self.message.encode()
            frames[0] = preamble
            #expect(throws: FrameError.wrongMagic) { try FrameMessage(frames: frames) }
        }
    }

    @Test("a frame above the limit is refused, one at the limit is not")
    func oversized() throws {
        let limit = 1_000
        let fitting = FrameMessage(type: 1, body: Array(repeating: 5, count: limit))
        #expect(try FrameMessage(frames: fitting.encode(), frameByteLimit: limit) == fitting)
        let large = FrameMessage(type: 1, header: Array(repeating: 5, count: limit + 1))
        #expect(large.largestFrameByteCount == limit + 1)
        #expect(throws: FrameError.oversized(.header, byteCount: limit + 1, limit: limit)) {
            try FrameMessage(frames: large.encode(), frameByteLimit: limit)
        }
    }

    @Test("frames of fixed size have it")
    func wrongLength() {
        for (index, part) in [(0, FramePart.preamble), (1, .type), (4, .checksum)] {
            var frames = Self.message.encode()
            frames[index].append(0)
            let expected = frames[index].count - 1
            #expect(
                throws: FrameError.wrongLength(part, byteCount: expected + 1, expected: expected)
            ) { try FrameMessage(frames: frames) }
        }
    }

    @Test("a byte that moves from one frame to the next is noticed")
    func movedByte() {
        var frames = Self.message.encode()
        frames[3].insert(frames[2].removeLast(), at: 0)
        let error = #expect(throws: FrameError.self) { try FrameMessage(frames: frames) }
        guard case .wrongChecksum = error else {
            Issue.record("not the checksum: \(String(describing: error))")
            return
        }
    }

    @Test("every single flipped bit is noticed")
    func flippedBits() {
        let frames = Self.message.encode()
        for (index, frame) in frames.enumerated() {
            for bit in 0..<(frame.count * 8) {
                var damaged = frames
                damaged[index][bit / 8] ^= 1 << (bit % 8)
                #expect(throws: FrameError.self, "frame \(index), bit \(bit)") {
                    try FrameMessage(frames: damaged)
                }
            }
        }
    }

    /// Random frames, and random damage to good ones: cut, grown, swapped, repeated, overwritten.
    @Test("nothing traps and nothing damaged is accepted", arguments: UInt64(0)..<20)
    func fuzz(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let random = (0..<Int.random(in: 0...7, using: &generator)).map { _ in
                generator.bytes(count: Int.random(in: 0...20, using: &generator))
            }
            #expect(throws: FrameError.self, "seed \(seed): \(random)") {
                try FrameMessage(frames: random)
            }
            let original = FrameMessage(
                type: UInt8.random(in: 0...255, using: &generator),
                header: generator.bytes(count: Int.random(in: 0...40, using: &generator)),
                body: generator.bytes(count: Int.random(in: 0...300, using: &generator)))
            let frames = original.encode()
            let damaged = Self.damage(frames, using: &generator)
            guard damaged != frames else { continue }
            #expect(throws: FrameError.self, "seed \(seed): \(damaged)") {
                try FrameMessage(frames: damaged)
            }
        }
    }

    private static func damage(
        _ frames: [[UInt8]], using generator: inout SeededGenerator
    ) -> [[UInt8]] {
        var frames = frames
        let index = Int.random(in: 0..<frames.count, using: &generator)
        let byteCount = frames[index].count
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: frames[index].removeLast(Int.random(in: 0...byteCount, using: &generator))
        case 1: frames[index] += generator.bytes(count: Int.random(in: 1...9, using: &generator))
        case 2: frames.remove(at: index)
        case 3: frames.insert(frames[index], at: index)
        case 4: frames.swapAt(index, Int.random(in: 0..<frames.count, using: &generator))
        case 5: frames[index] = generator.bytes(count: byteCount)
        default:
            for _ in 0..<Int.random(in: 1...12, using: &generator) where byteCount > 0 {
                let bit = Int.random(in: 0..<(byteCount * 8), using: &generator)
                frames[index][bit / 8] ^= 1 << (bit % 8)
            }
        }
        return frames
    }
}
