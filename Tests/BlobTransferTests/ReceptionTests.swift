import BlobTransfer
import Testing
import Wire

private let digest = BlobDigest(String(repeating: "a", count: 64))!

/// A reception whose calls can stand in expectations.
private final class Receiver {
    private var reception: Reception

    init(byteCount: Int, received: Int = 0) {
        reception = Reception(digest: digest, byteCount: byteCount, received: received, at: 0)
    }

    var isComplete: Bool { reception.isComplete }
    var received: Int { reception.received }

    func wants(at now: Int64) -> [Int] { reception.wants(at: now) }

    func restart(at now: Int64) { reception.restart(at: now) }

    func accept(offset: Int, byteCount: Int, at now: Int64) -> Reception.Verdict {
        reception.accept(offset: offset, byteCount: byteCount, at: now)
    }
}

@Suite struct ReceptionTests {
    @Test("never more chunks are under way than the window, and all are asked for once, in order")
    func window() {
        let reception = Receiver(byteCount: 25 * chunk + 7)
        var underWay = reception.wants(at: 0)
        #expect(underWay == (0..<Reception.window).map { $0 * chunk })
        #expect(reception.wants(at: 1).isEmpty)
        var asked = underWay
        while !underWay.isEmpty {
            let offset = underWay.removeFirst()
            let length = min(chunk, 25 * chunk + 7 - offset)
            #expect(reception.accept(offset: offset, byteCount: length, at: 2) == .append)
            let more = reception.wants(at: 2)
            underWay += more
            asked += more
            #expect(underWay.count <= Reception.window)
        }
        #expect(reception.isComplete)
        #expect(asked == (0...25).map { $0 * chunk })
    }

    @Test("a lost chunk is asked for again after silence, and those that came after it too")
    func lostChunk() {
        let reception = Receiver(byteCount: 3 * chunk)
        _ = reception.wants(at: 0)
        #expect(reception.accept(offset: chunk, byteCount: chunk, at: 1) == .ignore)
        #expect(reception.accept(offset: 0, byteCount: chunk, at: 1) == .append)
        #expect(reception.accept(offset: 0, byteCount: chunk, at: 1) == .ignore, "a duplicate")
        #expect(reception.wants(at: Reception.silenceMs).isEmpty)
        #expect(reception.wants(at: Reception.silenceMs + 1) == [chunk, 2 * chunk])
    }

    @Test("after a cut it goes on where the part ends")
    func resume() {
        let reception = Receiver(byteCount: 2 * chunk, received: 100)
        #expect(reception.wants(at: 0) == [100, 100 + chunk])
        reception.restart(at: 5)
        #expect(reception.wants(at: 5) == [100, 100 + chunk])
        #expect(reception.accept(offset: 100, byteCount: chunk, at: 6) == .append)
        #expect(
            reception.accept(offset: 100 + chunk, byteCount: chunk - 100, at: 6) == .append)
        #expect(reception.isComplete && reception.wants(at: 99_999).isEmpty)
    }

    @Test("a chunk that is too long, too short or was not asked for is never stored")
    func hostileChunks() {
        let reception = Receiver(byteCount: 2 * chunk + 5)
        #expect(reception.accept(offset: 0, byteCount: chunk, at: 0) == .ignore, "not asked for")
        _ = reception.wants(at: 0)
        #expect(
            reception.accept(offset: 0, byteCount: chunk + 1, at: 0)
                == .wrongLength(expected: chunk))
        #expect(
            reception.accept(offset: 0, byteCount: 0, at: 0) == .wrongLength(expected: chunk))
        #expect(reception.accept(offset: .max, byteCount: chunk, at: 0) == .ignore)
        #expect(reception.received == 0)
    }

    @Test("nothing to receive is complete at once")
    func empty() {
        let reception = Receiver(byteCount: 0)
        #expect(reception.isComplete && reception.wants(at: 99_999).isEmpty)
    }
}
