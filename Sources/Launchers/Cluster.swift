import Transport

/// Where a sweep's workers come up, as a cluster file says.
public struct Cluster: Hashable, Sendable {
    /// Where the coordinator listens; nil leaves it to the command line.
    public var bind: Endpoint?
    /// The name under which the workers' machines reach the coordinator's.
    public var host: String?
    /// The worker on the coordinator's own machine.
    public var local: WorkerSetup?
    public var ssh: [SSHGroup] = []
    public var slurm: [SlurmGroup] = []
    /// Stands alone: its coordinator is in Kubernetes, too.
    public var kubernetes: KubernetesGroup?

    /// Whether all workers run on the coordinator's machine.
    public var isLocal: Bool { ssh.isEmpty && slurm.isEmpty && kubernetes == nil }
}

/// What every worker of a group is started with.
public struct WorkerSetup: Hashable, Sendable {
    /// nil is one per core and thread.
    public var slots: Int?
    /// Of every trial.
    public var threads = 1
    /// Trials run on these; nil is on processors.
    public var gpus: GPUSetup?
    /// Where the program is on the worker's machine.
    public var program = WorkerProgram.installed("alsweep")
    /// Where datasets are looked for first.
    public var data: String?
    /// Where the worker keeps its files; nil is `~/.local/state/alsweep`.
    public var scratch: String?
    public var environment: [EnvironmentVariable] = []

    public init() {}
}

public struct EnvironmentVariable: Hashable, Sendable {
    public var name: String
    public var value: String
}

public enum WorkerProgram: Hashable, Sendable {
    /// A path, or a name to be found in the machine's search path.
    case installed(String)
    /// This program is copied there.
    case copied
}

/// Machines on which workers are started by ssh.
public struct SSHGroup: Hashable, Sendable {
    public var hosts: [SSHHost]
    /// Of the group; a host's own `slots` come before it.
    public var setup: WorkerSetup
    /// Instead of the user's ssh_config; jump hosts and keys are told there.
    public var configPath: String?
}

public struct SSHHost: Hashable, Sendable {
    /// A name that ssh knows.
    public var name: String
    public var user: String?
    public var port: Int?
    public var slots: Int?

    /// As ssh takes it.
    public var destination: String { (user.map { $0 + "@" } ?? "") + name }

    /// For messages, and for the name of a folder.
    public var label: String { destination + (port.map { ":\($0)" } ?? "") }
}

/// Workers that are Slurm jobs.
public struct SlurmGroup: Hashable, Sendable {
    public var setup = WorkerSetup()
    public var partition: String?
    public var account: String?
    /// As sbatch takes it: minutes, hours:minutes:seconds, days-hours and so on.
    public var time: String?
    /// Of every job; nil is as many as its slots have threads.
    public var processors: Int?
    /// As sbatch takes it, as in `8G`.
    public var memory: String?
    /// Generic resources, as in `gpu:1`.
    public var resources: String?
    /// Of every job; nil is none.
    public var gpuCount: Int?
    /// More options of sbatch, each beginning with `--`.
    public var options: [String] = []
    /// Lines of shell before the worker, as in `module load`.
    public var preparation: String?
    /// At most so many jobs at a time.
    public var jobLimit = SlurmGroup.defaultJobLimit
    /// At most so many jobs in one submission.
    public var arrayLimit = SlurmGroup.defaultArrayLimit
    /// Whether the jobs' machines see the run's folder.
    public var isShared = true

    public static let defaultJobLimit = 10
    public static let defaultArrayLimit = 100

    public init() {}
}
