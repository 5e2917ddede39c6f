import SweepModel

/// A machine with a worker on it.
struct Machine: Sendable, CustomStringConvertible {
    var slots = 1
    /// So many times as long as a healthy machine does it take.
    var slowness: Int64 = 1
    var lackedDataset: DatasetName?
    /// Its worker says what is not so, and what makes no sense.
    var isLiar = false
    /// Another version is installed.
    var isOutdated = false
    /// The coordinator starts its worker, and knows when that dies.
    var isCoordinators = false
    /// It keeps checkpoints in the run's folder, where other machines find them.
    var sharesFolder = true
    /// Its worker ends after so long.
    var walltimeMs: Int64?
    /// Its trials run on so many GPUs; none is on processors.
    var gpuCount = 0
    var slotsPerGPU = 1
    /// How far its clock's rate is off.
    var driftPerMillion: Int64 = 0

    init() {}

    init(index: Int, mayBeBad: Bool, from draws: inout Draws) {
        slots = draws.number(in: 1...3)
        isCoordinators = index == 0 && draws.flip()
        sharesFolder = draws.flip()
        driftPerMillion = draws.milliseconds(in: -50_000...50_000)
        if draws.happens(perMille: 250) {
            gpuCount = draws.number(in: 1...2)
            slotsPerGPU = draws.number(in: 1...3)
            slots = gpuCount * slotsPerGPU
        }
        guard mayBeBad else { return }
        slowness = draws.pick([1, 1, 1, 3, 10])
        lackedDataset = draws.happens(perMille: 200) ? draws.pick([.fashionmnist, .cifar10]) : nil
        isLiar = draws.happens(perMille: 300)
        isOutdated = draws.happens(perMille: 50)
        walltimeMs =
            draws.happens(perMille: 200) ? draws.pick([600_000, 7_200_000, 36_000_000]) : nil
    }

    /// The machine after somebody has seen to it.
    var mended: Machine {
        var machine = self
        machine.slowness = 1
        machine.lackedDataset = nil
        machine.isLiar = false
        machine.isOutdated = false
        machine.walltimeMs = nil
        return machine
    }

    var isBad: Bool {
        slowness > 1 || lackedDataset != nil || isLiar || isOutdated || walltimeMs != nil
    }

    var description: String {
        var words = [counted(slots, "slot"), "clock \(driftPerMillion) ppm off"]
        if gpuCount > 0 { words.append("\(slotsPerGPU) on each of \(gpuCount) GPUs") }
        if slowness > 1 { words.append("\(slowness) times as slow") }
        if let lackedDataset { words.append("lacks \(lackedDataset.rawValue)") }
        if isLiar { words.append("lies") }
        if isOutdated { words.append("outdated") }
        if let walltimeMs { words.append("ends after \(walltimeMs / 60_000) min") }
        if isCoordinators { words.append("started by the coordinator") }
        words.append(sharesFolder ? "sees the run's folder" : "has a scratch folder")
        return words.joined(separator: ", ")
    }
}

/// What the network does to messages.
struct NetworkFaults: Sendable, CustomStringConvertible {
    var lostPerMille = 0
    var repeatedPerMille = 0
    var damagedPerMille = 0
    /// Of those that are delayed, by up to `longestDelayMs`; they overtake and are overtaken.
    var delayedPerMille = 0
    var longestDelayMs: Int64 = 0
    var usualDelayMs: Int64 = 20

    static let none = NetworkFaults()

    private init() {}

    init(from draws: inout Draws) {
        lostPerMille = draws.pick([0, 0, 5, 50, 300])
        repeatedPerMille = draws.pick([0, 0, 5, 100])
        damagedPerMille = draws.pick([0, 0, 1])
        delayedPerMille = draws.pick([0, 0, 10, 200])
        longestDelayMs = draws.pick([1_000, 60_000, 600_000])
        usualDelayMs = draws.pick([2, 20, 500])
    }

    var description: String {
        "\(lostPerMille) ‰ lost, \(repeatedPerMille) ‰ repeated, \(damagedPerMille) ‰ damaged, "
            + "\(delayedPerMille) ‰ delayed by up to \(longestDelayMs) ms, others by "
            + "up to \(usualDelayMs) ms"
    }
}

/// What goes wrong with machines, and how often.
enum Fault: String, CaseIterable, Sendable {
    case coordinatorCrash = "coordinator crash"
    case coordinatorFreeze = "coordinator freeze"
    case coordinatorClockJump = "coordinator clock jump"
    case userStop = "user stop"
    case diskFailure = "disk failure"
    case workerCrash = "worker crash"
    case workerFreeze = "worker freeze"
    case workerClockJump = "worker clock jump"
    case workerStop = "worker stop"
    case trialCrash = "trial crash"
    case trialHang = "trial hang"
    case partition = "partition"
    case gpuMemory = "GPU memory"
    case userCommand = "user command"
}

struct FaultRates: Sendable, CustomStringConvertible {
    /// Mean times between two of a kind; those that are not here do not happen.
    var meanMs: [(fault: Fault, ms: Int64)] = []
    /// The coordinator crashes at a step of writing and sending so often.
    var crashPointPerMille = 0
    /// A commit fails so often by itself.
    var commitFailurePerMille = 0
    /// A trial's process cannot be started so often.
    var startFailurePerMille = 0

    static let none = FaultRates()

    private init() {}

    /// Each kind is in about half of the scenarios, because one fault can hide another.
    init(leaseMs: Int64, from draws: inout Draws) {
        for fault in Fault.allCases where draws.flip() {
            meanMs.append((fault, leaseMs * draws.pick([2, 10, 40])))
        }
        crashPointPerMille = draws.pick([0, 0, 2, 20])
        commitFailurePerMille = draws.pick([0, 0, 10, 100])
        startFailurePerMille = draws.pick([0, 0, 100])
    }

    var description: String {
        let means = meanMs.map { "\($0.fault.rawValue) every \($0.ms / 60_000) min" }
        return
            (means + [
                "crash at \(crashPointPerMille) ‰ of steps",
                "\(commitFailurePerMille) ‰ of commits fail",
                "\(startFailurePerMille) ‰ of starts fail",
            ]).joined(separator: ", ")
    }
}
