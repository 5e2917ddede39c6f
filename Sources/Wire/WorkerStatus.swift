import SweepModel

/// A worker's GPU and what it does with it, at a heartbeat.
public struct GPULoad: Codable, Hashable, Sendable {
    public var gpu: GPU
    /// Trials that run on it.
    public var trials: Int
    /// Trials that may run on it at the same time now; fewer after one of them lacked memory.
    public var slots: Int

    public init(gpu: GPU, trials: Int, slots: Int) {
        self.gpu = gpu
        self.trials = trials
        self.slots = slots
    }
}

/// A connected worker, for its user.
public struct WorkerStatus: Codable, Hashable, Sendable {
    public var worker: WorkerID
    public var host: String
    public var slots: Int
    /// Trials that it runs.
    public var trials: Int
    /// Since it was heard of last.
    public var silentMs: Int64
    /// Of its last heartbeat; nil of a worker that runs trials on processors.
    public var gpus: [GPULoad]?

    public init(
        worker: WorkerID, host: String, slots: Int, trials: Int, silentMs: Int64,
        gpus: [GPULoad]? = nil
    ) {
        self.worker = worker
        self.host = host
        self.slots = slots
        self.trials = trials
        self.silentMs = silentMs
        self.gpus = gpus
    }

    enum CodingKeys: String, CodingKey {
        case worker, host, slots, trials, gpus
        case silentMs = "silent_ms"
    }
}

/// The connected workers, as many as a message holds.
public struct WorkersTold: Codable, Hashable, Sendable {
    /// Of all.
    public var count: Int
    public var workers: [WorkerStatus]

    public init(count: Int, workers: [WorkerStatus]) {
        self.count = count
        self.workers = workers
    }
}
