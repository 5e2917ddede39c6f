import Agent
import SweepModel
import Testing
import WorkerService

private let cycle = CycleResult(
    cycle: 1, labelled: 10, correct: 5, total: 10, testLoss: 1, trainLoss: 1, labelledDigest: "l",
    weightsDigest: "w", query: nil, trainSeconds: 1, evaluateSeconds: 1, querySeconds: 1)

@Test("a child's line comes back from its text, and others are told apart")
func childLines() {
    let lines: [ChildLine] = [
        .progress(cycle: 1, epoch: 2), .cycle(cycle), .finished(modelDigest: "m"),
        .failed(kind: .user, message: "a\nb"),
    ]
    for line in lines {
        #expect(!line.encoded().contains("\n"))
        #expect(ChildLine(Array(line.encoded().utf8)) == line)
    }
    #expect(ChildLine(Array("Warning: something".utf8)) == nil)
}
