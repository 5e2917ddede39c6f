import Classifier
import Testing

/// Every number against PyTorch's, computed in float64 (Fixtures/resnet18_w8_sgd.safetensors).
@Suite("The engine computes what PyTorch computes")
struct OracleTests {
    let oracle: OracleVectors
    let engine: OneDNNEngine

    init() throws {
        oracle = try OracleVectors()
        engine = try OneDNNEngine(oracle.network, oracle.state("initial"))
    }

    private func train(_ steps: Int) throws -> [Float] {
        try (0..<steps).map { _ in
            Float(try engine.trainStep(oracle.images, oracle.labels, oracle.optimizer))
        }
    }

    private func expect(_ state: NetworkState, matches prefix: String) throws {
        let expected = try oracle.state(prefix)
        #expect(state.tensors.map(\.name) == expected.tensors.map(\.name))
        for (actual, expected) in zip(state.tensors, expected.tensors) {
            if let floats = actual.floats {
                let worst = deviation(floats, from: try #require(expected.floats))
                #expect(worst < tolerance, "\(prefix).\(actual.name)")
            } else {
                #expect(actual == expected, "\(prefix).\(actual.name)")
            }
        }
    }

    @Test("the logits of a training batch use the batch's statistics")
    func trainingLogits() throws {
        _ = try train(1)
        let expected = try oracle.file.floats("train_logits")
        #expect(deviation(engine.trainingLogits, from: expected) < tolerance)
    }

    @Test("every parameter's gradient is PyTorch's")
    func gradients() throws {
        _ = try train(1)
        let gradients = try engine.gradients()
        #expect(gradients.count == oracle.network.entries.count(where: \.isTrained))
        for gradient in gradients {
            let expected = try oracle.file.floats(
                "gradient." + gradient.name, shape: gradient.shape)
            let worst = deviation(try #require(gradient.floats), from: expected)
            #expect(worst < tolerance, "\(gradient.name)")
        }
    }

    @Test("the losses of three steps are PyTorch's")
    func losses() throws {
        let expected = try oracle.file.floats("losses")
        #expect(deviation(try train(expected.count), from: expected) < tolerance)
    }

    @Test("one step leaves PyTorch's parameters and running statistics")
    func firstStep() throws {
        _ = try train(1)
        try expect(engine.state(), matches: "after1")
    }

    @Test("the trained state of PyTorch, loaded, gives PyTorch's logits")
    func loadedEvaluation() throws {
        try engine.load(oracle.state("after3"))
        let expected = try oracle.file.floats("eval_logits_after3")
        #expect(deviation(try engine.logits(oracle.images), from: expected) < tolerance)
    }

    @Test("the measure sees a wrong value, a missing one and what is not a number")
    func measure() {
        #expect(deviation([1, 100.02], from: [1, 100]) > tolerance)
        #expect(deviation([1, 100.002], from: [1, 100]) < tolerance)
        #expect(deviation([1], from: [1, 100]) == .infinity)
        #expect(deviation([1, .nan], from: [1, 100]) == .infinity)
        #expect(deviation([0, 0], from: [0, 0]) == 0)
        #expect(deviation([0, 1e-30], from: [0, 0]) > tolerance)
    }
}
