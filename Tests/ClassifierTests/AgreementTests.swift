import Classifier
import Testing

/// A network, batch and number of classes at which two engines are compared.
struct AgreementCase: Sendable, CustomTestStringConvertible {
    let width: Int
    let batch: Int
    let classes: Int

    var testDescription: String { "width \(width), batch \(batch), \(classes) classes" }

    static let all: [AgreementCase] =
        [8, 16, 24].flatMap { width in
            [1, 5, 8, 128].flatMap { batch in
                [10, 100].map { AgreementCase(width: width, batch: batch, classes: $0) }
            }
        } + [
            AgreementCase(width: 32, batch: 37, classes: 10),
            AgreementCase(width: 64, batch: 1, classes: 10),
            AgreementCase(width: 64, batch: 5, classes: 100),
            AgreementCase(width: 64, batch: 8, classes: 10),
            AgreementCase(width: 64, batch: 128, classes: 100),
        ]
}

@Suite("Every engine agrees with OpenBLAS", .serialized)
struct AgreementTests {
    static let others = EngineKind.allCases.filter { $0 != .openBLAS }

    /// What one engine computed in a step.
    private struct Outcome {
        var loss = 0.0
        var logits: [Float] = []
        var decisions: [String: [Bool]] = [:]
        var gradients: [NetworkState.Tensor] = []
        var state = NetworkState()
        var scores: [Float] = []
    }

    private func outcome(_ kind: EngineKind, _ test: AgreementCase) throws -> Outcome {
        let network = ResNet18(width: test.width, classes: test.classes)
        let (images, labels) = network.randomBatch(test.batch, seed: UInt64(test.batch))
        let engine = try kind.make(network, network.initialState(seed: UInt64(test.width)))
        var outcome = Outcome()
        engine.rectifierObserver = { outcome.decisions[$0] = $1.map { $0 > 0 } }
        outcome.loss = try engine.trainStep(
            images, labels, SGD(learningRate: 1e-3, momentum: 0.9, weightDecay: 5e-4))
        outcome.logits = engine.trainingLogits
        outcome.gradients = try engine.gradients()
        outcome.state = try engine.state()
        outcome.scores = try engine.logits(images)
        return outcome
    }

    @Test("a step and the scores after it", arguments: AgreementCase.all, others)
    func agreement(test: AgreementCase, kind: EngineKind) throws {
        let one = try outcome(kind, test)
        let other = try outcome(.openBLAS, test)
        #expect(abs(one.loss / other.loss - 1) < tolerance)
        #expect(deviation(one.logits, from: other.logits) < tolerance)

        // Where float32 cannot tell a relu's input from 0, the engines may decide differently and
        // the gradient jumps. A share d of such inputs moves a gradient, which is a sum of as many
        // terms of either sign, by about √d of its length.
        var (disputed, decided) = (0, 0)
        for (name, decisions) in one.decisions {
            let others = try #require(other.decisions[name])
            decided += decisions.count
            disputed += zip(decisions, others).count { $0 != $1 }
        }
        #expect(Double(disputed) <= 1e-5 * Double(decided), "\(disputed) of \(decided)")
        for (gradient, expected) in zip(one.gradients, other.gradients) {
            let (actual, expected) = (gradient.floats!, expected.floats!)
            if disputed == 0 {
                #expect(deviation(actual, from: expected) < tolerance, "\(gradient.name)")
            } else {
                #expect(distance(actual, from: expected) < 3e-2, "\(gradient.name)")
            }
        }
        for (tensor, expected) in zip(one.state.tensors, other.state.tensors) {
            guard let actual = tensor.floats, let expected = expected.floats else {
                #expect(tensor == expected)
                continue
            }
            let isStatistic = tensor.name.contains("running_")
            guard isStatistic || disputed == 0 else { continue }
            #expect(deviation(actual, from: expected) < tolerance, "\(tensor.name)")
        }
        #expect(deviation(one.scores, from: other.scores) < 1e-3)
    }

    /// ‖actual − expected‖ / ‖expected‖.
    private func distance(_ actual: [Float], from expected: [Float]) -> Double {
        let squares = zip(actual, expected).reduce(0.0) {
            $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
        }
        let size = expected.reduce(0.0) { $0 + Double($1) * Double($1) }
        return (squares / size).squareRoot()
    }
}
