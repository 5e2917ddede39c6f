import ChildProcess
import SweepModel

/// What is to be done next about a group's jobs.
enum SlurmStep: Hashable {
    case list
    case submit(count: Int)
    case cancel([String])
}

/// A group's jobs, and how many there should be: as many as there are trials that can use them.
/// Runs nothing and reads no clock.
struct SlurmQueue {
    static let listIntervalMs: Int64 = 5_000
    /// The other workers get so long to take the trials they can.
    static let firstSubmissionMs: Int64 = 5_000
    static let firstDelayMs: Int64 = 10_000
    static let longestDelayMs: Int64 = 600_000
    /// A job whose worker has had no trial for so long is not needed.
    static let idleMs: Int64 = 60_000
    /// Reasons that pass by themselves.
    private static let usualReasons: Set = [
        "None", "Resources", "Priority", "BeginTime", "Dependency", "", "JobArrayTaskLimit",
    ]

    let label: String
    let slots: Int
    let jobLimit: Int
    let arrayLimit: Int
    /// Where a job's own words are, for messages.
    let logHint: String
    private(set) var jobs: [SlurmJob] = []
    private var pending: [SlurmStep] = []
    private var nextList: Int64 = 0
    private var begin: Int64?
    private var submissionAllowed: Int64 = 0
    private var delayMs = firstDelayMs
    private var idleSince: [String: Int64] = [:]
    private var cancelled: Set<String> = []
    private var hasListed = false
    private var lastWarning: String?

    init(label: String, slots: Int, jobLimit: Int, arrayLimit: Int, logHint: String) {
        self.label = label
        self.slots = slots
        self.jobLimit = jobLimit
        self.arrayLimit = arrayLimit
        self.logHint = logHint
    }

    mutating func step(at now: Int64) -> SlurmStep? {
        if begin == nil {
            begin = now
            submissionAllowed = now + Self.firstSubmissionMs
        }
        if !pending.isEmpty { return pending.removeFirst() }
        guard now >= nextList else { return nil }
        nextList = now + Self.listIntervalMs
        return .list
    }

    mutating func finished(
        _ step: SlurmStep, _ result: CommandResult, _ situation: SweepSituation, at now: Int64
    ) -> [LauncherNotice] {
        switch step {
        case .list:
            guard result.isSuccess, let current = SlurmJob.parse(result.output) else {
                return warn("\(label): squeue fails (\(result.lastLine)); its jobs go on")
            }
            return listed(current, situation, at: now)
        case .submit(let count):
            guard result.isSuccess else {
                return backOff("\(label): sbatch fails (\(result.lastLine))", at: now)
            }
            let number = result.output.split(whereSeparator: { !$0.isNumber }).first ?? "?"
            // The list knows of them from now on.
            nextList = now
            submissionAllowed = now + 1
            return [.said("\(label): submitted \(counted(count, "job")) (\(number))")]
        case .cancel(let ids):
            guard result.isSuccess else {
                return warn("\(label): scancel fails (\(result.lastLine))")
            }
            nextList = now
            return [.said("\(label): cancelled \(counted(ids.count, "job")), no longer needed")]
        }
    }

    private mutating func listed(
        _ current: [SlurmJob], _ situation: SweepSituation, at now: Int64
    ) -> [LauncherNotice] {
        var notices: [LauncherNotice] = []
        let active = current.filter(\.isActive)
        if !hasListed, !active.isEmpty {
            notices.append(.said("\(label): found \(counted(active.count, "job")) of this run"))
        }
        for before in jobs where before.isActive {
            let after = current.first { $0.id == before.id }
            guard let after, after.isActive else {
                notices += ended(after ?? before, isKnown: after != nil, situation, at: now)
                continue
            }
            guard after.restarts > before.restarts else { continue }
            notices.append(.said("\(label): job \(after.id) was requeued"))
            notices += death(before, situation, fault: nil)
        }
        hasListed = true
        jobs = current
        cancelled.formIntersection(active.map(\.id))
        for job in active where job.isWaiting && !Self.usualReasons.contains(job.reason) {
            notices += warn("\(label): job \(job.id) waits for a reason of its own: \(job.reason)")
            break
        }
        adapt(active.filter { !cancelled.contains($0.id) }, situation, at: now)
        return notices
    }

    // MARK: Jobs that end

