/// A sweep in Kubernetes: its workers are the pods of a Job, and its coordinator is there, too.
public struct KubernetesGroup: Hashable, Sendable {
    /// Of the worker in every pod; `data` is a path in its container.
    public var setup = WorkerSetup()
    /// With alsweep as its entry point, as `cluster/Containerfile` makes it.
    public var image: String
    /// nil is the one that kubectl uses.
    public var namespace: String?
    /// Pods, each with one worker.
    public var workers = 1
    /// Of every worker's pod; nil is as many as its slots have threads.
    public var processors: Int?
    /// Of every worker's pod; nil is none.
    public var gpuCount: Int?
    /// Of every worker's pod, as Kubernetes takes it: `8Gi`.
    public var memory: String?
    /// A Secret that holds `server.cert` and `client.cert`; nil is one that is rendered, too.
    public var secret: String?
    /// Of all objects.
    public var labels: [KubernetesLabel] = []
    /// What a machine's labels must be for a worker to run there.
    public var nodeSelector: [KubernetesLabel] = []
    /// A PersistentVolumeClaim with datasets, which the workers mount at `setup.data` to read.
    public var dataClaim: String?
    /// A PersistentVolumeClaim for the runs' folder that all pods can mount; nil is one of the
    /// coordinator's own, which is rendered, too.
    public var runsClaim: String?
    /// Of the coordinator's own claim, as Kubernetes takes it.
    public var storage = "10Gi"

    public init(image: String) { self.image = image }

    /// Of one worker. Like a Slurm job, a pod has one slot unless told otherwise: the processors that
    /// the program sees there are the whole machine's.
    var slots: Int { setup.gpus?.slots(gpuCount: gpuCount) ?? setup.slots ?? 1 }
}

public struct KubernetesLabel: Hashable, Sendable {
    public var name: String
    public var value: String
}
