import FakePlugIn
import Foundation
import Testing

extension Acceptance {
    /// Engine torch as the program's commands meet it, with nothing in the plug-in's place or something
    /// that only says what it is.
    @Suite(
        "Engine torch that is missing or lacks something",
        .enabled(if: FakePlugIn.compiler != nil, "there is no C compiler to make a plug-in with"))
    struct TorchRefusalTests {
        private static let missing = "ALSWEEP_TORCH_ENGINE=/nowhere/alsweep-torch.so"
        private static let experiment = [
            "experiment", "--dataset", "fashionmnist", "--strategy", "random", "--width", "4",
            "--epochs", "1", "--cycles", "1", "--initial", "20", "--pool-limit", "40",
            "--test-limit", "20", "--engine", "torch",
        ]

        @Test(
            "without a plug-in a launch ends before it begins, and so do the others",
            arguments: [
                ["launch", "tiny.yaml", "--engine", "torch"], experiment,
                ["bench", "train", "--engine", "torch", "--seconds", "0.2"],
            ])
        func missing(arguments: [String]) throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let result = try Program.run(arguments, in: folder, environment: [Self.missing])
            #expect(result.status == 1)
            #expect(
                result.errors.contains(
                    "engine torch needs its plug-in, and there is no file /nowhere/alsweep-torch.so"
                ),
                "\(result.errors)")
            #expect(
                result.errors.contains("hint: build it with cluster/build-torch-engine.sh"))
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/runs"))
        }

        @Test("a sweep file's engine is refused where the machine lacks it, and its precision, too")
        func sweepFile() throws {
            let folder = try TemporaryFolder()
            let plugIn = try FakePlugIn()
            let text = TinySweep.text().replacingOccurrences(
                of: "  width: 4", with: "  width: 4\n  engine: torch\n  precision: tf32")
            try TinySweep.write(text, to: folder)
            let missing = try Program.run(
                ["launch", "tiny.yaml"], in: folder, environment: [Self.missing])
            #expect(missing.status == 1 && missing.errors.contains("needs its plug-in"))
            let lacking = try Program.run(
                ["launch", "tiny.yaml"], in: folder,
                environment: ["ALSWEEP_TORCH_ENGINE=\(plugIn.path)"])
            #expect(lacking.status == 1)
            #expect(
                lacking.errors.contains(
                    "engine torch cannot compute in tf32 on this machine's Device"),
                "\(lacking.errors)")
            let other = try Program.run(
                ["launch", "tiny.yaml", "--engine", "onednn"], in: folder)
            #expect(other.status == 2)
            #expect(
                other.errors.contains("engine onednn does not compute in tf32")
                    && other.errors.contains("--engine torch"), "\(other.errors)")
        }

        @Test("a worker that cannot offer the engine takes no trial and says why")
        func worker() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let launched = try Program.start(
                ["launch", "tiny.yaml", "--engine", "torch", "--slots", "0"], in: folder,
                environment: [Self.missing])
            try launched.waitForErrors(containing: "More workers can join")
            let run = try onlyRun(in: folder)
            let worker = try Program.run(
                ["worker", "--connect", run, "--slots", "1"], in: folder,
                environment: [Self.missing])
            #expect(worker.status == 1)
            #expect(
                worker.errors.contains("this sweep computes with engine torch in float32"),
                "\(worker.errors)")
            // The engine stands in the journal, so the run keeps to it.
            launched.signal(SIGINT)
            _ = launched.result()
            let again = try Program.run(
                ["launch", run, "--engine", "onednn", "--slots", "0"], in: folder)
            #expect(again.status == 1)
            #expect(
                again.errors.contains("computes with engine torch in float32, and keeps to that"),
                "\(again.errors)")
        }

        @Test("a GPU without enough memory is told as such, by the trial's process, too")
        func outOfMemory() throws {
            let folder = try TemporaryFolder()
            let plugIn = try FakePlugIn(createStatus: 2)
            let environment = ["ALSWEEP_TORCH_ENGINE=\(plugIn.path)"]
            let alone = try Program.run(Self.experiment, in: folder, environment: environment)
            #expect(alone.status == 1)
            #expect(
                alone.errors.contains("the GPU's memory does not suffice: the reason"),
                "\(alone.errors)")
            try TinySweep.write(TinySweep.firstStage(epochs: 1), to: folder)
            let swept = try Program.run(
                ["launch", "tiny.yaml", "--engine", "torch", "--slots", "1"], in: folder,
                environment: environment)
            #expect(swept.status == 1)
            let records = try Program.run(
                ["journal", "export", try onlyRun(in: folder)], in: folder)
            #expect(records.output.contains("the GPU's memory does not suffice"))
            #expect(records.output.contains("out_of_memory"), "\(records.output.suffix(2_000))")
        }

        @Test("the doctor tells whether a plug-in works, and does not ask for one")
        func doctor() throws {
            let folder = try TemporaryFolder()
            let plugIn = try FakePlugIn()
            let found = try Program.run(
                ["doctor"], in: folder, environment: ["ALSWEEP_TORCH_ENGINE=\(plugIn.path)"])
            #expect(found.output.contains("PyTorch 9.9.9 on Device"), "\(found.output)")
            #expect(found.output.contains("torch float32, torch bfloat16"))
            #expect(!found.output.contains("torch tf32"))
            let none = try Program.run(["doctor"], in: folder, environment: [Self.missing])
            #expect(none.output.contains("no plug-in for GPUs in /nowhere/alsweep-torch.so"))
            let broken = try FakePlugIn(bytes: "not a library")
            let ill = try Program.run(
                ["doctor"], in: folder, environment: ["ALSWEEP_TORCH_ENGINE=\(broken.path)"])
            #expect(ill.output.contains("\(broken.path) cannot be loaded"), "\(ill.output)")
        }
    }

    /// The same commands with libtorch.
    @Suite(
        "Engine torch in sweeps and commands",
        .enabled(
            if: ProcessInfo.processInfo.environment["ALSWEEP_TORCH_ENGINE"].map { !$0.isEmpty }
                ?? false,
            "engine torch is not tested: Tests/PyTorch/check-torch-engine.sh builds it and runs these tests"
        ))
    struct TorchTests {
        private struct Experiment: Decodable {
            struct Cycle: Decodable, Hashable {
                var correct: Int
                var weightsDigest: String
            }
            struct Switch: Decodable, Hashable {
                var cycle: Int
                var engine: String
                var precision: String
            }
            var cycles: [Cycle]
            var engineSwitches: [Switch]?
        }

        private static func experiment(_ engine: String, _ cycles: Int) -> [String] {
            [
                "experiment", "--dataset", "fashionmnist", "--strategy", "random", "--seed", "3",
                "--width", "8", "--epochs", "2", "--cycles", "\(cycles)", "--initial", "60",
                "--addendum", "40", "--pool-limit", "200", "--test-limit", "300", "--batch-size",
                "25", "--learning-rate", "0.05", "--threads", "1", "--output-mode", "json",
                "--output", "out",
                "--engine", engine,
            ]
        }

        private func run(
            _ arguments: [String], in folder: borrowing TemporaryFolder
        ) throws -> Experiment {
            let result = try Program.run(arguments, in: folder)
            try #require(result.status == 0, "\(result.errors)")
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Experiment.self, from: Data(result.output.utf8))
        }

        @Test("a sweep's worker computes with it; another run finds the same numbers")
        func sweep() throws {
            var numbers: [[String]] = []
            for _ in 0..<2 {
                let folder = try TemporaryFolder()
                try TinySweep.write(TinySweep.firstStage(epochs: 2), to: folder)
                let result = try Program.run(
                    ["launch", "tiny.yaml", "--engine", "torch", "--slots", "1"], in: folder)
                try #require(result.status == 0, "\(result.errors)")
                numbers.append(try Collected.read(onlyRun(in: folder), in: folder).numbers)
            }
            #expect(numbers[0].count == 9 && numbers[0] == numbers[1])
        }

        @Test("its model file has the same accuracy on every engine")
        func model() throws {
            let folder = try TemporaryFolder()
            let recorded = try run(Self.experiment("torch", 1), in: folder).cycles[0].correct
            for engine in ["torch", "onednn", "openblas"] {
                let result = try Program.run(
                    [
                        "evaluate", "out/fashionmnist-random-seed3.safetensors", "--dataset",
                        "fashionmnist", "--test-limit", "300", "--engine", engine,
                        "--output-mode", "quiet",
                    ], in: folder)
                let correct = try #require(
                    result.output.split(separator: "/").first.flatMap { Int($0) },
                    "\(result.errors)")
                // Two logits of an image may be equal but for rounding.
                #expect(abs(correct - recorded) <= (engine == "torch" ? 0 : 1))
            }
        }

        @Test(
            "a checkpoint moves to another engine where that is asked for, and the trial says so",
            arguments: [("onednn", "torch"), ("torch", "onednn")])
        func move(first: String, second: String) throws {
            let folder = try TemporaryFolder()
            // Stopped after its first cycle, as far as the checkpoint knows.
            let program = try Program.start(Self.experiment(first, 3), in: folder)
            try program.waitForFile(
                folder.path + "/out/fashionmnist-random-seed3.checkpoint.safetensors")
            program.signal(SIGTERM)
            _ = program.result()
            let moved = try run(Self.experiment(second, 3) + ["--switch-engine"], in: folder)
            #expect(moved.cycles.count == 3)
            let mark = try #require(moved.engineSwitches)
            #expect(mark.count == 1 && mark[0].engine == first && (1...3).contains(mark[0].cycle))
            let model = try #require(
                FileManager.default.contents(
                    atPath: folder.path + "/out/fashionmnist-random-seed3.safetensors"))
            let head = String(decoding: model.prefix(20_000), as: UTF8.self)
            #expect(head.contains("\(first) float32 to cycle \(mark[0].cycle), \(second) float32"))
        }

        @Test("a benchmark measures both kinds of work, beside the device's peak")
        func benchmark() throws {
            struct Figures: Decodable {
                var imagesPerSecond: Double
                var shareOfPeak: Double
                var device: String
                var profile: [String: Double]
            }
            let folder = try TemporaryFolder()
            for work in ["train", "score"] {
                let result = try Program.run(
                    [
                        "bench", work, "--engine", "torch", "--width", "4", "--batch", "16",
                        "--processes", "2", "--seconds", "0.2", "--json",
                    ], in: folder)
                try #require(result.status == 0, "\(result.errors)")
                let decoder = JSONDecoder()
                decoder.keyDecodingStrategy = .convertFromSnakeCase
                let figures = try decoder.decode(Figures.self, from: Data(result.output.utf8))
                #expect(figures.imagesPerSecond > 0 && (0...2).contains(figures.shareOfPeak))
                #expect(!figures.device.isEmpty && figures.profile.isEmpty)
            }
        }
    }
}
