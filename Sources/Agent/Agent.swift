import SweepModel
import Wire

/// What happens to a worker's agent.
public enum AgentEvent: Sendable {
    case received(Message)
    case childSaid(ChildLine, Lease)
    /// The attempt's process has ended; `fault` says how if it did not say so itself.
    case childEnded(Lease, fault: (kind: FailureKind, message: String)?)
    /// The user or the system wants the worker to stop.
    case stopRequested
    /// What the driver tells of the machine's GPUs, the worker's among them.
    case gpusSeen([GPU])
    /// Time has passed.
    case ticked
}

public enum AgentAction: Hashable, Sendable {
    case send(Message)
    /// On a GPU, if the worker has some.
    case start(Assignment, on: GPU?)
    /// The process saves what it has and ends.
    case stop(Lease)
    /// The process ends at once.
    case kill(Lease)
    case exit(AgentExit)
}

/// Why a worker ends.
public enum AgentExit: Hashable, Sendable {
    case sweepFinished
    /// The user wants it to get no more trials.
    case drained
    /// Its attempts were given back.
    case stopped
    case coordinatorLost
    case coordinatorNeverFound
    case refused(String)
}

/// An attempt that a worker runs, or whose reports were not acknowledged yet.
public struct AgentAttempt: Hashable, Sendable {
    public let assignment: Assignment
    public internal(set) var cycle = 0
    public internal(set) var epoch = 0
    /// Its process has not ended.
    public internal(set) var isAlive = true
    /// It lost its lease, or is being given back: what its process still says does not count.
    public internal(set) var isAbandoned = false
    var hasReportedEnd = false
    /// Since its process last said something.
    var silentMs: Int64 = 0
    /// The longest that its process was silent before it spoke again.
    var longestStepMs: Int64 = 0
    /// Since its process was told to stop; nil before.
    var stoppingMs: Int64?
    var isKilled = false
    /// What its process still says does not count.
    var isHung = false

    init(assignment: Assignment) { self.assignment = assignment }
}

/// Decides what a worker does; opens no socket, starts no process and reads no clock.
///
/// A report is kept until the coordinator has it on disk, and repeated until then. The agent's
/// life does not depend on the coordinator's: without one its trials go on.
public struct Agent: Sendable {
    public struct Options: Hashable, Sendable {
        public var host: String
        public var slots: Int
        public var softwareVersion: String
        /// What this machine can compute with.
        public var offers: [ComputingOffer]
        /// A worker that `launch` started ends when its coordinator leaves.
        public var leavesWithCoordinator: Bool
        /// The first answer must come within this time.
        public var connectDelayMs: Int64
        /// Without a coordinator and without work it ends after this time.
        public var idleExitMs: Int64
        /// It ends after so long, and begins no cycle that it could not finish before; nil is never.
        public var walltimeMs: Int64?
        /// Its slots are those of its GPUs; nil runs the trials on processors.
        public var gpus: GPUOptions?

        public init(
            host: String, slots: Int, softwareVersion: String, offers: [ComputingOffer],
            leavesWithCoordinator: Bool, connectDelayMs: Int64, idleExitMs: Int64,
            walltimeMs: Int64? = nil, gpus: GPUOptions? = nil
        ) {
            self.host = host
            self.slots = slots
            self.softwareVersion = softwareVersion
            self.offers = offers
            self.leavesWithCoordinator = leavesWithCoordinator
            self.connectDelayMs = connectDelayMs
            self.idleExitMs = idleExitMs
            self.walltimeMs = walltimeMs
            self.gpus = gpus
        }
    }

    /// Between two hellos that nobody answers.
    public static let helloIntervalMs: Int64 = 2_000
    /// Between two sendings of a report that is not acknowledged.
    public static let repeatIntervalMs: Int64 = 10_000
    /// At a stop the coordinator gets so long to acknowledge what it is given back.
    public static let goodbyeDelayMs: Int64 = 5_000
    /// A process that was told to stop and has not ended is killed after so long: what it has not saved
    /// by then it would not save at its next batch either.
    public static let killDelayMs: Int64 = 5_000
    /// A process is not hung while its silence is shorter than so many of its longest steps.
    public static let stepsOfSilence: Int64 = 10
    public static let defaultHangMs: Int64 = 600_000
    private static let initialHeartbeatMs: Int64 = 10_000

