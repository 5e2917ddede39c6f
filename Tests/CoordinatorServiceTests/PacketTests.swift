import Foundation
import SweepModel
import Testing
import Wire

@testable import CoordinatorService

/// Says hello with three slots, asks for three trials, and waits for them.
private func assignedPackets(_ folder: RunFolder, speaking version: WireVersion) throws -> [UInt8] {
    let running = Running(folder, sweep(seeds: [0, 1, 2]))
    var worker = try Worker(folder, speaking: version)
    try worker.say(
        .hello(Hello(host: "h", slots: 3, softwareVersion: "", offers: nil, attempts: [])))
    _ = try worker.hear { $0.contains { $0.type == .welcome } }
    try worker.say(.ready(Ready(freeSlots: 3, assignmentsReceived: 0)))
    let heard = try worker.hear { $0.count { $0.type == .assign } == 3 }
    for case .assign(let assignment) in heard {
        try worker.say(
            .report(
                Report(
                    number: UInt64(assignment.configuration.seed) + 1, lease: assignment.lease,
                    content: .failed(kind: .user, message: "no"))))
    }
    _ = try worker.hear { _ in running.outcome != nil }
    return worker.packetTypes.filter {
        $0 == MessageType.assign.rawValue || $0 == Outbox.packetType
    }
}

@Test("what is decided at once for a worker leaves in one packet")
func packets() throws {
    let folder = try TemporaryFolder()
    let types = try assignedPackets(RunFolder(folder.path), speaking: .current)
    #expect(types.first == Outbox.packetType)
    #expect(!types.contains(MessageType.assign.rawValue))
}

@Test("a worker of version 1.3 gets its messages one by one")
func olderWorker() throws {
    let folder = try TemporaryFolder()
    let types = try assignedPackets(
        RunFolder(folder.path), speaking: WireVersion(major: WireVersion.current.major, minor: 3))
    #expect(types == Array(repeating: MessageType.assign.rawValue, count: 3))
}
