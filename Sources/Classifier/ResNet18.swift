/// The ResNet-18 for 32×32 images: a 3×3 stem, four stages of two basic blocks with
/// width·{1, 2, 4, 8} channels, an average pool and a linear layer (He et al. 2016,
/// arXiv:1512.03385, with the CIFAR stem).
public struct ResNet18: Hashable, Sendable {
    public var width: Int
    public var classes: Int

    public init(width: Int, classes: Int) {
        self.width = width
        self.classes = classes
    }
}

/// A network's parameters and running statistics on the host, named and laid out as in PyTorch's
/// `state_dict`.
public struct NetworkState: Hashable, Sendable {
    public init() {}
}

/// What a network or a model file can fail with.
public enum ClassifierError: Error, Hashable, Sendable {
    /// The library refused: which call, and its status.
    case library(call: String, status: Int)
}