    private mutating func ended(
        _ job: SlurmJob, isKnown: Bool, _ situation: SweepSituation, at now: Int64
    ) -> [LauncherNotice] {
        let wasCancelled = cancelled.remove(job.id) != nil
        idleSince[job.id] = nil
        guard isKnown, !wasCancelled else { return death(job, situation, fault: nil) }
        switch SlurmEnd(job) {
        case .regular:
            delayMs = Self.firstDelayMs
            return [.said("\(label): job \(job.id) has ended")]
                + death(job, situation, fault: nil)
        case .taken:
            return [.said("\(label): job \(job.id) was taken away (\(job.state))")]
                + death(job, situation, fault: nil)
        case .outOfMemory:
            let message = "job \(job.id) took more memory than Slurm gave it"
            return [.warned("\(label): \(message)", hint: "raise memory, or lower slots")]
                + death(job, situation, fault: WorkerFault(kind: .outOfMemory, message: message))
        case .timeLimit:
            return [
                .warned(
                    "\(label): job \(job.id) ran into its time limit (\(job.state)); its trials go "
                        + "on from their last finished cycle", hint: "raise time")
            ] + death(job, situation, fault: nil)
        case .failed:
            return death(job, situation, fault: nil)
                + backOff(
                    "\(label): job \(job.id) failed with status \(job.exitStatus)",
                    hint: logHint, at: now)
        }
    }

    private func death(
        _ job: SlurmJob, _ situation: SweepSituation, fault: WorkerFault?
    ) -> [LauncherNotice] {
        situation.workers.filter { $0.id.rawValue.hasPrefix(job.workerPrefix) }
            .map { .workerDied($0.id, fault: fault) }
    }

    // MARK: How many

    /// The trials that the other workers leave to these jobs decide.
    func wantedCount(_ situation: SweepSituation) -> Int {
        let (own, others) = split(situation)
        let free = others.reduce(0) { $0 + max(0, $1.slots - $1.trials) }
        let trials =
            own.reduce(0) { $0 + $1.trials } + max(0, situation.waitingTrials - free)
        return min(jobLimit, (trials + slots - 1) / slots)
    }

    private func split(
        _ situation: SweepSituation
    ) -> (own: [SweepSituation.Worker], others: [SweepSituation.Worker]) {
        let prefixes = jobs.filter(\.isActive).map(\.workerPrefix)
        var own: [SweepSituation.Worker] = []
        var others: [SweepSituation.Worker] = []
        for worker in situation.workers {
            if prefixes.contains(where: { worker.id.rawValue.hasPrefix($0) }) {
                own.append(worker)
            } else {
                others.append(worker)
            }
        }
        return (own, others)
    }

    private mutating func adapt(
        _ active: [SlurmJob], _ situation: SweepSituation, at now: Int64
    ) {
        let wanted = wantedCount(situation)
        if active.count < wanted {
            guard now >= submissionAllowed else { return }
            pending.append(.submit(count: min(wanted - active.count, arrayLimit)))
            return
        }
        var surplus = idleJobs(active, situation, at: now)
        surplus = active.filter(\.isWaiting).map(\.id).reversed() + surplus
        surplus = Array(surplus.prefix(active.count - wanted))
        guard !surplus.isEmpty else { return }
        cancelled.formUnion(surplus)
        pending.append(.cancel(surplus))
    }

    private mutating func idleJobs(
        _ active: [SlurmJob], _ situation: SweepSituation, at now: Int64
    ) -> [String] {
        active.filter { job in
            let isIdle = situation.workers.contains {
                $0.id.rawValue.hasPrefix(job.workerPrefix) && $0.trials == 0
            }
            guard isIdle else {
                idleSince[job.id] = nil
                return false
            }
            let since = idleSince[job.id] ?? now
            idleSince[job.id] = since
            return now - since >= Self.idleMs
        }.map(\.id)
    }

    // MARK: What is said

    private mutating func backOff(
        _ message: String, hint: String? = nil, at now: Int64
    ) -> [LauncherNotice] {
        submissionAllowed = now + delayMs
        let text = "\(message); the next is submitted in \(delayMs / 1_000) s"
        delayMs = min(delayMs * 2, Self.longestDelayMs)
        return [.warned(text, hint: hint)]
    }

    /// The same is said once.
    private mutating func warn(_ message: String) -> [LauncherNotice] {
        guard message != lastWarning else { return [] }
        lastWarning = message
        return [.warned(message, hint: nil)]
    }
}
