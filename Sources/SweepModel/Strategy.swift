/// How a trial chooses the samples whose labels it buys. `docs/strategies.md` describes each rule.
public enum Strategy: Hashable, Sendable {
    /// `random.sample` over the unlabelled list, as CPython draws it.
    case random
    /// The largest −Σ p·ln(p + 1e-8).
    case entropy
    /// The smallest max p.
    case leastConfidence
    /// The smallest lead of the best class over the second.
    case margin
    /// Repeatedly the sample farthest from all labelled and chosen ones in the last feature space.
    case kCenter
    /// k-means++ seeding on the gradients that the predicted classes would cause.
    case badge
    /// A deep Q-network scores the pool; it trains for `gradientSteps` batches after every query.
    case dqn(gradientSteps: Int)
    /// The same with a warm start: margins decide until Q has shown that it orders errors.
    case dqnWarm(gradientSteps: Int)

    /// - Parameters:
    ///   - name: as in sweep files.
    ///   - gradientSteps: of a strategy that learns; ignored by the others.
    /// - Returns: nil for an unknown name, and for a strategy that lacks its gradient steps.
    public init?(name: String, gradientSteps: Int?) {
        if let strategy = Self.plain.first(where: { $0.name == name }) {
            self = strategy
        } else if let learner = Learner(rawValue: name), let gradientSteps {
            self = learner.strategy(gradientSteps: gradientSteps)
        } else {
            return nil
        }
    }

    /// The strategies without settings.
    public static let plain: [Strategy] = [
        .random, .entropy, .leastConfidence, .margin, .kCenter, .badge,
    ]

    /// Every strategy name a sweep file may use.
    public static let names = plain.map(\.name) + Learner.allCases.map(\.rawValue)

    /// The name in sweep files.
    public var name: String {
        switch self {
        case .random: "random"
        case .entropy: "entropy"
        case .leastConfidence: "least_confidence"
        case .margin: "margin"
        case .kCenter: "k_center"
        case .badge: "badge"
        case .dqn: Learner.dqn.rawValue
        case .dqnWarm: Learner.dqnWarm.rawValue
        }
    }

    public var gradientSteps: Int? {
        switch self {
        case .dqn(let gradientSteps), .dqnWarm(let gradientSteps): gradientSteps
        case .random, .entropy, .leastConfidence, .margin, .kCenter, .badge: nil
        }
    }

    /// The name in trial IDs: `random`, `dqn100`.
    public var label: String { name + (gradientSteps.map(String.init) ?? "") }

    /// As the study's tables name it: `random`, `DQN (100 step)`.
    public var title: String {
        switch self {
        case .random: "random"
        case .entropy: "entropy"
        case .leastConfidence: "least confidence"
        case .margin: "margin"
        case .kCenter: "k-center"
        case .badge: "BADGE"
        case .dqn(let gradientSteps): "DQN (\(gradientSteps) step)"
        case .dqnWarm(let gradientSteps): "warm DQN (\(gradientSteps) step)"
        }
    }
}

/// A strategy that trains a Q-network after every query, and so has a number of gradient steps.
public enum Learner: String, CaseIterable, Hashable, Sendable {
    case dqn
    case dqnWarm = "dqn_warm"

    public func strategy(gradientSteps: Int) -> Strategy {
        switch self {
        case .dqn: .dqn(gradientSteps: gradientSteps)
        case .dqnWarm: .dqnWarm(gradientSteps: gradientSteps)
        }
    }
}

extension Strategy: Codable {
    private enum CodingKeys: String, CodingKey {
        case name
        case gradientSteps = "gradient_steps"
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let name = try container.decode(String.self, forKey: .name)
        let gradientSteps =
            Learner(rawValue: name) == nil
            ? nil : try container.decode(Int.self, forKey: .gradientSteps)
        guard let strategy = Strategy(name: name, gradientSteps: gradientSteps) else {
            throw DecodingError.dataCorruptedError(
                forKey: .name, in: container, debugDescription: "unknown strategy '\(name)'")
        }
        self = strategy
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encodeIfPresent(gradientSteps, forKey: .gradientSteps)
    }
}
