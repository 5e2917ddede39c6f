import BlobTransfer
import Foundation
import SweepModel
import Testing
import Transport
import Wire

let trial = TrialID("fashionmnist-dqn5-seed0")
let someWorker = WorkerID("worker-1")
let chunk = BlobContent.chunkByteCount

/// A coordinator's `blob` socket over a run's folder of its own, which goes with the test. A
/// checkpoint's first byte stands for the number of its cycles.
final class Workplace {
    let path: String
    let folder: RunFolder
    let grants = BlobGrants(RunHistory())
    let server: BlobServer

    init(
        certificate: ServerCertificate? = nil, datasetFiles: [(name: String, bytes: [UInt8])] = [],
        runs: String? = nil
    ) throws {
        let path =
            FileManager.default.temporaryDirectory.path
            + "/alsweep-\(UInt32.random(in: 0 ... .max))"
        self.path = path
        folder = RunFolder((runs ?? path) + "/run")
        for subfolder in folder.subfolders + [path + "/worker", path + "/data"] {
            try FileManager.default.createDirectory(
                atPath: subfolder, withIntermediateDirectories: true)
        }
        let files = datasetFiles.map { file in
            let place = path + "/data/" + file.name
            put(file.bytes, at: place)
            return place
        }
        grants.introduce(someWorker, key: nil)
        grants.note(.attemptStarted(started(1, by: someWorker)))
        server = try BlobServer(
            BlobServerSettings(
                folder: folder, grants: grants, certificate: certificate,
                checkpoints: ByteCheckpoints(), datasetFiles: { _ in files }),
            beside: .tcp(host: "127.0.0.1", port: 0))
    }

    deinit {
        server.close(quietMs: 0, limitMs: 0, discardsParts: true)
        try? FileManager.default.removeItem(atPath: path)
    }

    var checkpoint: String { folder.checkpoint(of: trial) }

    /// A file on the worker's side.
    func file(_ name: String, _ bytes: [UInt8]) -> String {
        let place = "\(path)/worker/\(name)"
        put(bytes, at: place)
        return place
    }

    func client(
        _ worker: WorkerID = someWorker, certificate: ClientCertificate? = nil,
        datasets: any BlobDatasets = NoDatasets()
    ) throws -> BlobClient {
        let client = try BlobClient(
            BlobClientSettings(
                worker: worker, certificate: certificate, checkpoints: ByteCheckpoints(),
                datasets: datasets))
        client.connect(to: server.endpoint)
        return client
    }

    var parts: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.incoming)) ?? []).sorted()
    }
}

func started(_ attempt: Int, by worker: WorkerID) -> AttemptStarted {
    AttemptStarted(trial: trial, attempt: attempt, worker: worker, host: "here")
}

/// Their first byte is the number of cycles; 0 stands for damage.
private struct ByteCheckpoints: BlobCheckpoints {
    func cycles(at path: String) -> Int? {
        FileManager.default.contents(atPath: path)?.first.map(Int.init)
    }

    func newestWhole(at path: String) -> String? {
        [path, path + ".before"].first { (cycles(at: $0) ?? 0) > 0 }
    }

    func keepEarlier(at path: String) {
        unlink(path + ".before")
        link(path, path + ".before")
    }
}

struct NoDatasets: BlobDatasets {
    struct Absent: Error {}

    func isPresent(_ name: DatasetName) -> Bool { false }
    func receivingFolder(for name: DatasetName) throws -> String { throw Absent() }
    func isName(_ file: String, of name: DatasetName, file index: Int, count: Int) -> Bool { false }
    func install(_ name: DatasetName, from folder: String) throws { throw Absent() }
}

/// The same bytes for the same seed; the first is `cycles`.
func state(_ count: Int, cycles: UInt8 = 1, seed: UInt64 = 1) -> [UInt8] {
    var word = seed &* 0x9E37_79B9_7F4A_7C15
    let noise = (0..<count).map { _ in
        word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: word >> 33)
    }
    return [cycles] + noise.dropFirst()
}

func bytes(at path: String) -> [UInt8]? {
    FileManager.default.contents(atPath: path).map { [UInt8]($0) }
}

func put(_ bytes: [UInt8], at path: String) {
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
        preconditionFailure("\(path) cannot be written")
    }
}

struct DeadlineMissed: Error {
    let what: String
}

/// Looks again until there is a value, up to a deadline for busy machines.
func waiting<Value>(for what: String, _ look: () throws -> Value?) throws -> Value {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
        if let value = try look() { return value }
        guard ContinuousClock.now < deadline else { throw DeadlineMissed(what: what) }
        usleep(5_000)
    }
}

extension BlobClient {
    /// The next event but those of troubles.
    func nextOutcome() throws -> BlobEvent {
        try waiting(for: "an event") {
            events.takeAll().first { if case .troubled = $0 { false } else { true } }
        }
    }
}

/// A worker that says what it wants to.
final class RawWorker {
    private let context: Context
    private let socket: DealerSocket
    let worker: WorkerID

    init(_ place: Workplace, as worker: WorkerID = someWorker) throws {
        context = try Context()
        socket = try DealerSocket(
            context: context, security: .plain, options: .dealer.forBlobs)
        self.worker = worker
        try socket.connect(to: place.server.endpoint)
    }

    func say(_ content: BlobContent, of item: BlobItem = .checkpoint(trial)) throws {
        let message = BlobMessage(worker: worker, item: item, content: content)
        try say(message.frames())
    }

    func say(_ frames: FrameMessage) throws {
        try waiting(for: "a connection") { socket.send(frames) == .sent ? () : nil }
    }

    func hear() throws -> BlobContent {
        try waiting(for: "an answer") {
            guard case .message(let frames) = socket.receive() else { return nil }
            return try BlobMessage(frames).content
        }
    }
}
