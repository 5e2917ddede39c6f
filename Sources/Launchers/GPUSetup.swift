import GPUs

/// The GPUs that a group's workers run trials on.
public struct GPUSetup: Hashable, Sendable {
    public var selection: GPUSelection
    /// Trials at the same time on one GPU; nil is the worker's default.
    public var slotsPerGPU: Int?
    /// Free memory that a GPU must have before a trial is started on it; nil is the worker's default.
    public var memoryMiB: Int?

    public init(_ selection: GPUSelection, slotsPerGPU: Int? = nil, memoryMiB: Int? = nil) {
        self.selection = selection
        self.slotsPerGPU = slotsPerGPU
        self.memoryMiB = memoryMiB
    }

    /// Of `alsweep worker`.
    public var options: [String] {
        var words = ["--gpus", selection.description]
        if let slotsPerGPU { words += ["--slots-per-gpu", String(slotsPerGPU)] }
        if let memoryMiB { words += ["--gpu-memory", String(memoryMiB)] }
        return words
    }

    /// Of a worker whose scheduler gives it so many GPUs.
    func slots(gpuCount: Int?) -> Int { (gpuCount ?? 1) * (slotsPerGPU ?? 1) }
}

/// The GPUs that a value of Slurm's `--gres` asks for, as in `gpu:2` and `gpu:h100:2,shard:1`; nil is none.
func gpuCount(inResources resources: String) -> Int? {
    let counts = resources.split(separator: ",").compactMap { resource -> Int? in
        let parts = resource.split(separator: ":")
        guard parts.first == "gpu" else { return nil }
        return parts.count > 1 ? Int(parts.last!) ?? 1 : 1
    }
    return counts.isEmpty ? nil : counts.reduce(0, +)
}
