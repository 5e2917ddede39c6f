import SweepModel
import Testing
import Wire

@testable import Coordinator

@Test("a new run draws its seeds once, then adds the first stage's trials")
func newRunAddsItsTrials() {
    let scene = Scene()
    #expect(
        scene.records.map(\.kind) == [
            .sweepSubmitted, .coordinatorStarted, .trialAdded, .trialAdded, .trialAdded,
        ])
    #expect(
        scene.coordinator.history.trials.map(\.id.rawValue) == [
            "fashionmnist-random-seed0", "fashionmnist-dqn100-seed0", "fashionmnist-dqn200-seed0",
        ])
}

@Test("an attempt is journaled before its trial is assigned")
func attemptIsJournaledFirst() {
    var scene = Scene()
    scene.join()
    scene.ready(received: 0)
    let kinds = scene.actions.compactMap { action -> String? in
        switch action {
        case .append(.attemptStarted): "append"
        case .send(.assign, _): "assign"
        default: nil
        }
    }
    #expect(kinds == ["append", "assign"])
}

@Test("a worker gets one trial per free slot, the longest first")
func longestTrialFirst() {
    var scene = Scene()
    scene.join(slots: 2)
    scene.ready(free: 2, received: 0)
    // random scores no pool, so it is the shortest of the three.
    #expect(
        scene.assigned.map(\.trial.rawValue) == [
            "fashionmnist-dqn100-seed0", "fashionmnist-dqn200-seed0",
        ])
}

@Test("an assignment under way is not counted as a free slot")
func assignmentUnderWay() {
    var scene = Scene()
    scene.join()
    scene.ready(free: 1, received: 0)
    #expect(scene.assigned.count == 1)
    scene.ready(free: 1, received: 0)
    #expect(scene.assigned.isEmpty)
}

@Test("a worker that never said hello is asked to")
func strangerIsAskedForHello() {
    var scene = Scene()
    scene.ready(received: 0)
    #expect(scene.sent == [.helloWanted])
}

@Test("a worker of another version is refused, and told both versions")
func otherVersionIsRefused() {
    var scene = Scene()
    scene.hear(
        .hello(
            Hello(
                host: "h", slots: 1, softwareVersion: "2", offers: [Scene.float32], attempts: [])))
    guard case .refused(let reason) = scene.sent.first else {
        Issue.record("not refused: \(scene.sent)")
        return
    }
    #expect(reason.contains("alsweep 1") && reason.contains("alsweep 2"))
    scene.ready(received: 0)
    #expect(scene.assigned.isEmpty)
}

@Test("a worker that cannot compute in the sweep's precision is refused, and takes no trial")
func otherPrecisionIsRefused() {
    var sweep = Scene.quick
    sweep.studyProtocol.precision = .bfloat16
    var scene = Scene(sweep)
    scene.join()
    guard case .refused(let reason) = scene.sent.first else {
        Issue.record("not refused: \(scene.sent)")
        return
    }
    #expect(reason.contains("onednn in bfloat16") && reason.contains("host-a"))
    scene.ready(received: 0)
    #expect(scene.assigned.isEmpty)
    let offers = [Scene.float32, ComputingOffer(engine: .onednn, precision: .bfloat16)]
    scene.hear(
        .hello(Hello(host: "b", slots: 1, softwareVersion: "1", offers: offers, attempts: [])),
        from: "b")
    scene.ready("b", received: 0)
    #expect(scene.assigned.count == 1)
}

@Test("an assignment that cannot be delivered is taken back at once")
func undeliveredAssignment() {
    var scene = Scene()
    scene.join()
    scene.ready(received: 0)
    let lease = scene.assigned[0]
    for case .send(let message, let worker) in scene.actions {
        scene.handle(.undelivered(message, to: worker))
    }
    #expect(scene.state(of: lease.trial) == .pending)
    scene.join("b")
    scene.ready("b", received: 0)
    #expect(scene.assigned == [Lease(trial: lease.trial, attempt: 2)])
}

@Test("the second stage takes what the first found, per wins, and says so")
func secondStageTakesTheBestStep() {
    var scene = Scene()
    scene.runAll { $0 == 200 ? [50, 61, 70] : [50, 60, 70] }
    let choice = scene.coordinator.history.choices
    #expect(
        choice == [
            StepsChosen(
                stage: "times", dataset: .fashionmnist, gradientSteps: 200, tied: [200],
                criterion: .wins)
        ])
    #expect(
        scene.coordinator.history.trials.suffix(2).map(\.id.rawValue) == [
            "fashionmnist-dqn200-seed7", "fashionmnist-dqn200-seed8",
        ])
    #expect(scene.outcomes == [.sweepFinished])
    #expect(scene.sent.last == .stop(.sweepFinished))
}

@Test("a tie takes the fewest gradient steps")
func tieTakesFewestSteps() {
    var scene = Scene()
    scene.runAll()
    #expect(scene.coordinator.history.choices[0].gradientSteps == 100)
    #expect(scene.coordinator.history.choices[0].tied == [100, 200])
}

@Test("a stage whose source failed never starts, and the sweep ends all the same")
func blockedStage() {
    var scene = Scene()
    scene.join()
    scene.ready(received: 0)
    scene.report(.failed(kind: .user, message: "bad"), scene.assigned[0])
    for count in 1...2 {
        scene.ready(received: count)
        scene.finish(scene.assigned[0])
    }
    #expect(scene.outcomes == [.sweepFinished])
    #expect(scene.coordinator.blockedStages.map(\.stage) == ["times"])
}

