import SweepModel
import Testing
import Wire

@testable import Agent

private func gpu(_ index: Int, free: Int? = 80_000, total: Int? = 80_000) -> GPU {
    GPU(
        index: index, uuid: "GPU-\(index)", name: "H100", memoryTotalMiB: total,
        memoryUsedMiB: free.flatMap { free in total.map { $0 - free } }, memoryFreeMiB: free,
        utilisationPercent: 50)
}

/// A worker with GPUs, a clock that tests move, and what it did last.
private struct Scene {
    var agent: Agent
    var now: Int64 = 0
    var actions: [AgentAction] = []
    private var gpus: [GPU]
    private var trials = 0

    /// - Parameter gpus: nil is a worker to which none were given.
    init(gpus: [GPU]? = [gpu(0), gpu(1)], slotsPerGPU: Int = 2, memoryMiB: Int? = nil) {
        self.gpus = gpus ?? []
        let options = gpus.map {
            GPUOptions(gpus: $0, slotsPerGPU: slotsPerGPU, memoryPerTrialMiB: memoryMiB)
        }
        agent = Agent(
            options: Agent.Options(
                host: "h", slots: options?.slots ?? 2, softwareVersion: "1", offers: [],
                leavesWithCoordinator: false, connectDelayMs: 60_000, idleExitMs: 600_000,
                gpus: options), at: 0)
        handle(.ticked)
        hear(
            .welcome(
                Welcome(leaseMs: 90_000, heartbeatMs: 10_000, softwareVersion: "1", verdicts: [])))
    }

    mutating func handle(_ event: AgentEvent) { actions = agent.handle(event, at: now) }
    mutating func hear(_ message: Message) { handle(.received(message)) }

    mutating func see(_ gpus: [GPU]) {
        self.gpus = gpus
        handle(.gpusSeen(gpus))
    }

    /// Lets time pass, and sees the GPUs as they were, as often as the shell does.
    mutating func live(for milliseconds: Int64) {
        for _ in 0..<(milliseconds / 10_000) {
            now += 10_000
            hear(.renewed(heartbeat: 1))
            handle(.gpusSeen(gpus))
        }
    }

    mutating func assign() -> Lease {
        trials += 1
        let lease = Lease(trial: TrialID("t\(trials)"), attempt: 1)
        let configuration = TrialConfiguration(
            dataset: .fashionmnist, strategy: .random, seed: 0, studyProtocol: StudyProtocol())
        hear(.assign(Assignment(lease: lease, configuration: configuration, runFolder: "")))
        return lease
    }

    mutating func lackMemory(_ lease: Lease) {
        handle(.childSaid(.failed(kind: .outOfGPUMemory, message: "no memory"), lease))
    }

    mutating func end(_ lease: Lease) { handle(.childEnded(lease, fault: nil)) }

    var sent: [Message] {
        actions.compactMap { if case .send(let message) = $0 { message } else { nil } }
    }
    /// The GPU that the last event started a trial on.
    var startedOn: Int? {
        actions.lazy.compactMap { if case .start(_, let gpu) = $0 { gpu?.index } else { nil } }
            .first
    }
    var offered: Int? {
        sent.compactMap { if case .ready(let ready) = $0 { ready.freeSlots } else { nil } }.last
    }
    var reported: [ReportContent] {
        sent.compactMap { if case .report(let report) = $0 { report.content } else { nil } }
    }

    /// Lets it send a heartbeat.
    mutating func beat() {
        now += 10_000
        hear(.renewed(heartbeat: 1))
    }

    /// What the last heartbeat says.
    var loads: [GPULoad]? {
        sent.lazy.compactMap {
            if case .heartbeat(let heartbeat) = $0 { heartbeat.gpus } else { nil }
        }.first
    }
}

@Test("trials go to the GPU with the fewest, and no GPU gets more than its slots")
func spread() {
    var scene = Scene()
    #expect(scene.offered == 4)
    var places: [Int?] = []
    for _ in 0..<5 {
        _ = scene.assign()
        places.append(scene.startedOn)
    }
    #expect(places == [0, 1, 0, 1, nil])
}

@Test("of GPUs with as many trials, the one with more free memory gets the next")
func freest() {
    var scene = Scene(gpus: [gpu(0, free: 60_000), gpu(1)])
    _ = scene.assign()
    #expect(scene.startedOn == 1)
}

@Test("a slot is offered only where the memory for a trial is free")
func memoryBeforeOffer() {
    let scene = Scene(gpus: [gpu(0, free: 4_000), gpu(1, free: 9_000)], slotsPerGPU: 3)
    #expect(scene.offered == 2, "4,096 MiB a trial")
    #expect(Scene(gpus: [gpu(0, free: 9_000)], slotsPerGPU: 3, memoryMiB: 3_000).offered == 3)
    #expect(Scene(gpus: [gpu(0, free: 2_000)], slotsPerGPU: 3).offered == nil)
    let small = Scene(gpus: [gpu(0, free: 7_600, total: 8_192)], slotsPerGPU: 2)
    #expect(small.offered == 2, "on a small GPU a slot's part is less")
}

@Test("a driver that does not tell the memory is believed to have enough")
func untoldMemory() {
    #expect(Scene(gpus: [gpu(0, free: nil, total: nil)], slotsPerGPU: 3).offered == 3)
}