    public let options: Options
    /// By the order of their assignment.
    public internal(set) var attempts: [AgentAttempt] = []
    /// Not acknowledged yet, oldest first.
    public private(set) var reports: [Report] = []
    /// Whether the coordinator answered its last hello, and was heard of since.
    public private(set) var isWelcome = false
    private var hasBeenWelcome = false
    var heartbeatMs = Self.initialHeartbeatMs
    var hangMs = Self.defaultHangMs
    var lastEvent: Int64
    private var assignmentsReceived = 0
    /// As the coordinator knows it.
    private var offeredSlots = 0
    private var gpuSlots: GPUSlots?
    private var nextReport: UInt64 = 1
    private var nextHeartbeat: UInt64 = 1
    private var lastHello: Int64?
    private var lastHeartbeat: Int64
    private var lastReportSent: Int64
    /// When it ends by itself.
    let end: Int64?
    private var lastHeard: Int64
    private var stopBegan: Int64?
    private var stopExit: AgentExit?
    var actions: [AgentAction] = []

    /// - Parameter now: a monotonic clock's milliseconds.
    public init(options: Options, at now: Int64) {
        self.options = options
        lastEvent = now
        lastHeartbeat = now
        lastReportSent = now
        lastHeard = now
        end = options.walltimeMs.map { now + $0 }
        gpuSlots = options.gpus.map { GPUSlots($0, at: now) }
    }

    public mutating func handle(_ event: AgentEvent, at now: Int64) -> [AgentAction] {
        actions = []
        passTime(until: now)
        gpuSlots?.passTime(until: now)
        switch event {
        case .received(let message):
            lastHeard = now
            receive(message, at: now)
        case .childSaid(let line, let lease): hear(line, lease, at: now)
        case .childEnded(let lease, let fault): end(lease, fault, at: now)
        case .stopRequested: beginStop(.stopped, at: now)
        case .gpusSeen(let gpus):
            gpuSlots?.see(gpus, at: now)
            offerSlots(at: now)
        case .ticked: break
        }
        if let end, now >= end { beginStop(.stopped, at: now) }
        endStuckProcesses(at: now)
        keepTouch(at: now)
        finishStop(at: now)
        return actions
    }

    // MARK: The coordinator

    private mutating func receive(_ message: Message, at now: Int64) {
        switch message {
        case .welcome(let welcome): accept(welcome, at: now)
        case .helloWanted: sayHello(at: now)
        case .assign(let assignment): accept(assignment, at: now)
        case .acknowledge(let number): forgetReport(number)
        case .fenced(let lease): abandon(lease)
        case .renewed: break
        case .stop(.sweepFinished): beginStop(.sweepFinished, at: now)
        case .stop(.drained): beginStop(.drained, at: now)
        case .stop(.coordinatorLeaving): leave(at: now)
        case .refused(let reason): beginStop(.refused(reason), at: now)
        case .hello, .ready, .heartbeat, .report, .goodbye, .command, .commandAnswered,
            .workersAsked, .workersTold:
            break
        }
    }

    private mutating func sayHello(at now: Int64) {
        isWelcome = false
        lastHello = now
        let held = attempts.filter { !$0.isAbandoned }.map(\.assignment.lease)
        actions.append(
            .send(
                .hello(
                    Hello(
                        host: options.host, slots: options.slots,
                        softwareVersion: options.softwareVersion, offers: options.offers,
                        remainingMs: end.map { max(0, $0 - now) },
                        attempts: held))))
    }

    private mutating func accept(_ welcome: Welcome, at now: Int64) {
        isWelcome = true
        hasBeenWelcome = true
        heartbeatMs = max(100, welcome.heartbeatMs)
        hangMs = max(1_000, welcome.hangMs ?? Self.defaultHangMs)
        assignmentsReceived = 0
        for verdict in welcome.verdicts where verdict.verdict == .fence { abandon(verdict.lease) }
        repeatReports(at: now)
        offeredSlots = 0
        offerSlots(at: now)
    }

