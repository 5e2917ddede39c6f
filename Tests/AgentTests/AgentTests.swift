import Agent
import SweepModel
import Testing
import Wire

/// An agent, a clock that tests move, and what it did last.
private struct Scene {
    var agent: Agent
    var now: Int64 = 0
    var actions: [AgentAction] = []
    var lastReported: [ReportContent] = []

    init(slots: Int = 2, leavesWithCoordinator: Bool = false, walltimeMs: Int64? = nil) {
        agent = Agent(
            options: Agent.Options(
                host: "h", slots: slots, softwareVersion: "1", offers: [],
                leavesWithCoordinator: leavesWithCoordinator, connectDelayMs: 60_000,
                idleExitMs: 600_000, walltimeMs: walltimeMs), at: 0)
    }

    mutating func handle(_ event: AgentEvent) { actions = agent.handle(event, at: now) }
    mutating func hear(_ message: Message) { handle(.received(message)) }

    mutating func tick(after milliseconds: Int64) {
        now += milliseconds
        handle(.ticked)
    }

    /// Lets time pass in steps as short as the shell's, and hears from the coordinator meanwhile.
    ///
    /// - Returns: the attempts whose processes it killed.
    mutating func live(for milliseconds: Int64) -> [Lease] {
        var killed: [Lease] = []
        for _ in 0..<(milliseconds / 1_000) {
            tick(after: 1_000)
            killed += self.killed
            if !reported.isEmpty { lastReported = reported }
            hear(.renewed(heartbeat: 1))
        }
        return killed
    }

    mutating func welcome(_ verdicts: [AttemptVerdict] = []) {
        hear(
            .welcome(
                Welcome(
                    leaseMs: 90_000, heartbeatMs: 10_000, softwareVersion: "1", verdicts: verdicts))
        )
    }

    mutating func assign(_ name: String = "t", attempt: Int = 1) -> Lease {
        let lease = Lease(trial: TrialID(name), attempt: attempt)
        let configuration = TrialConfiguration(
            dataset: .fashionmnist, strategy: .random, seed: 0, studyProtocol: StudyProtocol())
        hear(.assign(Assignment(lease: lease, configuration: configuration, runFolder: "")))
        return lease
    }

    var sent: [Message] {
        actions.compactMap { if case .send(let message) = $0 { message } else { nil } }
    }

    var reported: [ReportContent] {
        sent.compactMap { if case .report(let report) = $0 { report.content } else { nil } }
    }

    var started: Int { actions.count { if case .start = $0 { true } else { false } } }
    var stopped: [Lease] {
        actions.compactMap { if case .stop(let lease) = $0 { lease } else { nil } }
    }
    var killed: [Lease] {
        actions.compactMap { if case .kill(let lease) = $0 { lease } else { nil } }
    }
    var exit: AgentExit? {
        actions.lazy.compactMap { if case .exit(let exit) = $0 { exit } else { nil } }.first
    }

    /// A worker with one running attempt.
    static func working() -> (Scene, Lease) {
        var scene = Scene()
        scene.handle(.ticked)
        scene.welcome()
        let lease = scene.assign()
        return (scene, lease)
    }
}

private let cycle = CycleResult(
    cycle: 1, labelled: 10, correct: 5, total: 10, testLoss: 1, trainLoss: 1, labelledDigest: "l",
    weightsDigest: "w", query: nil, trainSeconds: 1, evaluateSeconds: 1, querySeconds: 1)

@Test("it says hello until it is welcome, then asks for work")
func helloUntilWelcome() {
    var scene = Scene()
    scene.handle(.ticked)
    #expect(scene.sent.map(\.type) == [.hello])
    scene.tick(after: 100)
    #expect(scene.sent.isEmpty)
    scene.tick(after: 2_000)
    #expect(scene.sent.map(\.type) == [.hello])
    scene.welcome()
    #expect(scene.sent == [.ready(Ready(freeSlots: 2, assignmentsReceived: 0))])
}

@Test("an assignment before the welcome is not taken: the coordinator counts it as lost")
func assignmentBeforeWelcome() {
    var scene = Scene()
    scene.handle(.ticked)
    _ = scene.assign()
    #expect(scene.started == 0)
}

@Test("more assignments than free slots are not started")
func surplusAssignments() {
    var scene = Scene(slots: 1)
    scene.handle(.ticked)
    scene.welcome()
    _ = scene.assign("a")
    #expect(scene.started == 1)
    _ = scene.assign("b")
    #expect(scene.started == 0)
}

