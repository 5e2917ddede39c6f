import Coordinator
import OrderedCollections
import SweepModel
import Wire

/// A coordinator, its disk, its workers and the network between them, in a time of its own.
struct World {
    let scenario: Scenario
    let bug: PlantedBug?
    var now: Int64 = 0
    var eventCount = 0
    var agenda = Agenda<Occurrence>()
    var draws: Draws
    var checker: Checker
    var trace: Trace
    var disk = SimulatedDisk()
    var coordinator: CoordinatorNode
    var workers: [WorkerNode]
    /// Looked up only: its order would differ from process to process.
    var nodes: [WorkerID: Int] = [:]
    /// Cycles in the checkpoints of the run's folder.
    var checkpoints: [TrialID: Int] = [:]
    var nextChild = 0
    var network: NetworkFaults
    var rates: FaultRates
    var isMended = false
    /// With what was added to its file.
    var sweep: Sweep
    /// How often seeds, or a strategy, were added.
    var extensionCount = 0
    var isDone = false
    /// By how much clocks were put back: deadlines move by as much.
    var setBackMs: Int64 = 0

    init(_ scenario: Scenario, bug: PlantedBug?, isTraced: Bool) {
        self.scenario = scenario
        sweep = scenario.sweep
        self.bug = bug
        var draws = Draws(seed: Draws.mix(scenario.seed))
        checker = Checker(scenario)
        trace = Trace(isOn: isTraced)
        coordinator = CoordinatorNode(
            clock: NodeClock(
                at: 0, reading: draws.milliseconds(in: 0...7_200_000), driftPerMillion: 0))
        workers = scenario.machines.map { machine in
            WorkerNode(
                machine: machine,
                clock: NodeClock(
                    at: 0, reading: draws.milliseconds(in: 0...7_200_000),
                    driftPerMillion: machine.driftPerMillion),
                takenMemory: Array(repeating: 0, count: machine.gpuCount))
        }
        self.draws = draws
        network = scenario.network
        rates = scenario.faults
        agenda.plan(.coordinatorStart, at: 0)
        for node in workers.indices where !workers[node].machine.isCoordinators {
            plan(.workerStart(node: node), afterUpTo: 60_000)
        }
        for (fault, mean) in rates.meanMs { plan(.fault(fault), afterMean: mean) }
        agenda.plan(.mend, at: scenario.faultMs)
    }

    /// Runs until the sweep is finished, a promise is broken, or the sweep should have finished.
    mutating func run() {
        while !isDone, checker.violation == nil, let (time, occurrence) = agenda.next() {
            now = time
            eventCount += 1
            handle(occurrence)
        }
        if checker.violation == nil { checkEnd() }
    }

    mutating func plan(_ occurrence: Occurrence, after milliseconds: Int64) {
        agenda.plan(occurrence, at: now + milliseconds)
    }

    mutating func plan(_ occurrence: Occurrence, afterUpTo milliseconds: Int64) {
        plan(occurrence, after: draws.milliseconds(in: 0...milliseconds))
    }

    mutating func plan(_ occurrence: Occurrence, afterMean milliseconds: Int64) {
        plan(occurrence, after: draws.wait(meanMs: milliseconds))
    }

    private mutating func handle(_ occurrence: Occurrence) {
        if let thaw = thaw(for: occurrence), thaw > now { return agenda.plan(occurrence, at: thaw) }
        switch occurrence {
        case .coordinatorStart: startCoordinator()
        case .coordinatorWake(let life): if coordinator.life == life { readInbox() }
        case .coordinatorTimer(let life, let generation):
            if coordinator.life == life { fireTimer(generation) }
        case .storageRetry(let life): if coordinator.life == life { retryStorage() }
        case .messageForCoordinator(let message, let worker):
            receive(.received(message, from: worker))
        case .messageForWorker(let message, let epoch, let node, let worker):
            arrive(message, epoch: epoch, at: node, for: worker)
        case .workerStart(let node): startWorker(node)
        case .workerTick(let node, let life): if workers[node].life == life { tick(node) }
        case .child(let step, let node, let life, let serial):
            if workers[node].life == life { advance(node, serial, step) }
        case .fault(let fault): happen(fault)
        case .diskMended:
            disk.isFull = false
            trace.note(now, "disk", "has space again")
        case .mend: mend()
        case .resumption: resumeRun()
        case .deadline: checker.fail(.liveness, livenessFault(), at: now)
        }
    }

    /// When the node concerned goes on, if it is frozen: what happens to it waits until then.
    private func thaw(for occurrence: Occurrence) -> Int64? {
        switch occurrence {
        case .coordinatorWake, .coordinatorTimer, .storageRetry: coordinator.frozenUntil
        case .messageForWorker(_, _, let node, _), .workerTick(let node, _),
            .child(_, let node, _, _):
            workers[node].frozenUntil
        default: nil
        }
    }

    private func livenessFault() -> String {
        let trials = checker.live.trials.filter { !$0.isSettled }
        let names = trials.prefix(3).map { "\($0.id) (\($0.state.rawValue))" }
        return "\(trials.count) trials are unsettled: \(names.joined(separator: ", "))"
    }

    /// What must be true of a finished run's journal.
    private mutating func checkEnd() {
        checker.restarted(disk.records, time: now)
        let history = checker.durable
        guard isDone else { return }
        for trial in history.trials where !trial.isSettled {
            checker.fail(.liveness, "the sweep finished without \(trial.id)", at: now)
        }
        for trial in history.trials where trial.state == .done && !trial.hasAllCycles {
            checker.fail(.nothingLost, "\(trial.id) is done with cycles missing", at: now)
        }
    }
}
