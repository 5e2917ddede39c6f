import SweepModel
import Testing
import Wire

@testable import Coordinator

extension Scene {
    mutating func command(_ command: RunCommand) {
        handle(.commanded(command, number: 7))
    }

    /// To the last command.
    var answer: CommandAnswer? {
        actions.lazy.compactMap { action in
            if case .answer(let answer, command: 7) = action { answer } else { nil }
        }.first
    }

    fileprivate func trial(_ strategy: String, _ steps: Int? = nil) -> TrialID {
        coordinator.history.trials.first {
            $0.configuration.strategy.name == strategy
                && $0.configuration.strategy.gradientSteps == steps
        }!.id
    }
}

/// A worker "a" with two slots and the leases of two of the three trials.
private func working() -> (Scene, [Lease]) {
    var scene = Scene()
    scene.join(slots: 2)
    scene.ready(free: 2, received: 0)
    return (scene, scene.assigned)
}

@Test("a paused run starts nothing, what runs goes on, and a resumed one starts what waits")
func pauseAndResume() throws {
    var (scene, leases) = working()
    scene.command(.pause(withdraws: false))
    #expect(scene.answer?.isDone == true)
    #expect(scene.records.last == .pauseSet(true))
    scene.finish(leases[0])
    scene.ready(received: 2)
    #expect(scene.assigned.isEmpty && scene.state(of: leases[0].trial) == .done)
    // A restart does not forget it.
    var restarted = Scene(history: try RunHistory(scene.records), at: 1_000)
    restarted.join("b")
    restarted.ready("b", received: 0)
    #expect(restarted.assigned.isEmpty)
    scene.command(.resume)
    #expect(scene.assigned.count == 1)
}

@Test("a pause that takes back what runs ends it without blame, and its worker is told to stop")
func pauseWithdraws() {
    var (scene, leases) = working()
    scene.report(.cycle(Scene.result(1, correct: 50)), leases[0])
    scene.command(.pause(withdraws: true))
    #expect(scene.sent == leases.map { .fenced($0) })
    #expect(leases.allSatisfy { scene.state(of: $0.trial) == .pending })
    // What comes late counts for nothing.
    scene.report(.cycle(Scene.result(2, correct: 60)), leases[0])
    #expect(scene.sent == [.fenced(leases[0])])
    scene.command(.resume)
    scene.ready(free: 2, received: 2)
    #expect(Set(scene.assigned.map(\.trial)) == Set(leases.map(\.trial)))
    let trial = scene.coordinator.history[leases[0].trial]!
    #expect(trial.blamedFailures.isEmpty && trial.cycles[0] != nil)
}

@Test("a cancelled trial is fenced, never assigned again, and the rest of the sweep finishes")
func cancelOneTrial() {
    var (scene, leases) = working()
    let random = scene.trial("random")
    let waiting = [random, scene.trial("dqn", 100), scene.trial("dqn", 200)].first { trial in
        !leases.contains { $0.trial == trial }
    }!
    scene.command(.cancel(.named([leases[0].trial, waiting])))
    #expect(scene.sent == [.fenced(leases[0])])
    #expect(
        scene.answer == CommandAnswer(isDone: true, text: "2 trials cancelled, 1 of them at work"))
    #expect(
        scene.records.suffix(3).map(\.kind) == [.attemptEnded, .trialCancelled, .trialCancelled])
    scene.ready(free: 1, received: 2)
    #expect(scene.assigned.isEmpty)
    // The second stage cannot choose from what was cancelled.
    scene.finish(leases[1])
    #expect(scene.outcomes == [.sweepFinished])
    #expect(scene.coordinator.blockedStages.map(\.stage) == ["times"])
}

@Test("a cancelled sweep is finished at once, and its workers are sent home")
func cancelAll() {
    var (scene, leases) = working()
    scene.command(.cancel(.all))
    #expect(scene.outcomes == [.sweepFinished])
    #expect(scene.sent == leases.map { .fenced($0) } + [.stop(.sweepFinished)])
    // The answer leaves before the coordinator ends.
    let place = scene.actions.firstIndex {
        if case .answer = $0 { true } else { false }
    }
    #expect(place! < scene.actions.firstIndex(of: .finished(.sweepFinished))!)
}