@Test("a report is repeated until it is acknowledged")
func reportsAreRepeated() {
    var (scene, lease) = Scene.working()
    scene.handle(.childSaid(.cycle(cycle), lease))
    #expect(scene.reported == [.cycle(cycle)])
    scene.tick(after: 10_000)
    #expect(scene.reported == [.cycle(cycle)])
    scene.hear(.acknowledge(report: 1))
    scene.hear(.renewed(heartbeat: 1))
    scene.tick(after: 10_000)
    #expect(scene.reported.isEmpty)
}

@Test("without a coordinator the trial goes on, and its reports wait for the welcome")
func reportsWaitForWelcome() {
    var (scene, lease) = Scene.working()
    scene.tick(after: 31_000)
    #expect(!scene.agent.isWelcome)
    scene.handle(.childSaid(.cycle(cycle), lease))
    #expect(scene.reported.isEmpty)
    scene.handle(.childSaid(.finished(modelDigest: "m"), lease))
    scene.handle(.childEnded(lease, fault: nil))
    scene.tick(after: 2_000)
    guard case .hello(let hello) = scene.sent.first else {
        Issue.record("no hello in \(scene.sent)")
        return
    }
    #expect(hello.attempts == [lease], "what waits to be reported is still held")
    scene.welcome([AttemptVerdict(lease: lease, verdict: .adopt)])
    #expect(scene.reported == [.cycle(cycle), .finished(modelDigest: "m")])
}

@Test("a fenced attempt is stopped and its reports forgotten")
func fencedAttempt() {
    var (scene, lease) = Scene.working()
    scene.handle(.childSaid(.cycle(cycle), lease))
    scene.hear(.fenced(lease))
    #expect(scene.stopped == [lease])
    scene.handle(.childSaid(.cycle(cycle), lease))
    #expect(scene.reported.isEmpty)
    scene.handle(.childEnded(lease, fault: (.crash, "killed")))
    #expect(scene.reported.isEmpty)
    #expect(scene.agent.attempts.isEmpty)
    #expect(scene.sent == [.ready(Ready(freeSlots: 2, assignmentsReceived: 1))])
}

@Test("a process that ends without a word is reported with its fault")
func silentEnd() {
    var (scene, lease) = Scene.working()
    scene.handle(.childEnded(lease, fault: (.crash, "boom")))
    #expect(scene.reported == [.failed(kind: .crash, message: "boom")])
}

@Test("heartbeats name every attempt and how far it is")
func heartbeats() {
    var (scene, lease) = Scene.working()
    scene.handle(.childSaid(.progress(cycle: 2, epoch: 7), lease))
    scene.tick(after: 10_000)
    let expected = Heartbeat(
        number: 1, assignmentsReceived: 1,
        attempts: [AttemptProgress(lease: lease, cycle: 2, epoch: 7)])
    #expect(scene.sent.first == .heartbeat(expected))
}

@Test("a stop stops the processes, gives the attempts back and says goodbye")
func stop() {
    var (scene, lease) = Scene.working()
    scene.handle(.stopRequested)
    #expect(scene.stopped == [lease])
    #expect(scene.exit == nil)
    scene.handle(.childEnded(lease, fault: nil))
    #expect(scene.reported == [.released])
    scene.hear(.acknowledge(report: 1))
    #expect(scene.sent.map(\.type) == [.goodbye])
    #expect(scene.exit == .stopped)
}

@Test("a stop does not wait for ever for acknowledgements")
func stopWithoutAnswer() {
    var (scene, lease) = Scene.working()
    scene.handle(.stopRequested)
    scene.handle(.childEnded(lease, fault: nil))
    scene.tick(after: 5_000)
    #expect(scene.exit == .stopped)
}

@Test("when the coordinator leaves, a worker started by hand gives back its trials and stays")
func coordinatorLeaves() {
    var (scene, lease) = Scene.working()
    scene.hear(.stop(.coordinatorLeaving))
    #expect(scene.reported == [.released])
    #expect(scene.stopped == [lease])
    scene.handle(.childEnded(lease, fault: nil))
    #expect(scene.exit == nil)
    var spawned = Scene(leavesWithCoordinator: true)
    spawned.handle(.ticked)
    spawned.welcome()
    spawned.hear(.stop(.coordinatorLeaving))
    #expect(spawned.exit == .stopped)
}

@Test("a coordinator that never answers, or has gone for long, ends a worker without work")
func lostCoordinator() {
    var never = Scene()
    never.tick(after: 60_000)
    #expect(never.exit == .coordinatorNeverFound)
    var (scene, lease) = Scene.working()
    scene.tick(after: 700_000)
    #expect(scene.exit == nil, "it works")
    scene.handle(.childEnded(lease, fault: nil))
    #expect(scene.exit == .coordinatorLost)
}

