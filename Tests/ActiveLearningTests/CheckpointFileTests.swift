import Classifier
import Foundation
import SweepModel
import Testing

@testable import ActiveLearning

@Suite struct CheckpointFileTests {
    private func withFile<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("checkpoint-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder.appendingPathComponent("trial.safetensors").path)
    }

    static let configurations =
        allStrategies.map { smallConfiguration($0) } + [
            smallConfiguration(.dqn(gradientSteps: 5)) { $0.poolTransform = .train },
            smallConfiguration(.dqn(gradientSteps: 5), seed: 1 << 40) { $0.reset = true },
        ]

    @Test(
        "a run resumed from the file of any cycle equals one without interruption",
        arguments: configurations)
    func resume(_ configuration: TrialConfiguration) throws {
        let whole = try RecordedRun(configuration)
        for checkpoint in whole.checkpoints {
            let read = try withFile { path in
                try checkpoint.write(to: path)
                return try ExperimentCheckpoint(contentsOf: path, for: configuration)
            }
            #expect(read == checkpoint)
            let resumed = try RecordedRun(configuration, from: read)
            #expect(resumed.checkpoints.count == 4 - checkpoint.results.count)
            #expect(resumed.results.count == 4)
            #expect(zip(resumed.results, whole.results).allSatisfy { $0.agrees(with: $1) })
            #expect(resumed.final.network == whole.final.network)
            #expect(resumed.final.strategy == whole.final.strategy)
            #expect(resumed.final.pool == whole.final.pool)
        }
    }

