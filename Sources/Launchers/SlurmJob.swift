/// A job as squeue shows it.
struct SlurmJob: Hashable {
    /// As in `12_3`, the third of the array 12.
    var id: String
    /// Slurm's word, as in `RUNNING`.
    var state: String
    /// Why it waits, or ended.
    var reason: String
    /// What its script ended with, where it has.
    var exitStatus: Int
    var restarts: Int

    /// Slurm's words for jobs that have ended.
    private static let finalStates: Set = [
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
        "PREEMPTED", "REVOKED", "TIMEOUT",
    ]

    var isActive: Bool { !Self.finalStates.contains(state) }
    var isWaiting: Bool { state == "PENDING" }

    /// How its worker's identifier begins.
    var workerPrefix: String { "slurm-\(id).\(restarts)-" }

    /// The columns that `parse` reads, for squeue's option -O.
    static let columns = "JobArrayID:|,State:|,Reason:|,exit_code:|,RestartCnt:|"

    /// The jobs in squeue's lines; nil where a line is none.
    static func parse(_ text: String) -> [SlurmJob]? {
        var jobs: [SlurmJob] = []
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "|", omittingEmptySubsequences: false)
            guard fields.count >= 5, let status = Int(fields[3]), let restarts = Int(fields[4])
            else { return nil }
            // squeue tells the status as wait(2) does.
            jobs.append(
                SlurmJob(
                    id: String(fields[0]), state: String(fields[1]), reason: String(fields[2]),
                    exitStatus: (status >> 8) & 0xff, restarts: restarts))
        }
        return jobs
    }
}

/// What the end of a job means.
enum SlurmEnd: Hashable {
    /// Its worker had nothing more to do, or gave its trials back in time.
    case regular
    /// A machine, an administrator or another job ended it; nobody is to blame.
    case taken
    /// Its trials took more memory than the job had.
    case outOfMemory
    /// It ran into its time limit before its trials were saved.
    case timeLimit
    /// Its script or its worker failed.
    case failed

    /// A worker that gave its trials back ends with this (EX_TEMPFAIL).
    static let stoppedStatus = 75

    init(_ job: SlurmJob) {
        self =
            switch job.state {
            case "COMPLETED": .regular
            case "FAILED": job.exitStatus == Self.stoppedStatus ? .regular : .failed
            case "OUT_OF_MEMORY": .outOfMemory
            case "TIMEOUT", "DEADLINE": .timeLimit
            case "CANCELLED" where job.exitStatus == Self.stoppedStatus: .regular
            default: .taken
            }
    }
}
