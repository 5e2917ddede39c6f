import OrderedCollections
import SweepModel
import Testing
import Wire

@testable import Coordinator

private func working() -> (Scene, Lease) {
    var scene = Scene()
    scene.join()
    scene.ready(received: 0)
    let lease = scene.assigned[0]
    return (scene, lease)
}

private func heartbeat(_ leases: [Lease], received: Int = 1) -> Message {
    .heartbeat(
        Heartbeat(
            number: 1, assignmentsReceived: received,
            attempts: leases.map { AttemptProgress(lease: $0, cycle: 1, epoch: 2) }))
}

@Test("a silent worker is suspected after a lease and replaced after the grace")
func silentWorkerIsReplaced() {
    var (scene, lease) = working()
    scene.wait(89_999)
    #expect(!scene.coordinator.runningAttempts[0].isSuspect)
    scene.wait(1)
    #expect(scene.coordinator.runningAttempts[0].isSuspect)
    #expect(scene.state(of: lease.trial) == .running)
    scene.wait(90_000)
    #expect(scene.state(of: lease.trial) == .pending)
    #expect(scene.coordinator.history[lease.trial]!.attempts[0].end == .expired)
    scene.join("b")
    scene.ready("b", received: 0)
    #expect(scene.assigned == [Lease(trial: lease.trial, attempt: 2)])
}

@Test("a heartbeat renews a lease, also that of a suspect")
func heartbeatRenews() {
    var (scene, lease) = working()
    scene.wait(100_000)
    scene.hear(heartbeat([lease]))
    #expect(!scene.coordinator.runningAttempts[0].isSuspect)
    #expect(scene.coordinator.runningAttempts[0].epoch == 2)
    scene.wait(89_000)
    #expect(!scene.coordinator.runningAttempts[0].isSuspect)
}

@Test("a result from an expired lease is fenced")
func staleResultIsFenced() {
    var (scene, lease) = working()
    scene.wait(90_000)
    scene.wait(90_000)
    scene.join("b")
    scene.ready("b", received: 0)
    scene.join("a")
    scene.report(.cycle(Scene.result(1, correct: 50)), lease)
    #expect(scene.sent == [.fenced(lease)])
    #expect(!scene.records.contains { $0.kind == .cycleAccepted })
    scene.hear(heartbeat([lease], received: 0))
    #expect(scene.sent.contains(.fenced(lease)))
}

@Test("another worker's result for a lease is fenced")
func foreignResultIsFenced() {
    var (scene, lease) = working()
    scene.join("b")
    scene.report(.cycle(Scene.result(1, correct: 50)), lease, from: "b")
    #expect(scene.sent == [.fenced(lease)])
}

@Test("a returning worker's attempts are adopted, those of others fenced")
func returningWorker() {
    var (scene, lease) = working()
    let other = Lease(trial: TrialID("fashionmnist-random-seed0"), attempt: 1)
    scene.join("a", holding: [lease, other])
    guard case .welcome(let welcome) = scene.sent.first else {
        Issue.record("no welcome")
        return
    }
    #expect(welcome.verdicts.map(\.verdict) == [.adopt, .fence])
    #expect(scene.state(of: lease.trial) == .running)
}

@Test("an attempt that its worker does not name is given to another")
func forgottenAttempt() {
    var (scene, lease) = working()
    scene.join("a", holding: [])
    #expect(scene.coordinator.history[lease.trial]!.attempts[0].end == .released)
    #expect(scene.state(of: lease.trial) == .pending)
}

@Test("an assignment that got lost is found by the next heartbeat")
func lostAssignment() {
    var (scene, lease) = working()
    scene.hear(heartbeat([], received: 0))
    #expect(scene.state(of: lease.trial) == .running, "it may still be under way")
    scene.hear(heartbeat([], received: 1))
    #expect(scene.state(of: lease.trial) == .pending)
}

@Test("a restarted coordinator grants one full lease before it re-assigns")
func restartGrantsALease() throws {
    let (before, lease) = working()
    var scene = Scene(history: try RunHistory(before.records), at: 1_000_000)
    #expect(scene.coordinator.history.epoch == 2)
    #expect(scene.records.map(\.kind) == [.coordinatorStarted])
    #expect(scene.state(of: lease.trial) == .running)
    scene.wait(89_999)
    scene.hear(heartbeat([lease]))
    #expect(scene.sent == [.helloWanted])
    scene.join("a", holding: [lease])
    scene.report(.cycle(Scene.result(1, correct: 50)), lease)
    #expect(scene.coordinator.history[lease.trial]!.cycles[0] != nil)
}

