import SweepModel
import Testing
import Wire

@testable import Coordinator

private let lack = ReportContent.failed(kind: .outOfGPUMemory, message: "no memory")

@Test("a trial that lacks GPU memory again and again is never given up for it")
func lackOfGPUMemoryIsNoFailure() {
    var sweep = Scene.quick
    sweep.stages = [
        Stage(
            name: "one", datasets: [.fashionmnist], seeds: .fixed([0]),
            strategies: [.plain(.random)])
    ]
    var scene = Scene(sweep)
    scene.join()
    let trial = scene.coordinator.history.trials[0].id
    for attempt in 1...7 {
        scene.ready(received: attempt - 1)
        #expect(scene.assigned == [Lease(trial: trial, attempt: attempt)])
        scene.report(lack, Lease(trial: trial, attempt: attempt))
        scene.wait(60_000)
    }
    #expect(scene.state(of: trial) == .pending)
    #expect(scene.coordinator.history[trial]!.blamedFailures.isEmpty)
    #expect(scene.coordinator.quarantinedHosts.isEmpty)
}

@Test("a trial that lacked GPU memory goes elsewhere, if there is a place")
func lackOfGPUMemoryGoesElsewhere() {
    var scene = Scene()
    scene.join("a")
    scene.ready("a", received: 0)
    let lease = scene.assigned[0]
    scene.report(lack, lease)
    scene.ready("a", received: 1)
    let other = scene.assigned[0]
    #expect(other.trial != lease.trial, "another trial meanwhile")
    scene.wait(5_000)
    scene.report(lack, other)
    scene.join("b")
    scene.ready("b", received: 0)
    scene.wait(60_000)
    #expect(scene.coordinator.history[lease.trial]!.runningAttempt?.worker == WorkerID("b"))
}
