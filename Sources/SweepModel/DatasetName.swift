/// A dataset of the study. The raw value is its name in sweep files, tables and trial IDs.
public enum DatasetName: String, Codable, CaseIterable, Hashable, Sendable {
    case cifar10
    case cifar100
    case fashionmnist

    public var classCount: Int {
        switch self {
        case .cifar10, .fashionmnist: 10
        case .cifar100: 100
        }
    }

    /// The images of the training files that form the pool: for Fashion-MNIST the first 50,000 of
    /// 60,000, as in the study.
    public var fullPoolCount: Int { 50_000 }

    public var fullTestCount: Int { 10_000 }

    /// The labels bought at the start, and the labels bought per cycle, in the study.
    public var studyAddendum: Int {
        switch self {
        case .cifar10, .fashionmnist: 1_000
        case .cifar100: 2_000
        }
    }

    /// As people write it in tables and figures.
    public var title: String {
        switch self {
        case .cifar10: "CIFAR-10"
        case .cifar100: "CIFAR-100"
        case .fashionmnist: "Fashion-MNIST"
        }
    }
}