@Test("an assignment that comes twice starts one process, and counts once")
func repeatedAssignment() {
    var (scene, lease) = Scene.working()
    #expect(scene.assign(lease.trial.rawValue, attempt: lease.attempt) == lease)
    #expect(scene.started == 0)
    scene.tick(after: 10_000)
    let received = scene.sent.compactMap { message in
        if case .heartbeat(let heartbeat) = message { heartbeat.assignmentsReceived } else { nil }
    }
    #expect(received == [1])
}

@Test("the end of the sweep ends a worker")
func endOfSweep() {
    var scene = Scene()
    scene.handle(.ticked)
    scene.welcome()
    scene.hear(.stop(.sweepFinished))
    #expect(scene.exit == .sweepFinished)
    var drained = Scene()
    drained.handle(.ticked)
    drained.welcome()
    drained.hear(.stop(.drained))
    #expect(drained.exit == .drained && drained.sent.contains { $0.type == .goodbye })
}

@Test("a process that says nothing for ten minutes is killed once, and has failed")
func hungProcess() {
    var (scene, lease) = Scene.working()
    scene.handle(.childSaid(.progress(cycle: 2, epoch: 3), lease))
    #expect(scene.live(for: 599_000).isEmpty)
    #expect(scene.live(for: 2_000) == [lease])
    guard case .failed(.hung, let message) = scene.lastReported.first else {
        Issue.record("\(scene.lastReported)")
        return
    }
    #expect(message.contains("600 s, in cycle 2 after epoch 3"))
    #expect(scene.live(for: 600_000).isEmpty)
    // It comes to life for a moment: too late.
    scene.handle(.childSaid(.cycle(cycle), lease))
    #expect(scene.reported.isEmpty)
    scene.hear(.acknowledge(report: 1))
    scene.handle(.childEnded(lease, fault: (.outOfMemory, "killed")))
    #expect(scene.reported.isEmpty && scene.agent.attempts.isEmpty)
}

@Test("a process that is slow is not hung: it has ten times its longest step")
func slowProcess() {
    var (scene, lease) = Scene.working()
    _ = scene.live(for: 300_000)
    scene.handle(.childSaid(.working, lease))
    #expect(scene.live(for: 2_990_000).isEmpty)
    #expect(scene.live(for: 20_000) == [lease])
}

@Test("time in which the agent was frozen, or its clock jumped, is nobody's silence")
func frozenAgent() {
    var (scene, lease) = Scene.working()
    scene.tick(after: 36_000_000)
    #expect(scene.killed.isEmpty && scene.reported.isEmpty)
    scene.tick(after: -36_000_000)
    scene.welcome([AttemptVerdict(lease: lease, verdict: .adopt)])
    #expect(scene.live(for: 580_000).isEmpty)
    #expect(scene.live(for: 20_000) == [lease])
}

@Test("a process that does not stop is killed, and told only once")
func stubbornProcess() {
    var (scene, lease) = Scene.working()
    scene.handle(.stopRequested)
    #expect(scene.stopped == [lease])
    scene.hear(.fenced(lease))
    #expect(scene.stopped.isEmpty)
    #expect(scene.live(for: 4_000).isEmpty)
    #expect(scene.live(for: 2_000) == [lease])
    scene.handle(.childEnded(lease, fault: nil))
    #expect(scene.exit == .stopped)
}

@Test("a worker with a wall time says so, gives back what would not be finished, and ends in time")
func walltime() {
    var scene = Scene(walltimeMs: 3_600_000)
    scene.handle(.ticked)
    guard case .hello(let hello) = scene.sent.first else {
        Issue.record("no hello in \(scene.sent)")
        return
    }
    #expect(hello.remainingMs == 3_600_000)
    scene.welcome()
    let (short, long) = (scene.assign("a"), scene.assign("b"))
    scene.tick(after: 1_000)
    // Cycle 2 has twice the labels: a cycle of 100 s is followed by one that fits, one of 3,000 s not.
    var result = cycle
    result.trainSeconds = 100
    scene.handle(.childSaid(.cycle(result), short))
    #expect(scene.reported == [.cycle(result)] && scene.stopped.isEmpty)
    result.trainSeconds = 3_000
    scene.handle(.childSaid(.cycle(result), long))
    #expect(scene.reported == [.cycle(result), .released] && scene.stopped == [long])
    scene.tick(after: 3_599_000)
    #expect(scene.stopped == [short])
    scene.handle(.childEnded(short, fault: nil))
    scene.handle(.childEnded(long, fault: nil))
    #expect(scene.exit == .stopped)
}
