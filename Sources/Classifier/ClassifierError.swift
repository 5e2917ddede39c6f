/// What a network or a model file can fail with.
public enum ClassifierError: Error, Hashable, Sendable {
    /// The library refused: which call, and its status.
    case library(call: String, status: Int)

    /// A tensor file cannot be read or written: where, in which tensor if in one, why, and what
    /// helps.
    case file(path: String, tensor: String?, problem: String, remedy: String)

    /// A state does not belong to the network it was given to.
    case state(tensor: String, problem: String)

    /// The machine or a library's version cannot execute the network as asked, or a library is missing.
    case unsupported(what: String, remedy: String)

    /// A call into the plug-in for libtorch failed: which, and what the library says of it.
    case plugIn(call: String, problem: String)

    /// A GPU's memory does not suffice, which is nobody's bug: what the library says of it.
    case outOfGPUMemory(problem: String)
}

extension ClassifierError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .library(let call, let status):
            "\(call) failed with status \(status)"
        case .file(let path, let tensor, let problem, let remedy):
            if let tensor {
                "\(path): tensor '\(tensor)': \(problem)\nhint: \(remedy)"
            } else {
                "\(path): \(problem)\nhint: \(remedy)"
            }
        case .state(let tensor, let problem):
            "tensor '\(tensor)': \(problem)"
        case .unsupported(let what, let remedy):
            "\(what)\nhint: \(remedy)"
        case .plugIn(let call, let problem):
            "libtorch failed in '\(call)': \(problem)"
        case .outOfGPUMemory(let problem):
            "the GPU's memory does not suffice: \(problem)\n"
                + "hint: run fewer trials on it at once, or choose a smaller width or batch"
        }
    }
}
