import BlobTransfer
import Digests
import Foundation
import SweepModel
import Testing
import Transport
import Wire

private func digest(_ bytes: [UInt8]) -> BlobDigest {
    BlobDigest(Digest.sha256(of: bytes).hexadecimal)!
}

/// Real sockets on the loopback interface.
@Suite struct TransferTests {
    @Test(
        "checkpoint and model land where a worker here puts them, byte for byte",
        arguments: [1, chunk, 13 * chunk + 17])
    func give(byteCount: Int) throws {
        let place = try Workplace()
        let client = try place.client()
        let first = state(byteCount)
        let ticket = client.give(
            .checkpoint(trial), attempt: 1, path: place.file("c", first))
        guard case .given(ticket) = try client.nextOutcome() else {
            throw DeadlineMissed(what: "given")
        }
        #expect(bytes(at: place.checkpoint) == first)
        _ = client.give(.model(trial), attempt: 1, path: place.file("m", first))
        guard case .given = try client.nextOutcome() else { throw DeadlineMissed(what: "given") }
        #expect(bytes(at: place.folder.model(of: trial)) == first)
        #expect(place.parts.isEmpty)
        client.close(silenceMs: 0, limitMs: 0)
    }

    @Test("another worker fetches the last checkpoint, unless it has as many cycles itself")
    func fetch() throws {
        let place = try Workplace()
        let stored = state(11 * chunk + 5, cycles: 3)
        put(stored, at: place.checkpoint)
        let other = WorkerID("worker-2")
        place.grants.introduce(other, key: nil)
        place.grants.note(.attemptStarted(started(2, by: other)))
        let client = try place.client(other)
        let target = place.path + "/worker/mine"
        func fetch() throws -> BlobEvent {
            _ = client.fetchCheckpoint(
                of: trial, to: target, partFolder: place.path + "/worker")
            return try client.nextOutcome()
        }
        guard case .fetched = try fetch() else { throw DeadlineMissed(what: "fetched") }
        #expect(bytes(at: target) == stored)
        let own = state(100, cycles: 4)
        put(own, at: target)
        guard case .nothingNewer = try fetch() else { throw DeadlineMissed(what: "nothing") }
        #expect(bytes(at: target) == own)
        client.close(silenceMs: 0, limitMs: 0)

        // The first worker's attempt is over: it neither takes nor gives.
        let former = try RawWorker(place)
        try former.say(.find)
        #expect(try former.hear() == .absent)
        try former.say(
            .offer(BlobDescription(digest: digest(own), byteCount: own.count), attempt: 1))
        guard case .refused(_, mayPass: false) = try former.hear() else {
            throw DeadlineMissed(what: "refused")
        }
        #expect(bytes(at: place.checkpoint) == stored)
    }

    @Test("a checkpoint that the coordinator's disk has damaged: the one before it is given")
    func damagedThere() throws {
        let place = try Workplace()
        let states = (1...3).map { state(chunk + 5, cycles: UInt8($0), seed: UInt64($0)) }
        let first = try place.client()
        for (index, bytes) in states.enumerated() {
            _ = first.give(
                .checkpoint(trial), attempt: 1, path: place.file("c\(index)", bytes))
            guard case .given = try first.nextOutcome() else { throw DeadlineMissed(what: "given") }
        }
        first.close(silenceMs: 0, limitMs: 0)
        #expect(bytes(at: place.checkpoint) == states[2])
        put([0] + states[2].dropFirst(), at: place.checkpoint)

        let other = WorkerID("worker-2")
        place.grants.introduce(other, key: nil)
        place.grants.note(.attemptStarted(started(2, by: other)))
        let client = try place.client(other)
        let target = place.path + "/worker/mine"
        _ = client.fetchCheckpoint(of: trial, to: target, partFolder: place.path + "/worker")
        guard case .fetched = try client.nextOutcome() else {
            throw DeadlineMissed(what: "fetched")
        }
        #expect(bytes(at: target) == states[1])
        client.close(silenceMs: 0, limitMs: 0)
    }

    @Test("a worker whose own checkpoint is damaged fetches the coordinator's of as many cycles")
    func damagedHere() throws {
        let place = try Workplace()
        let stored = state(chunk, cycles: 2)
        put(stored, at: place.checkpoint)
        let client = try place.client()
        let target = place.file("mine", [0, 2, 3])
        _ = client.fetchCheckpoint(of: trial, to: target, partFolder: place.path + "/worker")
        guard case .fetched = try client.nextOutcome() else {
            throw DeadlineMissed(what: "fetched")
        }
        #expect(bytes(at: target) == stored)
        client.close(silenceMs: 0, limitMs: 0)
    }

