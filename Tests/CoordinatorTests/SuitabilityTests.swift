import SweepModel
import Testing
import Wire

@testable import Coordinator

/// Eight trials of one cycle's length each, so that several can fail in a row.
private func scene() -> Scene {
    var studyProtocol = StudyProtocol()
    studyProtocol.cycles = 3
    studyProtocol.initial = 10
    studyProtocol.addendum = 10
    studyProtocol.testLimit = 100
    return Scene(
        Sweep(
            name: "wide", studyProtocol: studyProtocol,
            stages: [
                Stage(
                    name: "all", datasets: [.fashionmnist],
                    seeds: .fixed([1, 2, 3, 4, 5, 6, 7, 8]),
                    strategies: [.plain(.random)])
            ]))
}

extension Scene {
    fileprivate mutating func failNext(_ worker: String, received: Int) {
        ready(worker, received: received)
        guard let lease = assigned.first else {
            Issue.record("nothing was assigned")
            return
        }
        report(.failed(kind: .crash, message: "boom"), lease, from: worker)
    }

    fileprivate mutating func hello(_ worker: String, remainingMs: Int64?) {
        hear(
            .hello(
                Hello(
                    host: "host-\(worker)", slots: 1, softwareVersion: "1", offers: [Self.float32],
                    remainingMs: remainingMs, attempts: [])), from: worker)
    }
}

@Test("a worker on which three different trials failed in a row gets none for ten minutes")
func quarantine() {
    var scene = scene()
    scene.join("good")
    scene.join("bad")
    for count in 0..<3 { scene.failNext("bad", received: count) }
    #expect(scene.coordinator.quarantinedHosts == ["host-bad"])
    scene.ready("bad", received: 3)
    #expect(scene.assigned.isEmpty)
    scene.ready("good", received: 0)
    let lease = scene.assigned[0]
    for _ in 0..<5 {
        scene.now += 60_000
        scene.hear(
            .heartbeat(
                Heartbeat(
                    number: 1, assignmentsReceived: 1,
                    attempts: [AttemptProgress(lease: lease, cycle: 1, epoch: 1)])), from: "good")
        scene.ready("bad", received: 3)
        #expect(scene.assigned.isEmpty)
    }
    scene.now += 300_000
    scene.ready("bad", received: 3)
    #expect(scene.coordinator.quarantinedHosts.isEmpty && scene.assigned.count == 1)
}

@Test("a finished cycle between failures, and one trial that fails again and again, are no reason")
func noQuarantine() {
    var scene = scene()
    scene.join("good")
    scene.join("other")
    for count in 0..<2 { scene.failNext("other", received: count) }
    scene.ready("other", received: 2)
    let lease = scene.assigned[0]
    scene.report(.cycle(Scene.result(1, correct: 1)), lease, from: "other")
    scene.report(.failed(kind: .crash, message: "boom"), lease, from: "other")
    #expect(scene.coordinator.quarantinedHosts.isEmpty)
}

@Test("where everything fails everywhere the trials are given up, and nobody waits")
func everythingFails() {
    var scene = scene()
    scene.join("only")
    var count = 0
    while scene.outcomes.isEmpty, count < 100 {
        scene.now += 120_000
        scene.failNext("only", received: count)
        count += 1
    }
    #expect(count == 24 && scene.outcomes == [.sweepFinished])
}

@Test("a worker that ends soon gets a trial if its next cycle fits, or nothing was measured yet")
func walltime() {
    var scene = scene()
    scene.hello("short", remainingMs: 3_600_000)
    scene.ready("short", received: 0)
    let lease = scene.assigned[0]
    var slow = Scene.result(1, correct: 1)
    slow.trainSeconds = 1_000
    scene.report(.cycle(slow), lease, from: "short")
    scene.report(.released, lease, from: "short")
    // The second cycle has twice the labels: about 2,000 s, and a quarter for safety.
    scene.now += 600_000
    scene.hear(
        .hello(
            Hello(
                host: "host-short", slots: 1, softwareVersion: "1", offers: [Scene.float32],
                remainingMs: 2_000_000, attempts: [])), from: "short")
    scene.ready("short", received: 0)
    // A trial that was not begun still fits: its first cycle is as short as this one's was.
    #expect(scene.assigned.count == 1 && scene.assigned[0].trial != lease.trial)
    scene.report(.released, scene.assigned[0], from: "short")
    scene.hello("shorter", remainingMs: 1_000_000)
    scene.ready("shorter", received: 0)
    #expect(scene.assigned.count == 1, "on another host, where nothing was measured")
    scene.hello("short", remainingMs: 1_000_000)
    scene.ready("short", received: 0)
    #expect(scene.assigned.isEmpty)
    scene.hello("short", remainingMs: nil)
    scene.ready("short", received: 0)
    #expect(scene.assigned.count == 1)
}
