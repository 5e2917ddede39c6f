/// What one query chose, for the tables that explain a strategy.
public struct QueryResult: Codable, Hashable, Sendable {
    /// Pool indices in the order in which they were picked.
    public var picks: [Int]
    /// The fraction of the picks whose class the network got wrong (the mean reward of `dqn`).
    public var hitRate: Double
    /// The picks per class.
    public var classCounts: [Int]
    /// The entropy −Σ f·ln f of the classes' shares f of the picks, in nats: ln C if they are even, 0
    /// if all picks are of one class or there are none. nil in older results.
    public var classEntropy: Double?
    /// The mean Q(s, 1) of the picks; nil for a strategy without a Q-network.
    public var meanQ: Double?
    /// The Q-network's loss at its first and at its last gradient step; nil without training.
    public var firstLoss: Double?
    public var lastLoss: Double?
    /// Whether Q(s, 1), before it trained on them, orders the picks that the network got wrong above
    /// the others: the area under the ROC curve; nil without a Q-network, or if all or none were wrong.
    public var auc: Double?
    /// The share of Q in the score of `dqn_warm`, the rest being the margin's.
    public var lambda: Double?

    public init(
        picks: [Int], hitRate: Double, classCounts: [Int], classEntropy: Double? = nil,
        meanQ: Double? = nil, firstLoss: Double? = nil, lastLoss: Double? = nil,
        auc: Double? = nil, lambda: Double? = nil
    ) {
        self.picks = picks
        self.hitRate = hitRate
        self.classCounts = classCounts
        self.classEntropy = classEntropy
        self.meanQ = meanQ
        self.firstLoss = firstLoss
        self.lastLoss = lastLoss
        self.auc = auc
        self.lambda = lambda
    }

    enum CodingKeys: String, CodingKey {
        case picks, auc, lambda
        case hitRate = "hit_rate"
        case classCounts = "class_counts"
        case classEntropy = "class_entropy"
        case meanQ = "mean_q"
        case firstLoss = "first_loss"
        case lastLoss = "last_loss"
    }
}

/// What a finished cycle of a trial found.
public struct CycleResult: Codable, Hashable, Sendable {
    /// Counted from 1.
    public var cycle: Int
    /// Labels that the network was trained with.
    public var labelled: Int
    /// Test images whose class was found, of `total`.
    public var correct: Int
    public var total: Int
    /// Mean cross-entropy over the test images, in nats.
    public var testLoss: Double
    /// Mean cross-entropy over the last epoch's training images, in nats.
    public var trainLoss: Double
    /// SHA-256 of the sorted labelled indices as little-endian UInt32, in hexadecimal.
    public var labelledDigest: String
    /// SHA-256 of the network's parameters and running statistics after training, in hexadecimal.
    public var weightsDigest: String
    /// nil in the last cycle, after which nothing is bought.
    public var query: QueryResult?
    public var trainSeconds: Double
    public var evaluateSeconds: Double
    public var querySeconds: Double
    /// true if the network was taken from another trial with the same labelled sets instead of being
    /// trained again, which gives the same numbers sooner; nil if it was trained.
    public var isShared: Bool?

    public init(
        cycle: Int, labelled: Int, correct: Int, total: Int, testLoss: Double, trainLoss: Double,
        labelledDigest: String, weightsDigest: String, query: QueryResult?, trainSeconds: Double,
        evaluateSeconds: Double, querySeconds: Double, isShared: Bool? = nil
    ) {
        self.cycle = cycle
        self.labelled = labelled
        self.correct = correct
        self.total = total
        self.testLoss = testLoss
        self.trainLoss = trainLoss
        self.labelledDigest = labelledDigest
        self.weightsDigest = weightsDigest
        self.query = query
        self.trainSeconds = trainSeconds
        self.evaluateSeconds = evaluateSeconds
        self.querySeconds = querySeconds
        self.isShared = isShared
    }

    enum CodingKeys: String, CodingKey {
        case cycle, labelled, correct, total
        case testLoss = "test_loss"
        case trainLoss = "train_loss"
        case labelledDigest = "labelled_digest"
        case weightsDigest = "weights_digest"
        case query
        case trainSeconds = "train_seconds"
        case evaluateSeconds = "evaluate_seconds"
        case querySeconds = "query_seconds"
        case isShared = "shared"
    }

    /// In percent.
    public var accuracy: Double { 100 * Double(correct) / Double(total) }

    public var seconds: Double { trainSeconds + evaluateSeconds + querySeconds }

    /// Whether another trial of the same seed had the same network in this cycle, if it had in all
    /// cycles before: its labelled set is the same.
    ///
    /// Published runs have no digests; equal counts and losses stand for them.
    public func isSameState(as other: CycleResult) -> Bool {
        guard cycle == other.cycle, labelled == other.labelled, total == other.total,
            correct == other.correct
        else { return false }
        return labelledDigest.isEmpty || other.labelledDigest.isEmpty
            ? testLoss == other.testLoss : labelledDigest == other.labelledDigest
    }

    /// Whether another result of the same cycle says the same; how long it took, and whether it was
    /// trained for this trial, does not count.
    public func agrees(with other: CycleResult) -> Bool {
        var other = other
        other.trainSeconds = trainSeconds
        other.evaluateSeconds = evaluateSeconds
        other.querySeconds = querySeconds
        other.isShared = isShared
        return self == other
    }
}
