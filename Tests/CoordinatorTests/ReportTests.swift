import SweepModel
import Testing
import Wire

@testable import Coordinator

/// A worker "a" with the lease of the first trial.
private func working() -> (Scene, Lease) {
    var scene = Scene()
    scene.join()
    scene.ready(received: 0)
    let lease = scene.assigned[0]
    return (scene, lease)
}

@Test("a cycle is journaled before it is acknowledged")
func cycleIsJournaledFirst() {
    var (scene, lease) = working()
    scene.report(.cycle(Scene.result(1, correct: 50)), lease)
    let first = scene.actions.first
    guard case .append(.cycleAccepted(let accepted)) = first else {
        Issue.record("the first action is \(String(describing: first))")
        return
    }
    #expect(accepted.result.correct == 50 && accepted.attempt == 1 && accepted.host == "host-a")
    #expect(scene.sent == [.acknowledge(report: 1)])
}

@Test("the same result twice is acknowledged again and counted once")
func sameResultTwice() {
    var (scene, lease) = working()
    scene.report(.cycle(Scene.result(1, correct: 50)), lease)
    var repeated = Scene.result(1, correct: 50)
    repeated.trainSeconds = 99
    scene.report(.cycle(repeated), lease)
    #expect(scene.actions.contains(.send(.acknowledge(report: 2), to: WorkerID("a"))))
    #expect(scene.records.count { $0.kind == .cycleAccepted } == 1)
    #expect(!scene.records.contains { $0.kind == .cycleDisputed })
}

@Test("a different result for an accepted cycle is kept beside it and does not count")
func differentResultIsDisputed() {
    var (scene, lease) = working()
    scene.report(.cycle(Scene.result(1, correct: 50)), lease)
    scene.report(.cycle(Scene.result(1, correct: 51)), lease)
    scene.report(.cycle(Scene.result(1, correct: 51)), lease)
    let trial = scene.coordinator.history[lease.trial]!
    #expect(trial.cycles[0]!.result.correct == 50)
    #expect(trial.disputes.map(\.result.correct) == [51])
}

@Test("a trial is done when it is reported finished with all its cycles, not before")
func finishedNeedsAllCycles() {
    var (scene, lease) = working()
    scene.report(.cycle(Scene.result(1, correct: 50)), lease)
    scene.report(.finished(modelDigest: "m"), lease)
    #expect(scene.sent.isEmpty)
    #expect(scene.state(of: lease.trial) == .running)
    scene.report(.cycle(Scene.result(3, correct: 70)), lease)
    scene.report(.cycle(Scene.result(2, correct: 60)), lease)
    scene.report(.finished(modelDigest: "m"), lease)
    #expect(scene.state(of: lease.trial) == .done)
    #expect(scene.coordinator.history[lease.trial]!.modelDigest == "m")
}

@Test(
    "an impossible result ends its attempt",
    arguments: [
        Scene.result(4, correct: 50), Scene.result(0, correct: 50), Scene.result(1, correct: 101),
        Scene.result(1, correct: -1), Scene.result(.min, correct: 50),
        Scene.result(.max, correct: 50),
    ])
func impossibleResult(result: CycleResult) {
    var (scene, lease) = working()
    scene.report(.cycle(result), lease)
    #expect(scene.sent.contains(.fenced(lease)))
    #expect(scene.coordinator.history[lease.trial]!.blamedFailures.count == 1)
    #expect(!scene.records.contains { $0.kind == .cycleAccepted })
}

@Test("a crash is tried again after a while, and given up after three")
func crashesAreRepeatedThreeTimes() {
    var (scene, lease) = working()
    let trial = lease.trial
    for attempt in 1...3 {
        scene.report(.failed(kind: .crash, message: "boom"), Lease(trial: trial, attempt: attempt))
        // The other trials wait elsewhere: the worker is asked for this one only.
        scene.coordinator.queue.removeAll { scene.coordinator.history.trials[$0].id != trial }
        scene.ready(received: attempt)
        #expect(scene.assigned.isEmpty)
        scene.wait(60_000)
        #expect(scene.assigned.count == (attempt < 3 ? 1 : 0))
    }
    #expect(scene.state(of: trial) == .failed)
    #expect(scene.coordinator.history[trial]!.failure?.message == "boom")
}