@Test("what a trial that has just begun will take counts as taken until it has it")
func arriving() {
    var scene = Scene(gpus: [gpu(0, free: 9_000)], slotsPerGPU: 3)
    let first = scene.assign()
    #expect(scene.startedOn == 0)
    scene.see([gpu(0, free: 8_900)])
    #expect(scene.offered == 1)
    scene.now += 1_000
    scene.handle(.childSaid(.progress(cycle: 1, epoch: 1), first))
    scene.now += 1_000
    scene.see([gpu(0, free: 8_300)])
    #expect(scene.offered == 2)
}

@Test("memory that somebody else has taken since the offer: the trial is given back at once")
func declined() {
    var scene = Scene(gpus: [gpu(0)], slotsPerGPU: 1)
    #expect(scene.offered == 1)
    scene.see([gpu(0, free: 100)])
    #expect(scene.offered == 0, "the offer is taken back")
    _ = scene.assign()
    #expect(scene.startedOn == nil)
    #expect(scene.reported == [.released])
    scene.see([gpu(0)])
    #expect(scene.offered == 1)
}

@Test("a GPU that was not seen for a minute gets no trial; those that run go on")
func unseen() {
    var scene = Scene()
    let lease = scene.assign()
    scene.now += 61_000
    scene.hear(.renewed(heartbeat: 1))
    _ = scene.assign()
    #expect(scene.startedOn == nil && scene.reported == [.released])
    scene.beat()
    let loads = scene.loads
    #expect(loads?.map(\.trials) == [1, 0])
    #expect(loads?[0].gpu.utilisationPercent == nil, "what is old is not told")
    scene.handle(.childSaid(.finished(modelDigest: "m"), lease))
    #expect(scene.reported == [.finished(modelDigest: "m")])
    // The driver tells of one of them again.
    scene.see([gpu(1), GPU(index: 7, uuid: "GPU-7", name: "another's")])
    #expect(scene.offered == 2)
}

@Test("a trial that lacks memory beside others is tried again with fewer, and more are tried later")
func fewerAfterLack() {
    var scene = Scene(gpus: [gpu(0)], slotsPerGPU: 3)
    let leases = (0..<3).map { _ in scene.assign() }
    scene.lackMemory(leases[1])
    #expect(scene.reported == [.failed(kind: .outOfGPUMemory, message: "no memory")])
    scene.end(leases[1])
    scene.beat()
    #expect(scene.loads?.map(\.slots) == [2])
    scene.live(for: 500_000)
    _ = scene.assign()
    #expect(scene.startedOn == nil, "two go on, and two are all")
    scene.live(for: 200_000)
    _ = scene.assign()
    #expect(scene.startedOn == 0, "after ten minutes one more is tried")
}

@Test("two that lack memory at the same time leave the slots of those that go on")
func twoLack() {
    var scene = Scene(gpus: [gpu(0)], slotsPerGPU: 3)
    let leases = (0..<3).map { _ in scene.assign() }
    scene.lackMemory(leases[0])
    scene.lackMemory(leases[1])
    scene.end(leases[0])
    scene.end(leases[1])
    scene.beat()
    #expect(scene.loads?.map(\.slots) == [1])
}

@Test("a trial that lacks memory on a GPU of its own is too large for it, and says so")
func alone() {
    var scene = Scene(gpus: [gpu(0)], slotsPerGPU: 2)
    let lease = scene.assign()
    scene.lackMemory(lease)
    #expect(
        scene.reported == [
            .failed(
                kind: .outOfMemory,
                message: "no memory; it had GPU 0 (H100) with its 80000 MiB to itself")
        ])
    scene.end(lease)
    scene.beat()
    #expect(scene.loads?.map(\.slots) == [2], "another trial may be smaller")
}

@Test(
    "a worker without GPUs of its own takes a lack of their memory for a failure, which is counted")
func notGiven() {
    var scene = Scene(gpus: nil)
    let lease = scene.assign()
    scene.lackMemory(lease)
    #expect(
        scene.reported == [
            .failed(
                kind: .outOfMemory,
                message: "no memory; a worker with --gpus looks at a GPU's memory before")
        ])
}

@Test("a GPU on which others leave no room for one trial rests, longer each time")
func rest() {
    var scene = Scene(gpus: [gpu(0, free: 40_000)], slotsPerGPU: 2)
    for rest in [600_000, 1_200_000, 2_400_000, 3_600_000, 3_600_000] as [Int64] {
        let lease = scene.assign()
        #expect(scene.startedOn == 0)
        scene.lackMemory(lease)
        #expect(scene.reported == [.failed(kind: .outOfGPUMemory, message: "no memory")])
        scene.end(lease)
        scene.beat()
        #expect(scene.loads?.map(\.slots) == [0])
        scene.live(for: rest - 20_000)
        scene.beat()
        #expect(scene.loads?.map(\.slots) == [1])
        scene.live(for: 10_000)
    }
}

@Test("the heartbeat tells the GPUs with their trials")
func heartbeat() throws {
    var scene = Scene()
    _ = scene.assign()
    scene.beat()
    let loads = try #require(scene.loads)
    let expected = [
        GPULoad(gpu: gpu(0), trials: 1, slots: 2), GPULoad(gpu: gpu(1), trials: 0, slots: 2),
    ]
    #expect(loads == expected)
}