    @Test("a checkpoint of fewer cycles does not replace one of more")
    func older() throws {
        let place = try Workplace()
        let newer = state(50, cycles: 5)
        put(newer, at: place.checkpoint)
        let client = try place.client()
        _ = client.give(
            .checkpoint(trial), attempt: 1, path: place.file("c", state(70, cycles: 4)))
        // The client's checkpoints have their cycles in the first byte, the descriptor's path too.
        guard case .given = try client.nextOutcome() else { throw DeadlineMissed(what: "given") }
        #expect(bytes(at: place.checkpoint) == newer)
        client.close(silenceMs: 0, limitMs: 0)
    }

    @Test("after a cut a transfer goes on where its part ends, also for a new connection")
    func resume() throws {
        let place = try Workplace()
        let file = state(3 * chunk)
        let description = BlobDescription(
            digest: digest(file), byteCount: file.count, cycles: 1)
        do {
            let first = try RawWorker(place)
            try first.say(.offer(description, attempt: 1))
            #expect(try first.hear() == .want(description.digest, offset: 0))
            try first.say(
                .chunk(description.digest, offset: 0, bytes: Array(file[..<chunk])))
            #expect(try first.hear() == .want(description.digest, offset: chunk))
            try waiting(for: "the first chunk") {
                let part = place.parts.first.map { place.folder.incoming + "/" + $0 }
                return part.flatMap { bytes(at: $0) }?.count == chunk ? () : nil
            }
        }
        let second = try RawWorker(place)
        try second.say(.offer(description, attempt: 1))
        #expect(try second.hear() == .want(description.digest, offset: chunk))
        #expect(try second.hear() == .want(description.digest, offset: 2 * chunk))
        for offset in [chunk, 2 * chunk] {
            try second.say(
                .chunk(
                    description.digest, offset: offset, bytes: Array(file[offset..<offset + chunk]))
            )
        }
        #expect(try second.hear() == .stored(description.digest))
        let isWhole = bytes(at: place.checkpoint) == file
        #expect(isWhole)
    }

