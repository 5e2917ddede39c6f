/// How a trial chooses the samples whose labels it buys.
public enum Strategy: Hashable, Sendable {
    /// `random.sample` over the unlabelled list, as CPython draws it.
    case random
    /// A deep Q-network scores the pool; it trains for `gradientSteps` batches after every query.
    case dqn(gradientSteps: Int)

    /// The name in sweep files.
    public var name: String {
        switch self {
        case .random: "random"
        case .dqn: "dqn"
        }
    }

    public var gradientSteps: Int? {
        switch self {
        case .random: nil
        case .dqn(let gradientSteps): gradientSteps
        }
    }

    /// The name in trial IDs: `random`, `dqn100`.
    public var label: String { name + (gradientSteps.map(String.init) ?? "") }

    /// As the study's tables name it: `random`, `DQN (100 step)`.
    public var title: String {
        switch self {
        case .random: "random"
        case .dqn(let gradientSteps): "DQN (\(gradientSteps) step)"
        }
    }

    /// Every strategy name a sweep file may use.
    public static let names = ["random", "dqn"]
}

extension Strategy: Codable {
    private enum CodingKeys: String, CodingKey {
        case name
        case gradientSteps = "gradient_steps"
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch try container.decode(String.self, forKey: .name) {
        case "random": self = .random
        case "dqn":
            self = .dqn(gradientSteps: try container.decode(Int.self, forKey: .gradientSteps))
        case let name:
            throw DecodingError.dataCorruptedError(
                forKey: .name, in: container, debugDescription: "unknown strategy '\(name)'")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encodeIfPresent(gradientSteps, forKey: .gradientSteps)
    }
}