/// The quick sweep, whose second stage also tries steps of another learner, and a third that takes those.
private let chain: Sweep = {
    var sweep = Scene.quick
    sweep.stages[1].seeds = .fixed([1])
    sweep.stages[1].strategies.append(.learned(.dqnWarm, .fixed([10, 20])))
    sweep.stages.append(
        Stage(
            name: "last", datasets: [.fashionmnist], seeds: .fixed([2]),
            strategies: [.learned(.dqnWarm, .bestOf(stage: "times"))]))
    return sweep
}()

@Test("a stage builds on one that builds on another")
func chainOfStages() {
    var scene = Scene(chain)
    scene.runAll { steps in
        steps == 20 || steps == 200 ? [60, 70, 80] : [50, 60, 70]
    }
    #expect(scene.outcomes == [.sweepFinished])
    #expect(scene.coordinator.history.choices.map(\.gradientSteps) == [200, 20])
    #expect(
        scene.coordinator.history.trials.suffix(4).map(\.id.rawValue) == [
            "fashionmnist-dqn200-seed1", "fashionmnist-dqn_warm10-seed1",
            "fashionmnist-dqn_warm20-seed1", "fashionmnist-dqn_warm20-seed2",
        ])
}

@Test("a stage that builds on one that cannot start cannot start either")
func blockedChain() {
    var scene = Scene(chain)
    #expect(scene.coordinator.blockedStages.isEmpty)
    scene.command(.cancel(.named([TrialID("fashionmnist-random-seed0")])))
    scene.runAll()
    #expect(scene.outcomes == [.sweepFinished])
    #expect(scene.coordinator.blockedStages.map(\.stage) == ["times", "last"])
}

@Test("seeds that were added to a finished run give new trials, and repeat none")
func addedSeeds() throws {
    var finished = Scene()
    finished.runAll()
    let trials = finished.coordinator.history.trials.map(\.id)
    let records = finished.records + [.seedsAdded(SeedsAdded(seeds: [20, 21]))]
    var scene = Scene(history: try RunHistory(records))
    #expect(
        scene.records.compactMap(\.trial?.rawValue) == [
            "fashionmnist-dqn100-seed20", "fashionmnist-dqn100-seed21",
        ])
    scene.runAll()
    #expect(scene.outcomes == [.sweepFinished])
    #expect(
        scene.coordinator.history.trials.prefix(trials.count).allSatisfy { $0.attempts.count == 1 })
    #expect(scene.coordinator.history.trials.count == trials.count + 2)
}

@Test("a changed file gives a finished run its new trials, and repeats none")
func extendedSweep() throws {
    var finished = Scene()
    finished.runAll()
    let trials = finished.coordinator.history.trials.map(\.id)
    var sweep = Scene.quick
    sweep.stages[0].strategies.append(.plain(.margin))
    sweep.stages[1].strategies.append(.plain(.random))
    var scene = Scene(sweep, text: "changed", history: finished.coordinator.history)
    #expect(scene.records.first == .sweepExtended(SweepExtended(text: "changed")))
    #expect(
        scene.records.compactMap(\.trial?.rawValue) == [
            "fashionmnist-margin-seed0", "fashionmnist-random-seed7", "fashionmnist-random-seed8",
        ])
    #expect(scene.coordinator.trialCount == trials.count + 3)
    scene.runAll()
    #expect(scene.outcomes == [.sweepFinished])
    let history = scene.coordinator.history
    #expect(history.submission?.text == "changed" && history.timeSeeds == [7, 8])
    #expect(history.trials.allSatisfy { $0.attempts.count == 1 && $0.state == .done })
    // The next start has the same file.
    let again = Scene(sweep, text: "changed", history: history)
    #expect(again.records.map(\.kind) == [.coordinatorStarted])
}

@Test("the best steps of a strategy are chosen among its own trials alone")
func choiceOfOneLearner() {
    var sweep = Scene.quick
    sweep.stages[0].strategies.append(.learned(.dqnWarm, .fixed([100, 300])))
    sweep.stages[1].strategies = [.learned(.dqnWarm, .bestOf(stage: "steps"))]
    var scene = Scene(sweep)
    // By steps: 200, which dqn alone has tried, is best, then 300, which dqn_warm alone has.
    scene.runAll { steps in
        steps == 200 ? [90, 91, 92] : steps == 300 ? [60, 70, 80] : [50, 60, 70]
    }
    #expect(
        scene.coordinator.history.choices == [
            StepsChosen(
                stage: "times", dataset: .fashionmnist, gradientSteps: 300, tied: [300],
                criterion: .wins)
        ])
    #expect(scene.coordinator.history[TrialID("fashionmnist-dqn_warm300-seed7")]?.state == .done)
    #expect(scene.coordinator.history.trials.count == 7)
}

@Test("a worker that counts anew after a repeated welcome is given trials again")
func repeatedWelcome() {
    var scene = Scene()
    scene.join()
    scene.ready(received: 0)
    scene.finish(scene.assigned[0])
    // It has received one, and forgot it with the second welcome.
    scene.ready(received: 0)
    #expect(scene.assigned == [], "an assignment may be under way")
    scene.hear(.heartbeat(Heartbeat(number: 1, assignmentsReceived: 0, attempts: [])))
    scene.ready(received: 0)
    #expect(scene.assigned.count == 1)
}
