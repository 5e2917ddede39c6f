import Classifier
import Testing

/// The reference judges the engines, so it must be right itself.
@Suite("The float64 reference is PyTorch to float32's last digits")
struct ReferenceTests {
    /// PyTorch's vectors are float64 rounded to float32.
    private let rounding = 2e-6

    private func expect(
        _ actual: [Double]?, is expected: [Float], _ name: String
    ) throws {
        let actual = try #require(actual, "\(name)").map { Float($0) }
        let worst = deviation(actual, from: expected)
        #expect(worst < rounding, "\(name)")
    }

    @Test("logits, gradients, losses and states of three steps")
    func threeSteps() throws {
        let oracle = try OracleVectors()
        var reference = ReferenceNetwork(oracle.network, try oracle.state("initial"))
        for (step, loss) in try oracle.file.floats("losses").enumerated() {
            let result = reference.trainStep(oracle.images, oracle.labels, oracle.optimizer)
            try expect([result.loss], is: [loss], "losses[\(step)]")
            if step == 0 {
                try expect(result.logits, is: oracle.file.floats("train_logits"), "train_logits")
            }
            for entry in oracle.network.entries where entry.role != .batchCount {
                if step == 0 && entry.isTrained {
                    let name = "gradient." + entry.name
                    try expect(reference.gradients[entry.name], is: oracle.file.floats(name), name)
                }
                if step == 0 || step == 2 {
                    let name = "after\(step + 1)." + entry.name
                    try expect(reference.parameters[entry.name], is: oracle.file.floats(name), name)
                }
            }
        }
        #expect(reference.disputed.isEmpty)
        try expect(
            reference.logits(oracle.images), is: oracle.file.floats("eval_logits_after3"),
            "eval_logits_after3")
    }

    @Test("decisions against the sign are followed and recorded")
    func decisions() throws {
        let network = ResNet18(width: 2, classes: 3)
        let batch = network.randomBatch(2, seed: 1)
        let optimizer = SGD(learningRate: 0.1, momentum: 0.9, weightDecay: 0)
        var free = ReferenceNetwork(network, network.initialState(seed: 1))
        var decided = free
        _ = free.trainStep(batch.images, batch.labels, optimizer)
        _ = decided.trainStep(
            batch.images, batch.labels, optimizer,
            decisions: ["bn1": Array(repeating: true, count: 2 * 2 * 32 * 32)])
        #expect(decided.disputed.count > 1000)
        #expect(free.gradients["conv1.weight"] != decided.gradients["conv1.weight"])
    }
}
