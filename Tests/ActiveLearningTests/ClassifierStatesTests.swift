import Classifier
import Foundation
import Testing

@testable import ActiveLearning

@Suite struct ClassifierStatesTests {
    @Test("states of logits are those of the vectors", arguments: FixtureFiles.qNetworkNames)
    func vectors(_ name: String) throws {
        let file = try Safetensors(path: FixtureFiles.path(name))
        let classCount = try #require(file.entry("logits")).shape[1]
        let logits = try file.floats("logits")
        let states = ClassifierStates(logits: logits.span, classCount: classCount)
        #expect(states.length == classCount + 3)
        #expect(relativeDifference(states.values, try file.floats("states"), scale: 1e-3) < 1e-4)
    }

    @Test(
        "probabilities sum to 1, the margin is not negative, the entropy lies between its bounds",
        arguments: [2, 10, 100], [Float(0), 1, 30, 10_000])
    func invariants(_ classCount: Int, _ spread: Float) {
        var stream = RandomStream(seed: 1, purpose: .initialisation, cycle: 1)
        let logits = (0..<50 * classCount).map { _ in stream.uniform(within: spread) }
        let states = ClassifierStates(logits: logits.span, classCount: classCount)
        #expect(states.count == 50)
        for index in 0..<states.count {
            let state = Array(states.row(index))
            let probabilities = state[..<classCount]
            #expect(abs(probabilities.reduce(0, +) - 1) < 1e-5)
            #expect(state[classCount] == probabilities.max())
            #expect(state[classCount + 1] >= 0)
            let entropy = Double(state[classCount + 2])
            #expect(entropy >= -Double(classCount) * 1e-8 - 1e-7)
            #expect(entropy <= log(Double(classCount)) + 1e-6)
        }
    }

    @Test("a tie for the lead has no margin, and the first class is predicted")
    func tie() {
        let logits: [Float] = [1, 5, 5, 0]
        let states = ClassifierStates(logits: logits.span, classCount: 4)
        #expect(states.values[5] == 0)
        #expect(predictedClass(logits.span) == 1)
    }

    @Test("cross-entropy is −ln p, also of logits that overflow an exponential")
    func crossEntropies() {
        let logits: [Float] = [0, 0, 0, 0]
        #expect(abs(crossEntropy(logits.span, label: 3) - log(4.0)) < 1e-12)
        let large: [Float] = [1_000, 0]
        #expect(crossEntropy(large.span, label: 1) == 1_000)
        #expect(crossEntropy(large.span, label: 0) == 0)
    }
}
