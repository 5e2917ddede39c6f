import Foundation
import GRDB
import SweepModel
import Testing
import Wire

@testable import CoordinatorService

@Test("nothing is acknowledged while the journal cannot be written, and all of it afterwards")
func journalBeforeMessages() throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary.path)
    let running = Running(folder)
    var worker = try Worker(folder)
    try worker.say(
        .hello(
            Hello(host: "h", slots: 1, softwareVersion: "", offers: nil, attempts: [])))
    _ = try worker.hear { $0.contains { $0.type == .welcome } }
    try worker.say(.ready(Ready(freeSlots: 1, assignmentsReceived: 0)))
    let assigned = try worker.hear { $0.contains { $0.type == .assign } }
    guard case .assign(let assignment) = assigned.last else {
        Issue.record("\(assigned)")
        return
    }
    func report(_ number: UInt64, _ content: ReportContent) -> Message {
        .report(Report(number: number, lease: assignment.lease, content: content))
    }
    let count = assignment.configuration.labelledCount(inCycle: 1)
    let result = CycleResult(
        cycle: 1, labelled: count, correct: 5, total: 100, testLoss: 1, trainLoss: 1,
        labelledDigest: "l", weightsDigest: "w", query: nil, trainSeconds: 1, evaluateSeconds: 1,
        querySeconds: 1)

    let lock = try DatabaseQueue(path: folder.journal)
    try lock.writeWithoutTransaction { database in
        try database.inTransaction(.immediate) {
            try worker.say(report(1, .cycle(result)))
            let heard = try worker.hear { _ in running.failureCount > 0 }
            #expect(heard.isEmpty, "nothing is on disk")
            return .rollback
        }
    }
    let heard = try worker.hear { !$0.isEmpty }
    #expect(heard == [.acknowledge(report: 1)])
    try worker.say(report(2, .finished(modelDigest: "m")))
    _ = try worker.hear { _ in running.outcome != nil }
    #expect(running.outcome == "sweepFinished")
}
