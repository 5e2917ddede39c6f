import Agent
import ArgumentParser
import Foundation
import GPUs
import SweepModel

/// Which GPUs trials run on here.
struct GPUArguments: ParsableArguments {
    @Option(
        help: """
            Run the trials on these GPUs, each on one of them: numbers as nvidia-smi counts, as in 0,1; \
            beginnings of UUIDs; or all. Where CUDA_VISIBLE_DEVICES is set, as in a job of Slurm, it is \
            all there are, and numbers count within it. Default: it is left as it is.
            """)
    var gpus: GPUSelection?

    @Option(help: "Trials at the same time on one GPU. Default: 1.")
    var slotsPerGPU: Int?

    @Option(
        name: .customLong("gpu-memory"),
        help: """
            Free memory in MiB that a GPU must have before a trial is started on it. Default: 4096, or \
            nine tenths of a slot's part if that is less.
            """)
    var memoryMiB: Int?

    func validate() throws {
        guard gpus != nil || (slotsPerGPU == nil && memoryMiB == nil) else {
            throw ValidationError("--slots-per-gpu and --gpu-memory need --gpus, as in --gpus all")
        }
        guard (1...256).contains(slotsPerGPU ?? 1) else {
            throw ValidationError(
                "--slots-per-gpu is \(slotsPerGPU!); it is a number from 1 to 256")
        }
        guard (1...100_000_000).contains(memoryMiB ?? 1) else {
            throw ValidationError("--gpu-memory is \(memoryMiB!); it is a number of MiB from 1")
        }
    }

    /// Asks the driver; nil without `--gpus`.
    func options() throws -> GPUOptions? {
        guard let gpus else { return nil }
        return GPUOptions(
            gpus: try gpus.here(), slotsPerGPU: slotsPerGPU ?? 1, memoryPerTrialMiB: memoryMiB)
    }
}

extension GPUSelection: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }

    /// Those of this machine that are meant.
    func here() throws(GPUError) -> [GPU] {
        try resolved(
            among: GPUQuery.ask(),
            visible: ProcessInfo.processInfo.environment["CUDA_VISIBLE_DEVICES"])
    }
}
