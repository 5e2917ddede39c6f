import Foundation
import SweepModel
import Testing

@testable import ActiveLearning

@Suite struct CheckpointPairTests {
    private static let whole: (checkpoints: [ExperimentCheckpoint], results: [CycleResult]) = {
        let run = try! RecordedRun(smallConfiguration(.dqn(gradientSteps: 5)))
        return (run.checkpoints, run.results)
    }()
    private let checkpoints = Self.whole.checkpoints
    private let configuration = smallConfiguration(.dqn(gradientSteps: 5))

    private func withPair<Result>(_ body: (CheckpointPair) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("checkpoint-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(CheckpointPair(folder.appendingPathComponent("t.safetensors").path))
    }

    private func flipBit(of path: String, at share: Double) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[Int(Double(bytes.count - 1) * share)] ^= 1
        // In place, as a disk does it: another name of the file would be damaged, too.
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    @Test("the last two cycles are kept, and the newer one is taken up")
    func lastTwo() throws {
        try withPair { pair in
            for checkpoint in checkpoints { try pair.write(checkpoint) }
            #expect(pair.read(for: configuration).checkpoint == checkpoints.last)
            let earlier = try ExperimentCheckpoint(contentsOf: pair.earlierPath, for: configuration)
            #expect(earlier == checkpoints[checkpoints.count - 2])
            let folder = (pair.path as NSString).deletingLastPathComponent
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
            pair.removeEarlier()
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
        }
    }

    @Test(
        "a damaged checkpoint falls back to the cycle before, wherever a bit was flipped",
        arguments: [0, 0.001, 0.01, 0.2, 0.5, 0.9, 1])
    func bitFlip(share: Double) throws {
        try withPair { pair in
            for checkpoint in checkpoints.prefix(3) { try pair.write(checkpoint) }
            try flipBit(of: pair.path, at: share)
            let found = pair.read(for: configuration)
            #expect(found.checkpoint == checkpoints[1])
            #expect(found.errors.count == 1)
            // It goes on from there, and the damaged file takes nobody's place.
            let resumed = try RecordedRun(configuration, from: found.checkpoint)
            #expect(zip(resumed.results, Self.whole.results).allSatisfy { $0.agrees(with: $1) })
            try pair.write(checkpoints[2])
            try pair.write(checkpoints[3])
            #expect(
                try ExperimentCheckpoint(contentsOf: pair.earlierPath, for: configuration)
                    == checkpoints[2])
        }
    }

    @Test(
        "a checkpoint that was cut off, or emptied, falls back too", arguments: [0, 1, 100, 5_000])
    func torn(byteCount: Int) throws {
        try withPair { pair in
            for checkpoint in checkpoints.prefix(2) { try pair.write(checkpoint) }
            let bytes = try Data(contentsOf: URL(fileURLWithPath: pair.path))
            try bytes.prefix(byteCount).write(to: URL(fileURLWithPath: pair.path))
            #expect(pair.read(for: configuration).checkpoint == checkpoints[0])
        }
    }

    @Test("a damaged earlier one does not matter while the newer one is whole")
    func earlierDamaged() throws {
        try withPair { pair in
            for checkpoint in checkpoints.prefix(3) { try pair.write(checkpoint) }
            try flipBit(of: pair.earlierPath, at: 0.5)
            let found = pair.read(for: configuration)
            #expect(found.checkpoint == checkpoints[2] && found.errors.isEmpty)
        }
    }

    @Test("where both are damaged, or belong to another trial, the trial starts anew")
    func none() throws {
        try withPair { pair in
            for checkpoint in checkpoints.prefix(2) { try pair.write(checkpoint) }
            let other = smallConfiguration(.dqn(gradientSteps: 5), seed: 99)
            #expect(pair.read(for: other).checkpoint == nil)
            #expect(pair.read(for: other).errors.count == 2)
            try flipBit(of: pair.path, at: 0.5)
            try flipBit(of: pair.earlierPath, at: 0.5)
            #expect(pair.read(for: configuration).checkpoint == nil)
        }
    }

    @Test("the first checkpoint of a trial has none behind it")
    func first() throws {
        try withPair { pair in
            #expect(pair.read(for: configuration).errors.isEmpty)
            try pair.write(checkpoints[0])
            #expect(!FileManager.default.fileExists(atPath: pair.earlierPath))
            #expect(pair.read(for: configuration).checkpoint == checkpoints[0])
        }
    }
}
