import OrderedCollections
import SweepModel
import Wire

/// What the coordinator knows of a connected worker.
public struct WorkerSession: Hashable, Sendable {
    public let host: String
    public let slots: Int
    public internal(set) var lastHeard: Instant
    /// When it ends by itself; nil is never.
    var end: Instant?
    /// Slots without a trial, those of assignments under way not counted.
    public internal(set) var freeSlots = 0
    /// Since its last hello.
    var assignmentsSent = 0
    /// As its last heartbeat told.
    var gpus: [GPULoad]?

    /// More GPUs than this are taken for a mistake of the worker.
    static let maximumGPUs = 64

    /// An assignment that the worker had not received when it counted takes one of its slots.
    mutating func offer(_ ready: Ready) {
        let received = min(max(ready.assignmentsReceived, 0), assignmentsSent)
        freeSlots = max(0, min(max(ready.freeSlots, 0), slots) - (assignmentsSent - received))
    }
}

/// What a connected worker has to do.
public struct WorkerLoad: Hashable, Sendable {
    public let worker: WorkerID
    public let slots: Int
    /// Trials that it runs.
    public let trials: Int
}

extension Coordinator {
    /// The connected workers' loads, in the order of their first hello.
    public var loads: [WorkerLoad] {
        workers.map {
            WorkerLoad(worker: $0.key, slots: $0.value.slots, trials: leases.count(of: $0.key))
        }
    }

    /// For a message: of many thousand workers those that said hello first.
    private static let maximumTold = 500
    private static let maximumGPUsTold = 600

    /// The connected workers, in the order of their first hello.
    public func workersTold(at now: Instant) -> WorkersTold {
        var told: [WorkerStatus] = []
        var gpuCount = 0
        for (load, session) in zip(loads, workers.values) {
            gpuCount += session.gpus?.count ?? 0
            guard told.count < Self.maximumTold, gpuCount <= Self.maximumGPUsTold else { break }
            told.append(
                WorkerStatus(
                    worker: load.worker, host: session.host, slots: session.slots,
                    trials: load.trials,
                    silentMs: max(0, now.milliseconds - session.lastHeard.milliseconds),
                    gpus: session.gpus))
        }
        return WorkersTold(count: workers.count, workers: told)
    }

    private static let longestWalltimeMs: Int64 = 1 << 40

    /// A hello holds the full inventory: what it does not name, the worker does not have.
    mutating func welcome(_ worker: WorkerID, _ hello: Hello, at now: Instant) {
        guard hello.softwareVersion == options.softwareVersion else {
            // It might find other numbers than the workers of this version.
            let reason =
                "this sweep is run by alsweep \(options.softwareVersion), and the worker on "
                + "\(hello.host) is alsweep \(hello.softwareVersion): install the same version on both"
            send(.refused(reason: reason), to: worker)
            return
        }
        let wanted = ComputingOffer(
            engine: sweep.studyProtocol.engine, precision: sweep.studyProtocol.precision)
        guard hello.offers?.contains(wanted) ?? (wanted.precision == .float32) else {
            let reason =
                "this sweep computes with engine \(wanted.engine.rawValue) in "
                + "\(wanted.precision.rawValue), and the machine of the worker on "
                + "\(hello.host.printable(upTo: 255)) cannot: it takes no trial of it"
            send(.refused(reason: reason), to: worker)
            return
        }
        workers[worker] = WorkerSession(
            host: hello.host.printable(upTo: 255),
            slots: min(max(hello.slots, 0), WorkerLimits.slots), lastHeard: now,
            end: hello.remainingMs.map { now.after(min(max($0, 0), Self.longestWalltimeMs)) })
        let verdicts = hello.attempts.map { lease in
            AttemptVerdict(lease: lease, verdict: isCurrent(lease, of: worker) ? .adopt : .fence)
        }
        for verdict in verdicts where verdict.verdict == .adopt {
            renewLease(of: verdict.lease.trial, at: now)
        }
        releaseAttempts(of: worker, except: hello.attempts)
        send(
            .welcome(
                Welcome(
                    leaseMs: options.leaseMs, heartbeatMs: options.heartbeatMs,
                    softwareVersion: options.softwareVersion, hangMs: options.hangDelayMs,
                    verdicts: verdicts, blobEndpoint: options.blobEndpoint)), to: worker)
        switch mode {
        case .running: break
        case .stopping: send(.stop(.coordinatorLeaving), to: worker)
        case .finished: send(.stop(.sweepFinished), to: worker)
        }
    }

