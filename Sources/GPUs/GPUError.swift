import SweepModel

/// Why GPUs cannot be used as somebody wants it.
public enum GPUError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `nvidia-smi` is not there, and with it most likely the driver.
    case noProgram
    case unanswered(seconds: Int)
    /// It ended by itself and told of no GPU.
    case failed(reason: String)
    case unreadable(line: String)
    case noGPU
    case unknown(name: String, there: [GPU])
    /// The job was given GPUs, and this one is not among them.
    case notGiven(name: String, given: String)
    case nothingGiven(given: String)
    case namedTwice(name: String)
    case partitioned(name: String)

    public var description: String {
        switch self {
        case .noProgram: "nvidia-smi is not to be found here"
        case .unanswered(let seconds): "nvidia-smi has not answered within \(seconds) s"
        case .failed(let reason): "nvidia-smi tells of no GPU: \(reason)"
        case .unreadable(let line): "nvidia-smi tells of no GPU that can be read: '\(line)'"
        case .noGPU: "nvidia-smi tells of no GPU"
        case .unknown(let name, let there): "there is no GPU '\(name)'; there are \(list(there))"
        case .notGiven(let name, let given):
            "there is no GPU '\(name)' among those that CUDA_VISIBLE_DEVICES names: '\(given)'"
        case .nothingGiven(let given):
            "CUDA_VISIBLE_DEVICES is '\(given)', which is no GPU"
        case .namedTwice(let name): "GPU '\(name)' is named twice"
        case .partitioned(let name):
            "'\(name)' is, or is on, a GPU that is partitioned (MIG), whose parts nvidia-smi does not list"
        }
    }

    public var hint: String {
        switch self {
        case .noProgram:
            "install NVIDIA's driver, or leave the GPUs out and compute on processors"
        case .unanswered, .failed, .unreadable:
            "`nvidia-smi` by hand shows more; a driver that was just updated needs a restart"
        case .noGPU: "leave the GPUs out and compute on processors"
        case .unknown: "name some of these, or all"
        case .notGiven: "numbers count from 0 within that list; `all` takes the whole of it"
        case .nothingGiven:
            "ask the scheduler for GPUs, as with Slurm's --gres=gpu:1, or unset the variable"
        case .namedTwice: "more trials on one GPU: raise the slots per GPU"
        case .partitioned:
            "leave the GPUs out and start a worker for each part, with its name in "
                + "CUDA_VISIBLE_DEVICES: `nvidia-smi -L` lists them"
        }
    }

    private func list(_ gpus: [GPU]) -> String {
        gpus.map { "\($0.index) (\($0.name), \($0.uuid))" }.joined(separator: ", ")
    }
}
