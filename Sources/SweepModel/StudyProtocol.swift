/// Which transform the pool goes through before it is scored.
public enum PoolTransform: String, Codable, CaseIterable, Hashable, Sendable {
    /// No flip and no crop; the reward comes from the prediction that gave the state.
    case test
    /// As the study's program does it: one random flip and crop per sample for the state and a
    /// second draw for the reward.
    case train
}

/// The library that executes the network.
public enum EngineName: String, Codable, CaseIterable, Hashable, Sendable {
    /// Fastest on x86-64.
    case onednn
    /// Everywhere; the oracle for the others.
    case openblas
    /// On GPUs, through PyTorch's C++ library: a plug-in.
    case torch

    /// Whether it can compute in a precision, on a machine that can.
    public func offers(_ precision: Precision) -> Bool {
        switch (self, precision) {
        case (_, .float32), (.torch, _), (.onednn, .bfloat16): true
        case (.openblas, .bfloat16), (.openblas, .tf32), (.onednn, .tf32): false
        }
    }

    /// For messages: the engines that can compute in a precision.
    public static func offering(_ precision: Precision) -> String {
        allCases.filter { $0.offers(precision) }.map(\.rawValue).joined(separator: " or ")
    }
}

/// The number format of activations and weights inside the network.
public enum Precision: String, Codable, CaseIterable, Hashable, Sendable {
    case float32
    /// With float32 parameters, statistics and loss; needs `onednn` and a CPU with AVX-512, or `torch`.
    case bfloat16
    /// float32 that is multiplied with 10 bits of mantissa; needs `torch` and a GPU.
    case tf32
}

/// What a sweep file or a command says of the precision.
public enum PrecisionSetting: Hashable, Sendable {
    case fixed(Precision)
    /// The one that trains fastest where the sweep is submitted; from then on it stands in the
    /// journal.
    case automatic

    private static let automaticName = "auto"

    public static let allNames = Precision.allCases.map(\.rawValue) + [automaticName]

    public init?(rawValue: String) {
        if rawValue == Self.automaticName {
            self = .automatic
        } else if let precision = Precision(rawValue: rawValue) {
            self = .fixed(precision)
        } else {
            return nil
        }
    }
}

/// Every setting of an experiment that is not its dataset, seed or strategy.
/// The defaults are the study's, but for `poolTransform`.
public struct StudyProtocol: Codable, Hashable, Sendable {
    /// Passes over the labelled set in every cycle.
    public var epochs = 200
    /// Images per gradient step; the last, short batch of an epoch is kept.
    public var batchSize = 128
    /// SGD's learning rate before the first milestone.
    public var learningRate = 0.1
    /// Epochs (counted from 0) at whose start the learning rate is multiplied by `gamma`.
    public var milestones = [160]
    public var gamma = 0.1
    public var momentum = 0.9
    /// Applies to every parameter, batch norm's and biases included.
    public var weightDecay = 5e-4
    public var cycles = 10
    /// Channels of the first stage; the four stages have width·{1, 2, 4, 8}.
    public var width = 64
    /// Labels at the start; nil is the study's number for the dataset.
    public var initial: Int?
    /// Labels bought per cycle; nil is the study's number for the dataset.
    public var addendum: Int?
    /// Only the first images of the training files form the pool; nil is the study's pool.
    public var poolLimit: Int?
    /// Only the first images of the test files are evaluated; nil is all of them.
    public var testLimit: Int?
    public var poolTransform = PoolTransform.test
    /// A new network in every cycle, instead of one carried over from cycle to cycle.
    public var reset = false
    public var engine = EngineName.onednn
    public var precision = Precision.float32

    public init() {}

    /// SGD's learning rate in an epoch counted from 0.
    public func learningRate(inEpoch epoch: Int) -> Double {
        milestones.reduce(learningRate) { rate, milestone in
            epoch >= milestone ? rate * gamma : rate
        }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case epochs
        case batchSize = "batch_size"
        case learningRate = "learning_rate"
        case milestones, gamma, momentum
        case weightDecay = "weight_decay"
        case cycles, width, initial, addendum
        case poolLimit = "pool_limit"
        case testLimit = "test_limit"
        case poolTransform = "pool_transform"
        case reset, engine, precision
    }
}
