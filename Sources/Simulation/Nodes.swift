import Agent
import Coordinator
import OrderedCollections
import SweepModel
import Wire

/// The coordinator's process and the machine under it.
struct CoordinatorNode {
    /// nil while it is down.
    var machine: TestedCoordinator?
    /// Counts its processes.
    var life = 0
    var clock: NodeClock
    var frozenUntil: Int64 = 0
    /// Arrived, and not read yet.
    var inbox: [Event] = []
    var isWakePlanned = false
    /// Decided, and neither stored nor sent yet.
    var pending: [PendingAction] = []
    /// Waits for the disk; nothing is read meanwhile.
    var unstored: [PendingAction]?
    var timer: Instant?
    var timerGeneration = 0
    /// Connected, as far as it knows.
    var peers: OrderedSet<WorkerID> = []
    /// The worker that its predecessor or it itself started, and that is dead.
    var deadWorker: WorkerID?

    var isUp: Bool { machine != nil }
}

/// What the coordinator wants done, and the report that it answers with it.
struct PendingAction {
    let action: Action
    let cause: Report?
}

/// A machine, the worker on it, and its trials' processes.
struct WorkerNode {
    var machine: Machine
    var agent: Agent?
    /// Another one for every process.
    var id = WorkerID("")
    var life = 0
    var clock: NodeClock
    var frozenUntil: Int64 = 0
    /// Of the last welcome.
    var epoch = 0
    var children: [Child] = []
    /// Of each GPU: as much memory as so many trials need is somebody else's.
    var takenMemory: [Int] = []
    /// Cycles in the checkpoints of its scratch folder.
    var checkpoints: [TrialID: Int] = [:]
    /// Messages are lost until then.
    var cutToCoordinator: Int64 = 0
    var cutFromCoordinator: Int64 = 0
}

/// A trial's process.
struct Child {
    let serial: Int
    let assignment: Assignment
    let gpu: Int?
    var cycle = 0
    var isStopping = false
    /// It does nothing any more, whatever it is told.
    var isHung = false

    var configuration: TrialConfiguration { assignment.configuration }
}

enum ChildStep {
    case begin
    case cycleFinished
    /// Its checkpoint has moved to the coordinator, or was waited for in vain.
    case checkpointGiven
    case fail(FailureKind)
    case end
}

enum Occurrence {
    case coordinatorStart
    case coordinatorWake(life: Int)
    case coordinatorTimer(life: Int, generation: Int)
    case storageRetry(life: Int)
    case messageForCoordinator(Message, from: WorkerID)
    case messageForWorker(Message, epoch: Int, node: Int, to: WorkerID)
    case workerStart(node: Int)
    case workerTick(node: Int, life: Int)
    case child(ChildStep, node: Int, life: Int, serial: Int)
    case fault(Fault)
    case diskMended
    case mend
    /// The user looks whether the run is paused.
    case resumption
    case deadline
}