    private mutating func accept(_ assignment: Assignment, at now: Int64) {
        // Between a hello and its welcome the coordinator takes what it assigned for lost.
        guard isWelcome else { return }
        // One that comes twice must not run twice: two processes would share a checkpoint.
        guard index(of: assignment.lease) == nil else { return }
        assignmentsReceived += 1
        offeredSlots = max(0, offeredSlots - 1)
        guard stopBegan == nil, slotsWithoutTrial > 0 else { return }
        var gpu: GPU?
        if gpuSlots != nil {
            gpu = gpuSlots!.enter(assignment.lease, at: now)
            // Somebody else has taken the memory since it was offered: the trial goes elsewhere now.
            guard gpu != nil else { return report(.released, of: assignment.lease, at: now) }
        }
        attempts.append(AgentAttempt(assignment: assignment))
        actions.append(.start(assignment, on: gpu))
    }

    private mutating func offerSlots(at now: Int64) {
        guard isWelcome, stopBegan == nil else { return }
        let free = freeSlots(at: now)
        // A GPU that has no room any more takes its offer back.
        guard free > 0 || (gpuSlots != nil && offeredSlots > 0) else { return }
        offeredSlots = free
        actions.append(
            .send(.ready(Ready(freeSlots: free, assignmentsReceived: assignmentsReceived))))
    }

    private var slotsWithoutTrial: Int { options.slots - attempts.count { $0.isAlive } }

    private func freeSlots(at now: Int64) -> Int {
        min(slotsWithoutTrial, gpuSlots?.vacancies(at: now) ?? .max)
    }

    /// Hellos until welcome, heartbeats after it, reports until acknowledged.
    private mutating func keepTouch(at now: Int64) {
        let silence = now - lastHeard
        if isWelcome, silence > 3 * heartbeatMs { isWelcome = false }
        if !isWelcome {
            if lastHello == nil || now - lastHello! >= Self.helloIntervalMs { sayHello(at: now) }
            if !hasBeenWelcome, silence >= options.connectDelayMs {
                beginStop(.coordinatorNeverFound, at: now)
            } else if attempts.allSatisfy({ !$0.isAlive }), silence >= options.idleExitMs {
                beginStop(.coordinatorLost, at: now)
            }
            return
        }
        if now - lastHeartbeat >= heartbeatMs {
            lastHeartbeat = now
            sendHeartbeat(at: now)
            offerSlots(at: now)
        }
        if !reports.isEmpty, now - lastReportSent >= Self.repeatIntervalMs {
            repeatReports(at: now)
        }
    }

    private mutating func sendHeartbeat(at now: Int64) {
        let progress = attempts.filter { !$0.isAbandoned }.map {
            AttemptProgress(lease: $0.assignment.lease, cycle: $0.cycle, epoch: $0.epoch)
        }
        actions.append(
            .send(
                .heartbeat(
                    Heartbeat(
                        number: nextHeartbeat, assignmentsReceived: assignmentsReceived,
                        attempts: progress, gpus: gpuSlots?.loads(at: now)))))
        nextHeartbeat += 1
    }

    // MARK: Reports

    mutating func report(_ content: ReportContent, of lease: Lease, at now: Int64) {
        let report = Report(number: nextReport, lease: lease, content: content)
        nextReport += 1
        reports.append(report)
        guard isWelcome else { return }
        lastReportSent = now
        actions.append(.send(.report(report)))
    }

    private mutating func repeatReports(at now: Int64) {
        lastReportSent = now
        for report in reports { actions.append(.send(.report(report))) }
    }

    private mutating func forgetReport(_ number: UInt64) {
        guard let place = reports.firstIndex(where: { $0.number == number }) else { return }
        removeIfEnded(reports.remove(at: place).lease)
    }

    /// An attempt is known until its process has ended and all it reported was acknowledged.
    private mutating func removeIfEnded(_ lease: Lease) {
        guard let index = index(of: lease), !attempts[index].isAlive,
            !reports.contains(where: { $0.lease == lease })
        else { return }
        attempts.remove(at: index)
    }

    // MARK: Processes