@Test("a worker known to have died gives up its trials at once")
func deadWorker() {
    var (scene, lease) = working()
    scene.handle(.workerDied(WorkerID("a")))
    #expect(scene.state(of: lease.trial) == .pending)
    #expect(scene.coordinator.sessions.isEmpty)
}

@Test("a worker that fell silent is given nothing, and is forgotten after the grace")
func silentWorkerGetsNothing() {
    var (scene, lease) = working()
    // b's trial comes back when b has been silent for a while and still offers a slot.
    scene.join("b", slots: 2)
    scene.ready("b", free: 1, received: 0)
    scene.report(.released, scene.assigned[0], from: "b")
    scene.ready("b", free: 2, received: 1)
    #expect(scene.coordinator.queue.isEmpty)
    let session = { (name: String) in scene.coordinator.session(of: WorkerID(name)) }
    scene.wait(89_000)
    scene.hear(heartbeat([lease]))
    scene.wait(1_000)
    scene.report(.released, lease)
    #expect(scene.assigned == [], "a has no free slot, and b is silent for a lease")
    #expect(session("b") != nil)
    scene.wait(90_000)
    #expect(session("b") == nil)
    #expect(session("a") != nil)
    scene.ready("a", received: 1)
    #expect(scene.assigned.count == 1)
}

@Test("a worker that died by its trials' fault blames them, and they are tried again")
func workerKilledByItsTrials() {
    var (scene, lease) = working()
    let fault = WorkerFault(kind: .outOfMemory, message: "job 7 took more memory")
    scene.handle(.workerDied(WorkerID("a"), fault: fault))
    #expect(scene.state(of: lease.trial) == .pending)
    #expect(scene.coordinator.history[lease.trial]!.blamedFailures.count == 1)
    #expect(scene.coordinator.sessions.isEmpty)
}

@Test("a stop asks the workers for their attempts and ends when they have given them back")
func stopCollectsAttempts() {
    var (scene, lease) = working()
    scene.handle(.stopRequested)
    #expect(scene.sent == [.stop(.coordinatorLeaving)])
    #expect(scene.outcomes.isEmpty)
    scene.report(.released, lease)
    #expect(scene.outcomes == [.stopped])
    #expect(scene.assigned.isEmpty)
}

@Test("a stop does not wait for ever for a worker that does not answer")
func stopEndsAfterAWhile() {
    var (scene, _) = working()
    scene.handle(.stopRequested)
    scene.wait(10_000)
    #expect(scene.outcomes == [.stopped])
}

@Test("a replay of the records gives the live state, whatever happened", arguments: 1...200)
func replayGivesTheLiveState(seed: Int) throws {
    var scene = Scene()
    var random = Xorshift(seed: UInt64(seed))
    var leases: [(Lease, String)] = []
    let workers = ["a", "b", "c"]
    for _ in 0..<150 where scene.outcomes.isEmpty {
        let worker = workers[random.below(3)]
        switch random.below(8) {
        case 0: scene.join(worker, slots: 2, holding: leases.map(\.0))
        case 1, 2: scene.ready(worker, free: 2, received: random.below(3))
        case 3: scene.wait(Int64(random.below(100_000)))
        case 4: scene.hear(heartbeat(leases.filter { $0.1 == worker }.map(\.0)), from: worker)
        default:
            guard let (lease, holder) = leases.randomElement(using: &random) else { continue }
            let cycle = 1 + random.below(3)
            let correct = 50 + random.below(2)
            let contents: [ReportContent] = [
                .cycle(Scene.result(cycle, correct: correct)), .finished(modelDigest: "m"),
                .cycle(Scene.result(cycle, correct: correct)), .released,
                .failed(kind: .disk, message: "full"), .failed(kind: .crash, message: "boom"),
            ]
            scene.report(contents[random.below(contents.count)], lease, from: holder)
        }
        for case .send(.assign(let assignment), let to) in scene.actions {
            leases.append((assignment.lease, to.rawValue))
        }
    }
    let replayed = try RunHistory(scene.records)
    #expect(replayed.trials == scene.coordinator.history.trials)
    #expect(replayed.choices == scene.coordinator.history.choices)
    for trial in replayed.trials where trial.state == .done { #expect(trial.hasAllCycles) }
    let running = replayed.trials.filter { $0.state == .running }.map(\.id)
    #expect(Set(scene.coordinator.leases.all.map(\.attempt.trial)) == Set(running))
    let waiting = replayed.trials.indices.filter { replayed.trials[$0].state == .pending }
    #expect(scene.coordinator.queue.sorted() == waiting)
}

/// A generator for tests: the same seed gives the same numbers.
struct Xorshift: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func below(_ bound: Int) -> Int { Int(next() >> 33) % bound }
}
