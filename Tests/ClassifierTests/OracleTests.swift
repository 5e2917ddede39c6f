import Classifier
import Testing

/// What float32 may differ from the float64 oracles.
let tolerance = 1e-4

/// How near to 0 a relu's input must be for float32 to take the other side: the inputs have about
/// unit variance, and carry the rounding of the layers and steps before them.
private let disputeLimit = 1e-3

/// Every number against PyTorch's, computed in float64 (Fixtures/resnet18_w8_sgd.safetensors).
@Suite("Every engine computes what PyTorch computes")
struct OracleTests {
    let oracle: OracleVectors

    init() throws {
        oracle = try OracleVectors()
    }

    private func engine(_ kind: EngineKind) throws -> any InspectableEngine {
        try kind.make(oracle.network, oracle.state("initial"))
    }

    @Test(
        "the logits of a training batch use the batch's statistics", arguments: EngineKind.allCases)
    func trainingLogits(kind: EngineKind) throws {
        let engine = try engine(kind)
        _ = try engine.trainStep(oracle.images, oracle.labels, oracle.optimizer)
        let expected = try oracle.file.floats("train_logits")
        #expect(deviation(engine.trainingLogits, from: expected) < tolerance)
    }

    /// The engine and the reference after one step in which the reference took the engine's relu
    /// decisions.
    private func firstStep(
        _ kind: EngineKind
    ) throws -> (engine: any InspectableEngine, loss: Double, reference: ReferenceNetwork) {
        let engine = try engine(kind)
        var reference = ReferenceNetwork(oracle.network, try oracle.state("initial"))
        var decisions: ReferenceNetwork.Decisions = [:]
        engine.rectifierObserver = { name, output in decisions[name] = output.map { $0 > 0 } }
        let loss = try engine.trainStep(oracle.images, oracle.labels, oracle.optimizer)
        _ = reference.trainStep(
            oracle.images, oracle.labels, oracle.optimizer, decisions: decisions)
        #expect(reference.disputed.allSatisfy { $0 < disputeLimit }, "\(reference.disputed)")
        return (engine, loss, reference)
    }

    /// PyTorch's values, unless the engine was on the other side of a relu input that float32
    /// cannot tell from 0: then the reference's on that side.
    private func expected(
        _ name: String, shape: [Int], _ reference: ReferenceNetwork, _ values: [Double]?
    ) throws -> [Double] {
        let stored = try oracle.file.floats(name, shape: shape).map(Double.init)
        return reference.disputed.isEmpty ? stored : try #require(values)
    }

    @Test("every parameter's gradient is PyTorch's", arguments: EngineKind.allCases)
    func gradients(kind: EngineKind) throws {
        let (engine, _, reference) = try firstStep(kind)
        let gradients = try engine.gradients()
        #expect(gradients.count == oracle.network.entries.count(where: \.isTrained))
        for gradient in gradients {
            let expected = try expected(
                "gradient." + gradient.name, shape: gradient.shape, reference,
                reference.gradients[gradient.name])
            let worst = deviation(try #require(gradient.floats), from: expected)
            #expect(worst < tolerance, "\(gradient.name)")
        }
    }

    @Test(
        "one step has PyTorch's loss and leaves its parameters and running statistics",
        arguments: EngineKind.allCases)
    func firstStep(kind: EngineKind) throws {
        let (engine, loss, reference) = try firstStep(kind)
        #expect(deviation([Float(loss)], from: [try oracle.file.floats("losses")[0]]) < tolerance)
        let state = try engine.state()
        #expect(state.tensors.map(\.name) == oracle.network.entries.map(\.name))
        for tensor in state.tensors {
            let name = "after1." + tensor.name
            if let floats = tensor.floats {
                let expected = try expected(
                    name, shape: tensor.shape, reference, reference.parameters[tensor.name])
                #expect(deviation(floats, from: expected) < tolerance, "\(name)")
            } else {
                #expect(try tensor.integers == oracle.file.integers(name), "\(name)")
            }
        }
    }

    @Test(
        "the trained state of PyTorch, loaded, gives PyTorch's logits",
        arguments: EngineKind.allCases)
    func loadedEvaluation(kind: EngineKind) throws {
        let engine = try engine(kind)
        try engine.load(oracle.state("after3"))
        let expected = try oracle.file.floats("eval_logits_after3")
        #expect(deviation(try engine.logits(oracle.images), from: expected) < tolerance)
    }

    /// PyTorch's own state after three steps is on one side of relu inputs that float32 cannot
    /// tell from 0: in these vectors, one of −4.5e-8 in the second step (layer2.1.bn1). The other
    /// side leads to a conv1.weight that differs by 2 % after the third. So the engine is judged
    /// by the float64 reference with the engine's decisions, and the reference by PyTorch.
    @Test(
        "three steps compute what float64 computes with the engine's relu decisions",
        arguments: EngineKind.allCases)
    func threeSteps(kind: EngineKind) throws {
        let engine = try engine(kind)
        var reference = ReferenceNetwork(oracle.network, try oracle.state("initial"))
        for _ in try oracle.file.floats("losses") {
            try expectSameStep(
                engine, &reference, oracle.images, oracle.labels, oracle.optimizer)
        }
        let logits = reference.logits(oracle.images)
        #expect(deviation(try engine.logits(oracle.images), from: logits) < tolerance)
        let counts = try engine.state().tensors.compactMap(\.integers)
        #expect(try counts == oracle.state("after3").tensors.compactMap(\.integers))
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

/// Trains both by one step and expects the same loss, logits, gradients, parameters and running
/// statistics.
func expectSameStep(
    _ engine: any InspectableEngine, _ reference: inout ReferenceNetwork, _ images: [Float],
    _ labels: [Int32], _ optimizer: SGD, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    var decisions: ReferenceNetwork.Decisions = [:]
    engine.rectifierObserver = { name, output in decisions[name] = output.map { $0 > 0 } }
    defer { engine.rectifierObserver = nil }
    let loss = try engine.trainStep(images, labels, optimizer)
    #expect(decisions.count == 1 + 2 * reference.network.blocks.count)
    let expected = reference.trainStep(images, labels, optimizer, decisions: decisions)
    #expect(
        reference.disputed.allSatisfy { $0 < disputeLimit }, "\(reference.disputed)",
        sourceLocation: sourceLocation)
    #expect(abs(loss / expected.loss - 1) < tolerance, sourceLocation: sourceLocation)
    #expect(
        deviation(engine.trainingLogits, from: expected.logits) < tolerance,
        sourceLocation: sourceLocation)
    for gradient in try engine.gradients() {
        let worst = deviation(gradient.floats!, from: reference.gradients[gradient.name]!)
        #expect(worst < tolerance, "gradient.\(gradient.name)", sourceLocation: sourceLocation)
    }
    for tensor in try engine.state().tensors {
        guard let floats = tensor.floats else { continue }
        let worst = deviation(floats, from: reference.parameters[tensor.name]!)
        #expect(worst < tolerance, "\(tensor.name)", sourceLocation: sourceLocation)
    }
}
