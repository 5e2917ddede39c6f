import Classifier

/// Why an experiment ended without its results.
public enum ExperimentError: Error, Hashable, Sendable {
    /// The configuration cannot work: which setting, its value, and what it must be.
    case invalidSetting(name: String, value: String, requirement: String)
    /// The images given are not those the configuration asks for.
    case wrongImages(expected: String, found: String)
    /// The network failed.
    case classifier(ClassifierError)
    /// A loss or a logit is infinite or not a number.
    case diverged(cycle: Int)
    /// The observer asked for it, in this cycle.
    case stopped(cycle: Int)
}

extension ExperimentError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidSetting(let name, let value, let requirement):
            "\(name) is \(value); it must be \(requirement)"
        case .wrongImages(let expected, let found):
            "the experiment needs \(expected); it was given \(found)"
        case .classifier(let error): "the network failed: \(error)"
        case .diverged(let cycle):
            "training diverged in cycle \(cycle): the network's outputs are not finite"
        case .stopped(let cycle): "stopped in cycle \(cycle)"
        }
    }

    /// What to do about it; nil if nothing is wrong.
    public var hint: String? {
        switch self {
        case .invalidSetting(let name, _, _): "change \(name) in the sweep file"
        case .wrongImages: "load the dataset with the configuration's own counts"
        case .classifier: nil
        case .diverged: "lower learning_rate"
        case .stopped: nil
        }
    }
}