    @Test("equal states make equal files, and a file is replaced as a whole")
    func replacement() throws {
        let run = try RecordedRun(smallConfiguration(.dqn(gradientSteps: 5)))
        try withFile { path in
            try run.checkpoints[0].write(to: path)
            let first = try Data(contentsOf: URL(fileURLWithPath: path))
            try run.checkpoints[1].write(to: path)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) != first)
            try run.checkpoints[0].write(to: path)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == first)
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
        }
    }

    @Test("the checkpoint of another configuration is refused with what differs")
    func otherConfiguration() throws {
        let configuration = smallConfiguration(.dqn(gradientSteps: 5))
        let run = try RecordedRun(configuration)
        var other = configuration
        other.seed = 7
        other.studyProtocol.learningRate = 0.25
        try withFile { path in
            try run.checkpoints[0].write(to: path)
            let error = #expect(throws: CheckpointError.self) {
                try ExperimentCheckpoint(contentsOf: path, for: other)
            }
            let differences = ["learning_rate is 0.1, here 0.25", "seed is 0, here 7"]
            #expect(error == .otherConfiguration(path: path, differences: differences))
            #expect(error?.description.contains("seed is 0, here 7") == true)
        }
    }

    @Test("a checkpoint says what it was computed on, if it was told")
    func platform() throws {
        let configuration = smallConfiguration(.random)
        var checkpoint = try RecordedRun(configuration).checkpoints[0]
        try withFile { path in
            try checkpoint.write(to: path)
            #expect(
                try ExperimentCheckpoint(contentsOf: path, for: configuration).platform == nil)
            checkpoint.platform = "a CPU; 2 threads"
            try checkpoint.write(to: path)
            #expect(
                try ExperimentCheckpoint(contentsOf: path, for: configuration) == checkpoint)
        }
    }

    @Test("a checkpoint of another engine is taken up only where that is asked for, and says so")
    func otherEngine() throws {
        let configuration = smallConfiguration(.random)
        let run = try RecordedRun(configuration)
        var other = configuration
        other.studyProtocol.engine = .torch
        other.studyProtocol.precision = .bfloat16
        try withFile { path in
            try run.checkpoints[1].write(to: path)
            let differences = [
                "engine is onednn, here torch", "precision is float32, here bfloat16",
            ]
            #expect(
                throws: CheckpointError.otherConfiguration(path: path, differences: differences)
            ) {
                try ExperimentCheckpoint(contentsOf: path, for: other)
            }
            let taken = try ExperimentCheckpoint(
                contentsOf: path, for: other, switchingEngine: true)
            let mark = EngineSwitch(cycle: 2, engine: .onednn, precision: .float32)
            #expect(taken.switches == [mark] && taken.configuration == other)
            #expect(taken.network == run.checkpoints[1].network)

            // The mark stays, also where the trial goes back.
            let resumed = try RecordedRun(other, from: taken)
            #expect(resumed.checkpoints.allSatisfy { $0.switches == [mark] })
            try resumed.checkpoints[0].write(to: path)
            let again = try ExperimentCheckpoint(contentsOf: path, for: other)
            #expect(again == resumed.checkpoints[0])
            let back = try ExperimentCheckpoint(
                contentsOf: path, for: configuration, switchingEngine: true)
            #expect(
                back.switches == [
                    mark, EngineSwitch(cycle: 3, engine: .torch, precision: .bfloat16),
                ])

            // Nothing else may differ.
            other.seed = 7
            #expect(throws: CheckpointError.self) {
                try ExperimentCheckpoint(contentsOf: path, for: other, switchingEngine: true)
            }
        }
    }

    @Test("a flipped bit anywhere and a file cut short are refused")
    func damage() throws {
        let configuration = smallConfiguration(.dqn(gradientSteps: 5))
        let run = try RecordedRun(configuration)
        try withFile { path in
            try run.checkpoints[1].write(to: path)
            let file = try Data(contentsOf: URL(fileURLWithPath: path))
            func expectRefusal(_ damaged: Data, _ comment: Comment) throws {
                try damaged.write(to: URL(fileURLWithPath: path))
                #expect(throws: CheckpointError.self, comment) {
                    try ExperimentCheckpoint(contentsOf: path, for: configuration)
                }
            }
            for offset in stride(from: 0, to: file.count, by: file.count / 60) {
                var damaged = file
                damaged[offset] ^= 4
                try expectRefusal(damaged, "byte \(offset)")
            }
            for count in [0, 7, 100, file.count - 1] {
                try expectRefusal(file.prefix(count), "\(count) bytes")
            }
        }
    }

    @Test("results whose numbers were edited are refused")
    func editedResults() throws {
        let configuration = smallConfiguration(.random)
        let run = try RecordedRun(configuration)
        try withFile { path in
            try run.checkpoints[0].write(to: path)
            let file = try Safetensors(path: path)
            var metadata = file.metadata
            metadata["results"] = metadata["results"]?
                .replacingOccurrences(of: "\"total\":100", with: "\"total\":101")
            #expect(metadata != file.metadata)
            let tensors = try file.entries.map { entry in
                NetworkState.Tensor(
                    name: entry.name, shape: entry.shape,
                    values: entry.type == .float32
                        ? .float32(try file.floats(entry.name))
                        : .int64(try file.integers(entry.name)))
            }
            try Safetensors.write(tensors, metadata: metadata, to: path)
            let error = #expect(throws: CheckpointError.self) {
                try ExperimentCheckpoint(contentsOf: path, for: configuration)
            }
            guard case .damaged = error else {
                Issue.record("\(String(describing: error)) is not about damage")
                return
            }
            metadata["alsweep_checkpoint"] = "2"
            try Safetensors.write(tensors, metadata: metadata, to: path)
            #expect(throws: CheckpointError.otherFormat(path: path, found: "2", expected: "1")) {
                try ExperimentCheckpoint(contentsOf: path, for: configuration)
            }
        }
    }

    @Test("a folder that is not there is named when writing and when reading")
    func missingFolder() throws {
        let configuration = smallConfiguration(.random)
        let run = try RecordedRun(configuration)
        let path = "/nonexistent/trial.safetensors"
        let writing = #expect(throws: CheckpointError.self) { try run.final.write(to: path) }
        #expect(writing?.description.contains(path) == true)
        let reading = #expect(throws: CheckpointError.self) {
            try ExperimentCheckpoint(contentsOf: path, for: configuration)
        }
        #expect(reading?.description.contains(path) == true)
    }
}