    private mutating func hear(_ line: ChildLine, _ lease: Lease, at now: Int64) {
        guard let index = index(of: lease) else { return }
        attempts[index].longestStepMs = max(
            attempts[index].longestStepMs, attempts[index].silentMs)
        attempts[index].silentMs = 0
        guard !attempts[index].isAbandoned, !attempts[index].isHung else { return }
        switch line {
        case .working: break
        case .progress(let cycle, let epoch):
            attempts[index].cycle = cycle
            attempts[index].epoch = epoch
            if epoch > 0 { gpuSlots?.settle(lease, at: now) }
        case .cycle(let result):
            gpuSlots?.settle(lease, at: now)
            report(.cycle(result), of: lease, at: now)
            giveBack(index, ifTooLongAfter: result, at: now)
        case .finished(let digest):
            attempts[index].hasReportedEnd = true
            report(.finished(modelDigest: digest), of: lease, at: now)
        case .failed(let kind, let message):
            attempts[index].hasReportedEnd = true
            report(failure(kind, message, of: lease, at: now), of: lease, at: now)
        }
    }

    /// A trial that lacked memory on a GPU that it had to itself is too large for it; on one that it
    /// shared it is tried again. Of GPUs that were not given to this worker it knows nothing: there it is
    /// a failure like another, or the trial would be tried again for ever.
    private mutating func failure(
        _ kind: FailureKind, _ message: String, of lease: Lease, at now: Int64
    ) -> ReportContent {
        guard kind == .outOfGPUMemory else { return .failed(kind: kind, message: message) }
        guard gpuSlots != nil else {
            return .failed(
                kind: .outOfMemory,
                message: "\(message); a worker with --gpus looks at a GPU's memory before")
        }
        guard let gpu = gpuSlots?.lackMemory(lease, at: now) else {
            return .failed(kind: kind, message: message)
        }
        let size = gpu.memoryTotalMiB.map { " with its \($0) MiB" } ?? ""
        return .failed(
            kind: .outOfMemory,
            message: "\(message); it had GPU \(gpu.index) (\(gpu.name))\(size) to itself")
    }

    private mutating func end(
        _ lease: Lease, _ fault: (kind: FailureKind, message: String)?, at now: Int64
    ) {
        guard let index = index(of: lease) else { return }
        attempts[index].isAlive = false
        if !attempts[index].isAbandoned, !attempts[index].hasReportedEnd {
            attempts[index].hasReportedEnd = true
            if let fault, stopBegan == nil {
                report(failure(fault.kind, fault.message, of: lease, at: now), of: lease, at: now)
            } else {
                report(.released, of: lease, at: now)
            }
        }
        gpuSlots?.leave(lease)
        removeIfEnded(lease)
        offerSlots(at: now)
    }

    /// The lease is another's: the process stops, its reports are forgotten.
    private mutating func abandon(_ lease: Lease) {
        if let index = index(of: lease) {
            attempts[index].isAbandoned = true
            stopProcess(of: index)
        }
        reports.removeAll { $0.lease == lease }
        removeIfEnded(lease)
    }

    private func index(of lease: Lease) -> Int? {
        attempts.firstIndex { $0.assignment.lease == lease }
    }

    // MARK: Stopping

    /// The coordinator leaves and may come back: the attempts are given back, and the worker waits
    /// for it unless it was started by it.
    private mutating func leave(at now: Int64) {
        if options.leavesWithCoordinator {
            beginStop(.stopped, at: now)
        } else {
            for attempt in attempts where attempt.isAlive && !attempt.isAbandoned {
                report(.released, of: attempt.assignment.lease, at: now)
                abandonKeepingReports(attempt.assignment.lease)
            }
        }
    }

    mutating func abandonKeepingReports(_ lease: Lease) {
        guard let index = index(of: lease) else { return }
        attempts[index].isAbandoned = true
        stopProcess(of: index)
    }

    private mutating func beginStop(_ exit: AgentExit, at now: Int64) {
        guard stopBegan == nil else { return }
        stopBegan = now
        stopExit = exit
        for index in attempts.indices { stopProcess(of: index) }
    }

    /// Ends when every process has ended and every report is acknowledged, or has had its time.
    private mutating func finishStop(at now: Int64) {
        guard let stopBegan, let stopExit else { return }
        let isOver = now - stopBegan >= Self.goodbyeDelayMs
        let hasReports = !reports.isEmpty && isWelcome
        guard attempts.allSatisfy({ !$0.isAlive }), !hasReports || isOver else { return }
        if isWelcome { actions.append(.send(.goodbye(Goodbye()))) }
        actions.append(.exit(stopExit))
        self.stopExit = nil
    }
}
