/// Names a trial by what it runs: `fashionmnist-dqn100-seed0`.
///
/// Two stages of a sweep that ask for the same dataset, strategy and seed mean the same trial,
/// which then runs once.
public struct TrialID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: String

    public init(_ rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }

    public static func < (first: TrialID, second: TrialID) -> Bool {
        first.rawValue < second.rawValue
    }
}

extension TrialID: Codable {
    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// All that a trial's numbers depend on.
public struct TrialConfiguration: Codable, Hashable, Sendable {
    public var dataset: DatasetName
    public var strategy: Strategy
    public var seed: UInt64
    public var studyProtocol: StudyProtocol

    public init(
        dataset: DatasetName, strategy: Strategy, seed: UInt64, studyProtocol: StudyProtocol
    ) {
        self.dataset = dataset
        self.strategy = strategy
        self.seed = seed
        self.studyProtocol = studyProtocol
    }

    enum CodingKeys: String, CodingKey {
        case dataset, strategy, seed
        case studyProtocol = "protocol"
    }

    public var id: TrialID { TrialID("\(dataset.rawValue)-\(strategy.label)-seed\(seed)") }

    /// Images that may be labelled.
    public var poolCount: Int {
        min(studyProtocol.poolLimit ?? dataset.fullPoolCount, dataset.fullPoolCount)
    }

    /// Images the network is evaluated on.
    public var testCount: Int {
        min(studyProtocol.testLimit ?? dataset.fullTestCount, dataset.fullTestCount)
    }

    /// Labels in cycle 1.
    public var initialCount: Int { studyProtocol.initial ?? dataset.studyAddendum }

    /// Labels bought by every query.
    public var addendumCount: Int { studyProtocol.addendum ?? dataset.studyAddendum }

    /// Labels in a cycle counted from 1: N + (c − 1)K, and never more than the pool has.
    public func labelledCount(inCycle cycle: Int) -> Int {
        min(initialCount + (cycle - 1) * addendumCount, poolCount)
    }
}

extension TrialConfiguration {
    /// What a cycle costs: the images that go through the network, a scored one counting a third of
    /// a trained one, times their cost at this width relative to width 64.
    public func expectedImageSteps(inCycle cycle: Int) -> Double {
        let labelled = labelledCount(inCycle: cycle)
        var steps = Double(labelled * studyProtocol.epochs) + Double(testCount) / 3
        if cycle < studyProtocol.cycles, strategy != .random {
            steps += Double(poolCount - labelled) / 3
        }
        let relativeWidth = Double(studyProtocol.width) / 64
        return steps * relativeWidth * relativeWidth
    }

    /// What the longest trials are found by.
    public var expectedImageSteps: Double {
        (1...studyProtocol.cycles).reduce(0) { $0 + expectedImageSteps(inCycle: $1) }
    }
}