@Test("a failed trial is tried again with its failures forgiven and its cycles kept")
func retryFailed() {
    var (scene, leases) = working()
    let lease = leases[0]
    scene.report(.cycle(Scene.result(1, correct: 50)), lease)
    scene.report(.failed(kind: .user, message: "no"), lease)
    #expect(scene.state(of: lease.trial) == .failed)
    scene.command(.retry(.all, withCancelled: false))
    #expect(scene.answer?.text == "1 trial to be tried again")
    scene.ready(free: 1, received: 2)
    let trial = scene.coordinator.history[lease.trial]!
    #expect(trial.blamedFailures.isEmpty && trial.failure == nil && trial.cycles[0] != nil)
    #expect(scene.coordinator.history.unsettledCount == 3)
}

@Test("a cancelled trial comes back by its name, or with the others that were cancelled")
func retryCancelled() {
    for command in [
        RunCommand.retry(.all, withCancelled: true),
        .retry(.named([Scene().trial("random")]), withCancelled: false),
    ] {
        var scene = Scene()
        let random = scene.trial("random")
        scene.command(.cancel(.named([random])))
        scene.command(.retry(.all, withCancelled: false))
        #expect(
            scene.answer?.isDone == false && scene.answer?.hint?.contains("--cancelled") == true)
        scene.command(command)
        #expect(scene.state(of: random) == .pending)
        scene.runAll()
        #expect(scene.outcomes == [.sweepFinished])
    }
}

@Test("a command that cannot be done changes nothing, and says what to do")
func refusedCommands() {
    var scene = Scene()
    let random = scene.trial("random")
    scene.command(.resume)
    #expect(scene.answer?.text == "the run is not paused")
    scene.command(.retry(.named([random]), withCancelled: false))
    #expect(scene.answer?.text.contains("is pending and cannot be tried again") == true)
    var typo = random.rawValue
    typo.removeLast()
    // Nothing is cancelled if one of the names is wrong.
    scene.command(.cancel(.named([random, TrialID(typo)])))
    #expect(scene.answer?.text.contains("did you mean '\(random)'?") == true)
    scene.command(.pause(withdraws: false))
    scene.command(.pause(withdraws: true))
    #expect(scene.answer?.text == "the run is paused already")
    #expect(scene.answer?.hint?.contains("alsweep resume") == true)
    #expect(scene.records.count { $0.trial != nil } == 3, "the trials added")
    scene.runAll()
    scene.handle(.stopRequested)
    scene.command(.cancel(.all))
    #expect(scene.answer?.isDone == false)
}

@Test("records that contradict the state are refused")
func inconsistentCommands() throws {
    let (scene, leases) = working()
    for record in [
        Record.trialCancelled(leases[0].trial), .trialRetried(leases[0].trial),
        .trialCancelled(TrialID("none")),
    ] {
        #expect(throws: InconsistentRecord.self) { try RunHistory(scene.records + [record]) }
    }
}

@Test("a user is told the connected workers with the GPUs of their last heartbeat")
func workersAreTold() {
    var scene = Scene()
    scene.join("a", slots: 2)
    scene.join("b")
    scene.ready("a", received: 0)
    let lease = scene.assigned[0]
    let load = GPULoad(
        gpu: GPU(
            index: 0, uuid: "GPU-1", name: "H\u{1B}[2J100", memoryTotalMiB: 100, memoryUsedMiB: 7,
            memoryFreeMiB: 93, utilisationPercent: 50), trials: 1, slots: 2)
    scene.now = 5_000
    scene.hear(
        .heartbeat(
            Heartbeat(
                number: 1, assignmentsReceived: 1,
                attempts: [AttemptProgress(lease: lease, cycle: 1, epoch: 0)],
                gpus: Array(repeating: load, count: 100))))
    let told = scene.coordinator.workersTold(at: Instant(milliseconds: 6_000))
    #expect(told.count == 2)
    #expect(told.workers.map(\.host) == ["host-a", "host-b"])
    #expect(told.workers.map(\.trials) == [1, 0])
    #expect(told.workers.map(\.silentMs) == [1_000, 6_000])
    #expect(told.workers[0].gpus?.count == 64, "more are taken for a mistake")
    #expect(told.workers[0].gpus?[0].gpu.name == "H[2J100", "without what moves a cursor")
    #expect(told.workers[1].gpus == nil)
}