    mutating func renewLeases(of worker: WorkerID, _ heartbeat: Heartbeat, at now: Instant) {
        for progress in heartbeat.attempts {
            guard isCurrent(progress.lease, of: worker) else {
                send(.fenced(progress.lease), to: worker)
                continue
            }
            renewLease(of: progress.lease.trial, at: now)
            leases.change(progress.lease.trial) {
                $0.cycle = progress.cycle
                $0.epoch = progress.epoch
            }
        }
        workers[worker]!.gpus = heartbeat.gpus?.prefix(WorkerSession.maximumGPUs).map(\.printable)
        reconcile(worker, heartbeat)
        send(.renewed(heartbeat: heartbeat.number), to: worker)
    }

    /// Finds assignments that got lost, and counts that parted. A worker counts anew after every
    /// welcome; one that is repeated or comes late would have it wait for ever for an assignment that
    /// it has received.
    private mutating func reconcile(_ worker: WorkerID, _ heartbeat: Heartbeat) {
        let held = heartbeat.attempts.map(\.lease)
        let sent = workers[worker]!.assignmentsSent
        if heartbeat.assignmentsReceived == sent {
            releaseAttempts(of: worker, except: held)
        } else if !hasAttempt(worker, except: held) {
            // Nothing is under way to it.
            workers[worker]!.assignmentsSent = min(sent, max(heartbeat.assignmentsReceived, 0))
        }
    }

    private func hasAttempt(_ worker: WorkerID, except held: [Lease]) -> Bool {
        leases.held(by: worker).contains { state in
            !held.contains(Lease(trial: state.attempt.trial, attempt: state.attempt.attempt))
        }
    }

    /// The worker has left, and its attempts with it.
    mutating func dismiss(_ worker: WorkerID) {
        releaseAttempts(of: worker, except: [])
        workers[worker] = nil
        failuresInRow[worker] = nil
        quarantines[worker] = nil
    }

    /// An assignment that did not leave is taken back at once; other messages are repeated by the
    /// protocol itself.
    mutating func returnUndelivered(_ message: Message, to worker: WorkerID) {
        guard case .assign(let assignment) = message, isCurrent(assignment.lease, of: worker) else {
            return
        }
        endAttempt(assignment.lease, .released)
        workers[worker] = nil
    }

    /// Whether this attempt holds its trial's lease, and this worker the attempt.
    func isCurrent(_ lease: Lease, of worker: WorkerID) -> Bool {
        guard let state = leases[lease.trial] else { return false }
        return state.attempt.attempt == lease.attempt && state.attempt.worker == worker
    }

    private mutating func releaseAttempts(of worker: WorkerID, except held: [Lease]) {
        for state in leases.held(by: worker) {
            let lease = Lease(trial: state.attempt.trial, attempt: state.attempt.attempt)
            if !held.contains(lease) { endAttempt(lease, .released) }
        }
    }
}

extension GPULoad {
    /// Its names come from elsewhere, and are shown on a terminal.
    fileprivate var printable: GPULoad {
        var load = self
        load.gpu.uuid = gpu.uuid.printable(upTo: 64)
        load.gpu.name = gpu.name.printable(upTo: 64)
        return load
    }
}

extension String {
    /// Without control characters, which could write elsewhere on a terminal.
    fileprivate func printable(upTo count: Int) -> String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.filter { $0.properties.generalCategory != .control })
        )
        .prefix(count).description
    }
}
