import SweepModel
import Testing

@testable import Wire

private let lease = Lease(trial: TrialID("t"), attempt: 2)
private let result = CycleResult(
    cycle: 1, labelled: 10, correct: 5, total: 10, testLoss: .infinity, trainLoss: 0.1,
    labelledDigest: "l", weightsDigest: "w",
    query: QueryResult(picks: [1, 2], hitRate: 0.5, classCounts: [2]), trainSeconds: 1,
    evaluateSeconds: 2, querySeconds: 3)
private let configuration = TrialConfiguration(
    dataset: .cifar100, strategy: .dqn(gradientSteps: 100), seed: .max,
    studyProtocol: StudyProtocol())

private let gpuLoad = GPULoad(
    gpu: GPU(
        index: 1, uuid: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", name: "NVIDIA H100",
        memoryTotalMiB: 81_559, memoryUsedMiB: 600, utilisationPercent: 98),
    trials: 1, slots: 3)

/// One of every type at least.
let everyMessage: [Message] = [
    .hello(
        Hello(
            host: "h", slots: 2, softwareVersion: "1",
            offers: [ComputingOffer(engine: .onednn, precision: .bfloat16)], remainingMs: 5,
            attempts: [lease])),
    .ready(Ready(freeSlots: 1, assignmentsReceived: 3)),
    .heartbeat(
        Heartbeat(
            number: 4, assignmentsReceived: 3,
            attempts: [AttemptProgress(lease: lease, cycle: 1, epoch: 2)])),
    .report(Report(number: 1, lease: lease, content: .cycle(result))),
    .report(Report(number: 2, lease: lease, content: .finished(modelDigest: "m"))),
    .report(
        Report(number: 3, lease: lease, content: .failed(kind: .outOfMemory, message: "ü\n\0"))),
    .report(Report(number: 4, lease: lease, content: .released)),
    .goodbye(Goodbye()),
    .welcome(
        Welcome(
            leaseMs: 1, heartbeatMs: 2, softwareVersion: "1", hangMs: 3,
            verdicts: [AttemptVerdict(lease: lease, verdict: .fence)])),
    .helloWanted,
    .assign(Assignment(lease: lease, configuration: configuration, runFolder: "/r")),
    .acknowledge(report: .max), .fenced(lease), .renewed(heartbeat: 1), .stop(.sweepFinished),
    .stop(.coordinatorLeaving), .stop(.drained), .refused(reason: "no"),
    .command(.prioritize(.named([lease.trial]), priority: -7)),
    .command(.drain("host", withdraws: true)), .command(.undrain("host")),
    .command(.pause(withdraws: true)), .command(.resume), .command(.cancel(.named([lease.trial]))),
    .command(.retry(.all, withCancelled: false)),
    .commandAnswered(CommandAnswer(isDone: false, text: "no", hint: "do")),
    .heartbeat(Heartbeat(number: 5, assignmentsReceived: 0, attempts: [], gpus: [gpuLoad])),
    .workersAsked,
    .workersTold(
        WorkersTold(
            count: 2,
            workers: [
                WorkerStatus(
                    worker: WorkerID("w"), host: "h", slots: 3, trials: 1, silentMs: 9,
                    gpus: [gpuLoad])
            ])),
]

@Test("every message comes back from its bytes")
func roundTrip() throws {
    #expect(Set(everyMessage.map(\.type)).count == MessageType.allCases.count)
    for message in everyMessage {
        let read = try Message(type: message.type.rawValue, body: message.body())
        #expect(read == message)
        #expect(read.body() == message.body())
    }
}

@Test("a heartbeat of a version before GPUs is read, and one with fields to come")
func heartbeatOfOtherVersions() throws {
    let old = #"{"assignments_received":0,"attempts":[],"number":1}"#
    let new = #"{"assignments_received":0,"attempts":[],"number":1,"gpus":[],"to_come":[{"a":1}]}"#
    #expect(
        try Message(type: MessageType.heartbeat.rawValue, body: Array(old.utf8))
            == .heartbeat(Heartbeat(number: 1, assignmentsReceived: 0, attempts: [])))
    #expect(
        try Message(type: MessageType.heartbeat.rawValue, body: Array(new.utf8))
            == .heartbeat(Heartbeat(number: 1, assignmentsReceived: 0, attempts: [], gpus: [])))
}

@Test("a header comes back from its bytes")
func headerRoundTrip() throws {
    let header = Header(run: "r", epoch: 3, worker: WorkerID("w"), messageNumber: 9)
    #expect(try Header(bytes: header.bytes()) == header)
    #expect(String(decoding: header.bytes(), as: UTF8.self).contains("message_number"))
}

@Test("an unknown type and an unreadable body are errors, never traps", arguments: 0..<500)
func damagedBodies(seed: Int) {
    #expect(throws: MessageError.unknownType(0)) { try Message(type: 0, body: []) }
    var random = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
    func next() -> Int {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return Int(random >> 33)
    }
    for message in everyMessage {
        var body = message.body()
        for _ in 0..<3 where !body.isEmpty { body[next() % body.count] = UInt8(next() % 256) }
        if next() % 2 == 0 { body.removeLast(next() % (body.count + 1)) }
        if let read = try? Message(type: message.type.rawValue, body: body) { _ = read.body() }
    }
}

/// The JSON that the general coder gives a message's content.
private func generalBody(of message: Message) -> [UInt8]? {
    func general(_ content: some Encodable) -> [UInt8] { bodyBytes(content) }
    return switch message {
    case .hello(let content): general(content)
    case .ready(let content): general(content)
    case .heartbeat(let content): general(content)
    case .report(let content): general(content)
    case .welcome(let content): general(content)
    case .assign(let content): general(content)
    case .fenced(let content): general(content)
    case .acknowledge(let number), .renewed(let number): general(Numbered(number: number))
    case .goodbye, .helloWanted, .stop, .refused, .command, .commandAnswered, .workersAsked,
        .workersTold:
        nil
    }
}

@Test("a message that is written by its list of fields has the general coder's bytes")
func frequentBodies() {
    #expect(everyMessage.count { generalBody(of: $0) != nil } == 13)
    for message in everyMessage {
        guard let general = generalBody(of: message) else { continue }
        #expect(
            String(decoding: message.body(), as: UTF8.self)
                == String(decoding: general, as: UTF8.self))
    }
    let header = Header(run: "a/\"b\"", epoch: 3, worker: WorkerID("wörker"), messageNumber: .max)
    func general(_ content: some Encodable) -> [UInt8] { bodyBytes(content) }
    #expect(header.bytes() == general(header))
}

@Test("what another program writes is understood: spaces, another order, unknown fields")
func foreignForms() throws {
    let ready = Message.ready(Ready(freeSlots: 1, assignmentsReceived: 3))
    for text in [
        #"{"free_slots":1,"assignments_received":3}"#,
        #" { "assignments_received" : 3.0 , "free_slots" : 1 } "#,
        #"{"assignments_received":3,"free_slots":1,"mood":["good"]}"#,
    ] {
        #expect(try Message(type: MessageType.ready.rawValue, body: Array(text.utf8)) == ready)
    }
    let escaped = #"{"epoch":0,"message_number":1,"run":"","worker":"\u0077\ud83d\ude00"}"#
    #expect(try Header(bytes: Array(escaped.utf8)).worker == WorkerID("w😀"))
}