@Test("waiting trials start by priority, then by length, and a restart keeps their order")
func priorities() throws {
    var sweep = Scene.quick
    sweep.stages.append(
        Stage(
            name: "soon", datasets: [.fashionmnist], seeds: .fixed([9]),
            strategies: [.plain(.random)], priority: 5))
    var scene = Scene(sweep)
    let random = scene.trial("random")
    scene.command(.prioritize(.named([random]), priority: 7))
    #expect(scene.answer?.text == "1 trial of priority 7")
    scene.command(.prioritize(.named([scene.trial("dqn", 200)]), priority: -1))
    let expected = [random, TrialID("fashionmnist-random-seed9"), scene.trial("dqn", 100)]
    var restarted = Scene(sweep, history: try RunHistory(scene.records), at: 1_000)
    for number in 0..<3 {
        for worker in ["a", "b", "c"][number...number] {
            scene.join(worker)
            scene.ready(worker, received: 0)
            #expect(scene.assigned.map(\.trial) == [expected[number]])
            restarted.join(worker)
            restarted.ready(worker, received: 0)
            #expect(restarted.assigned.map(\.trial) == [expected[number]])
        }
    }
    scene.command(.prioritize(.all, priority: 1_001))
    #expect(scene.answer?.isDone == false && scene.records.last?.kind == .attemptStarted)
}

@Test("a drained worker finishes what it has, gets nothing more, and is told to leave")
func drain() throws {
    var (scene, leases) = working()
    scene.join("b")
    scene.command(.drain("host-a", withdraws: false))
    #expect(scene.answer?.text == "host-a is drained; what runs there goes on to its end")
    #expect(!scene.sent.contains(.stop(.drained)), "it is at work")
    scene.finish(leases[0])
    scene.ready(received: 2)
    #expect(scene.assigned.isEmpty && !scene.sent.contains(.stop(.drained)))
    scene.finish(leases[1])
    scene.ready(free: 2, received: 2)
    #expect(scene.sent == [.stop(.drained)])
    // After a restart, too, and as often as it offers slots.
    var restarted = Scene(history: try RunHistory(scene.records), at: 1_000)
    restarted.join("a", slots: 2)
    for _ in 0..<2 {
        restarted.ready(free: 2, received: 0)
        #expect(restarted.sent == [.stop(.drained)])
    }
    // It offered its slots before, so it need not say so again.
    restarted.command(.undrain("host-a"))
    #expect(restarted.assigned.map(\.trial) == [scene.trial("random")])
}

@Test("a drain that takes back what runs has it go on elsewhere, without blame")
func drainWithdraws() {
    var (scene, leases) = working()
    scene.command(.drain("a", withdraws: true))
    #expect(scene.sent == leases.map { .fenced($0) } + [.stop(.drained)])
    #expect(scene.records.suffix(3).map(\.kind) == [.drainSet, .attemptEnded, .attemptEnded])
    scene.join("b", slots: 2)
    scene.ready("b", free: 2, received: 0)
    #expect(Set(scene.assigned) == Set(leases.map { Lease(trial: $0.trial, attempt: 2) }))
    for name in ["host-x", "a"] {
        scene.command(.drain(name, withdraws: true))
        #expect(scene.answer?.isDone == false)
    }
    scene.command(.undrain("host-b"))
    #expect(scene.answer?.isDone == false)
}