    @Test("what a broken transfer left of an older checkpoint goes when a newer one comes")
    func abandonedPart() throws {
        let place = try Workplace()
        let worker = try RawWorker(place)
        for cycles in 1...2 {
            let file = state(3 * chunk, cycles: UInt8(cycles))
            let description = BlobDescription(
                digest: digest(file), byteCount: file.count, cycles: cycles)
            try worker.say(.offer(description, attempt: 1))
            for offset in [0, chunk, 2 * chunk] {
                #expect(try worker.hear() == .want(description.digest, offset: offset))
            }
            #expect(
                place.parts == ["checkpoint-\(trial).\(description.digest).part"])
        }
    }

    @Test("a wrong byte is found before the file gets its name, and the part is thrown away")
    func wrongByte() throws {
        let place = try Workplace()
        let before = state(30, cycles: 1)
        put(before, at: place.checkpoint)
        var file = state(1_000, cycles: 2)
        let description = BlobDescription(
            digest: digest(file), byteCount: file.count, cycles: 2)
        file[500] ^= 1
        let worker = try RawWorker(place)
        try worker.say(.offer(description, attempt: 1))
        _ = try worker.hear()
        try worker.say(.chunk(description.digest, offset: 0, bytes: file))
        guard case .refused(let reason, mayPass: true) = try worker.hear() else {
            throw DeadlineMissed(what: "refused")
        }
        #expect(reason.contains("arrived damaged"))
        #expect(bytes(at: place.checkpoint) == before && place.parts.isEmpty)
        file[500] ^= 1
        try worker.say(.offer(description, attempt: 1))
        _ = try worker.hear()
        try worker.say(.chunk(description.digest, offset: 0, bytes: file))
        #expect(try worker.hear() == .stored(description.digest))
        #expect(bytes(at: place.checkpoint) == file)
    }

    @Test("hostile sizes, lengths, trials and attempts are refused before anything is stored")
    func hostile() throws {
        let place = try Workplace()
        let worker = try RawWorker(place)
        let digest = BlobDigest(String(repeating: "0", count: 64))!
        let items: [(BlobItem, Int, Int)] = [
            (.checkpoint(trial), Int.max, 1), (.checkpoint(trial), -1, 1),
            (.model(trial), 5 << 30, 1),
            (.checkpoint(trial), 10, 2), (.checkpoint(TrialID("../../escape")), 10, 1),
            (.model(TrialID("/etc/passwd")), 10, 1), (.dataset(.cifar10, file: 0), 10, 1),
        ]
        for (item, byteCount, attempt) in items {
            try worker.say(
                .offer(BlobDescription(digest: digest, byteCount: byteCount), attempt: attempt),
                of: item)
            guard case .refused(_, mayPass: false) = try worker.hear() else {
                throw DeadlineMissed(what: "a refusal of \(item)")
            }
        }
        try worker.say(.find, of: .dataset(.cifar10, file: .max))
        #expect(try worker.hear() == .absent)
        try worker.say(.want(digest, offset: .max))
        #expect(try worker.hear() == .absent)
        try worker.say(.find, of: .checkpoint(TrialID("../../run/sweep")))
        #expect(try worker.hear() == .absent)
        #expect(place.parts.isEmpty)

        // A chunk longer than announced ends the transfer.
        try worker.say(.offer(BlobDescription(digest: digest, byteCount: 10), attempt: 1))
        #expect(try worker.hear() == .want(digest, offset: 0))
        try worker.say(.chunk(digest, offset: 0, bytes: [UInt8](repeating: 0, count: 11)))
        guard case .refused(_, mayPass: false) = try worker.hear() else {
            throw DeadlineMissed(what: "a refusal of the long chunk")
        }
        #expect(place.parts.isEmpty && bytes(at: place.checkpoint) == nil)
    }

    @Test("who has not said hello, or has another key, is not heard")
    func strangers() throws {
        let place = try Workplace()
        let stranger = try RawWorker(place, as: WorkerID("stranger"))
        let known = try RawWorker(place)
        let question = BlobItem.dataset(.cifar10, file: 0)
        /// What was said before has been read when this returns.
        func passTime() throws {
            for _ in 0..<5 {
                try known.say(.find, of: question)
                #expect(try known.hear() == .absent)
            }
        }
        try stranger.say(.find, of: question)
        try passTime()
        place.grants.introduce(WorkerID("stranger"), key: try KeyPair.generate().publicKey)
        try stranger.say(.find, of: question)
        try passTime()
        place.grants.introduce(WorkerID("stranger"), key: nil)
        let digest = BlobDigest(String(repeating: "0", count: 64))!
        try stranger.say(
            .offer(BlobDescription(digest: digest, byteCount: 3), attempt: 1), of: question)
        guard case .refused = try stranger.hear() else {
            throw DeadlineMissed(what: "the first answer of all")
        }
    }

    @Test("with keys, files move encrypted; a revoked key moves none")
    func keys() throws {
        let serverKeys = try KeyPair.generate()
        let clientKeys = try KeyPair.generate()
        let place = try Workplace(
            certificate: ServerCertificate(keys: serverKeys, clientKeys: [clientKeys.publicKey]))
        place.grants.introduce(someWorker, key: clientKeys.publicKey)
        let client = try place.client(
            certificate: ClientCertificate(keys: clientKeys, serverKey: serverKeys.publicKey))
        let file = state(2 * chunk + 1)
        _ = client.give(.checkpoint(trial), attempt: 1, path: place.file("c", file))
        guard case .given = try client.nextOutcome() else { throw DeadlineMissed(what: "given") }
        #expect(bytes(at: place.checkpoint) == file)

        place.server.allow([])
        usleep(300_000)
        let heard = client.lastHeardMs
        _ = client.give(.model(trial), attempt: 1, path: place.file("m", file))
        client.close(silenceMs: 1_000, limitMs: 1_000)
        #expect(client.lastHeardMs == heard)
        #expect(bytes(at: place.folder.model(of: trial)) == nil)
    }

    @Test(
        "a full disk is told with the remedy, and the file is stored once there is space",
        .enabled(if: geteuid() == 0, "needs root to mount a small disk"))
    func fullDisk() throws {
        let disk =
            FileManager.default.temporaryDirectory.path
            + "/alsweep-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: disk) }
        try #require(mount("tmpfs", disk, "tmpfs", 0, "size=24m") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let place = try Workplace(runs: disk)
        let filler = disk + "/filler"
        put([UInt8](repeating: 0, count: 8 << 20), at: filler)
        let client = try place.client()
        let file = state(2 << 20)
        _ = client.give(.checkpoint(trial), attempt: 1, path: place.file("c", file))
        let (text, hint) = try waiting(for: "a notice") {
            for case .troubled(let text, let hint) in place.server.notices.takeAll() {
                return (text, hint)
            }
            return nil
        }
        #expect(text.contains("no space is left in \(place.folder.incoming)"))
        #expect(hint?.contains("free some space") == true)
        try FileManager.default.removeItem(atPath: filler)
        guard case .given = try client.nextOutcome() else { throw DeadlineMissed(what: "given") }
        #expect(bytes(at: place.checkpoint) == file)
        client.close(silenceMs: 0, limitMs: 0)
    }
}
