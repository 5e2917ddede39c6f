import Testing

@testable import Classifier

@Suite("The loss is the mean cross-entropy")
struct CrossEntropyTests {
    private func lossAndGradient(
        _ logits: [Float], _ labels: [Int32], classes: Int
    ) -> (loss: Double, gradient: [Float]) {
        var gradient = [Float](repeating: .nan, count: logits.count)
        var span = gradient.mutableSpan
        let loss = crossEntropy(
            logits: logits.span, labels: labels.span, classes: classes, gradient: &span)
        return (loss, gradient)
    }

    @Test("equal logits cost ln C and pull every class equally")
    func uniform() {
        let (loss, gradient) = lossAndGradient([3, 3, 3, 3, -7, -7, -7, -7], [0, 2], classes: 4)
        #expect(abs(loss - 1.3862943611198906) < 1e-12)
        #expect(gradient == [-0.375, 0.125, 0.125, 0.125, 0.125, 0.125, -0.375, 0.125])
    }

    @Test("logits far beyond exp's range neither overflow nor lose the loss")
    func extremes() {
        let (loss, gradient) = lossAndGradient([1000, 0, 0, 1000], [1, 1], classes: 2)
        #expect(loss == 500)
        #expect(gradient == [0.5, -0.5, 0, 0])
    }

    @Test("the gradient is the loss's difference quotient", arguments: 1...5)
    func differenceQuotient(seed: UInt64) {
        var generator = TestGenerator(seed: seed)
        let logits = (0..<12).map { _ in generator.uniform() * 4 - 2 }
        let labels = (0..<3).map { _ in Int32(generator.next() % 4) }
        let gradient = lossAndGradient(logits, labels, classes: 4).gradient
        for index in logits.indices {
            var (up, down) = (logits, logits)
            up[index] += 0x1p-8
            down[index] -= 0x1p-8
            let quotient =
                (lossAndGradient(up, labels, classes: 4).loss
                    - lossAndGradient(down, labels, classes: 4).loss)
                / (Double(up[index]) - Double(down[index]))
            #expect(abs(Double(gradient[index]) - quotient) < 1e-5)
        }
    }

    @Test("what is not a number is not hidden")
    func notANumber() {
        #expect(lossAndGradient([.nan, 0], [0], classes: 2).loss.isNaN)
    }
}