@Test("a full disk is never the trial's fault")
func fullDiskDoesNotCount() {
    var (scene, lease) = working()
    scene.report(.failed(kind: .disk, message: "full"), lease)
    #expect(scene.coordinator.history[lease.trial]!.blamedFailures.isEmpty)
    #expect(scene.state(of: lease.trial) == .pending)
}

@Test("a failed trial goes to another worker if one has a free slot")
func failedTrialMovesOn() {
    var (scene, lease) = working()
    scene.join("b")
    scene.report(.failed(kind: .crash, message: "boom"), lease)
    scene.coordinator.queue.removeAll { scene.coordinator.history.trials[$0].id != lease.trial }
    scene.ready("a", received: 1)
    scene.ready("b", received: 0)
    #expect(scene.assigned.isEmpty)
    scene.wait(60_000)
    #expect(scene.assigned == [Lease(trial: lease.trial, attempt: 2)])
    #expect(scene.coordinator.runningAttempts[0].attempt.worker == WorkerID("b"))
}

@Test(
    "extreme numbers of a hostile worker neither trap nor win anything",
    arguments: [
        Int.min, -1, 0, Int.max,
    ])
func extremeNumbers(number: Int) {
    var (scene, lease) = working()
    for received in [number, 0] {
        scene.hear(.ready(Ready(freeSlots: number, assignmentsReceived: received)))
        scene.hear(.heartbeat(Heartbeat(number: .max, assignmentsReceived: number, attempts: [])))
    }
    scene.join("none", slots: 0)
    scene.ready("none", free: number, received: 5)
    #expect(scene.assigned.isEmpty)
    let forged = Lease(trial: lease.trial, attempt: number)
    for content: ReportContent in [
        .cycle(Scene.result(number, correct: number)), .finished(modelDigest: ""), .released,
        .failed(kind: .crash, message: ""),
    ] {
        scene.report(content, forged, from: "none")
        scene.report(content, Lease(trial: TrialID("x"), attempt: number))
        scene.report(
            .cycle(Scene.result(number, correct: 1)), Lease(trial: lease.trial, attempt: 1),
            from: "b")
    }
    scene.join("many", slots: number, holding: [forged])
    #expect(!scene.records.contains { $0.kind == .cycleAccepted })
}

@Test("trials that wait for a dataset that no worker has are told of, until one comes that has it")
func datasetShortage() {
    var (scene, lease) = working()
    #expect(scene.coordinator.datasetShortages.isEmpty)
    scene.report(.failed(kind: .data, message: "no dataset"), lease)
    let shortage = DatasetShortage(dataset: .fashionmnist, hosts: ["host-a"])
    #expect(scene.coordinator.datasetShortages == [shortage])
    scene.join("b")
    #expect(scene.coordinator.datasetShortages.isEmpty)
    scene.hear(.goodbye(Goodbye()), from: "b")
    #expect(scene.coordinator.datasetShortages == [shortage])
    scene.hear(.goodbye(Goodbye()))
    #expect(scene.coordinator.datasetShortages.isEmpty, "without workers it waits for workers")
}

@Test("a worker without the dataset gets no more trials of it, and none is blamed")
func workerWithoutData() {
    var (scene, lease) = working()
    scene.report(.failed(kind: .data, message: "no dataset"), lease)
    #expect(scene.coordinator.history[lease.trial]!.blamedFailures.isEmpty)
    scene.now += 100_000
    scene.ready(received: 1)
    #expect(scene.assigned.isEmpty)
    scene.join("b")
    scene.ready("b", received: 0)
    #expect(scene.assigned.count == 1)
}
