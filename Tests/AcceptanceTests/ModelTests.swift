import Foundation
import Testing

extension Acceptance {
    @Suite("Model files and what computes them") struct ModelTests {
        private static let experiment = [
            "experiment", "--dataset", "fashionmnist", "--strategy", "random", "--seed", "3",
            "--width", "4", "--epochs", "2", "--cycles", "2", "--initial", "60", "--addendum", "40",
            "--pool-limit", "200", "--test-limit", "300", "--batch-size", "20",
            "--learning-rate", "0.05", "--output-mode", "json",
        ]

        private var decoder: JSONDecoder {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return decoder
        }

        private struct Experiment: Decodable {
            struct Cycle: Decodable, Hashable {
                var correct: Int
                var weightsDigest: String
            }
            var cycles: [Cycle]
        }

        private func run(
            _ output: String, _ options: [String] = [], in folder: borrowing TemporaryFolder
        ) throws -> [Experiment.Cycle] {
            let result = try Program.run(
                Self.experiment + ["--output", output] + options, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            return try decoder.decode(
                Experiment.self, from: Data(result.output.utf8)
            ).cycles
        }

        @Test(
            "other processes with the same threads find the same weights, bit for bit",
            arguments: ["onednn", "openblas"], ["1", "2"])
        func determinism(engine: String, threads: String) throws {
            let folder = try TemporaryFolder()
            let options = ["--engine", engine, "--threads", threads]
            let first = try run("first", options, in: folder)
            #expect(first.count == 2)
            #expect(try run("second", options, in: folder) == first)
        }

        @Test("the training loss is told of the first epoch, every tenth, and the last")
        func trainingLoss() throws {
            let folder = try TemporaryFolder()
            let told = try Program.run(
                Self.experiment + ["--epochs", "12", "--cycles", "1"], in: folder)
            #expect(told.status == 0, "\(told.errors)")
            let lines = told.errors.matches(of: /cycle 1: epoch (\d+)\/12, training loss (.+)\n/)
            #expect(lines.map(\.1) == ["1", "10", "12"])
            let final = try #require(
                told.output.firstMatch(of: /"train_loss" : ([0-9.e-]+)/).flatMap { Double($0.1) })
            #expect(lines.last.map { String($0.2) } == String(format: "%.4f", final))
        }

        @Test(
            "another trial in the same folder is refused, and what is there stays",
            arguments: [["--width", "5"], ["--engine", "openblas"], ["--cycles", "3"]])
        func otherTrial(options: [String]) throws {
            let folder = try TemporaryFolder()
            _ = try run("out", in: folder)
            func files() throws -> [String: Data] {
                let names = try FileManager.default.contentsOfDirectory(
                    atPath: folder.path + "/out"
                ).filter { $0.hasSuffix(".safetensors") }
                return Dictionary(
                    uniqueKeysWithValues: names.map {
                        ($0, FileManager.default.contents(atPath: folder.path + "/out/" + $0)!)
                    })
            }
            let before = try files()
            #expect(before.count == 2)
            // Of an option that is given twice the last counts.
            let result = try Program.run(
                Self.experiment + ["--output", "out"] + options, in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains("is the checkpoint of another trial: "))
            #expect(result.errors.contains("hint: name another folder"))
            let isKept = try files() == before
            #expect(isKept)
        }

        @Test("a trial that goes on with other threads says that its numbers will differ")
        func otherThreads() throws {
            let folder = try TemporaryFolder()
            let experiment = Self.experiment + ["--epochs", "20", "--output", "out"]
            let program = try Program.start(experiment + ["--threads", "1"], in: folder)
            try program.waitForFile(
                folder.path + "/out/fashionmnist-random-seed3.checkpoint.safetensors")
            program.signal(SIGTERM)
            #expect(program.result().status == 75)
            let result = try Program.run(experiment + ["--threads", "2"], in: folder)
            #expect(result.status == 0)
            #expect(
                result.errors.contains(
                    "warning: the cycles up to 1 were computed on another platform"))
            #expect(result.errors.contains(": 1 and 1 threads there, 2 and 2 threads here"))
        }

        @Test("a model file evaluates to the accuracy that was recorded")
        func evaluate() throws {
            let folder = try TemporaryFolder()
            let recorded = try run("out", in: folder).last!.correct
            let name = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/out")
                .first { $0.hasSuffix(".safetensors") && !$0.contains("checkpoint") }!
            let arguments = [
                "evaluate", "out/\(name)", "--dataset", "fashionmnist", "--test-limit", "300",
            ]
            let result = try Program.run(
                arguments + ["--output-mode", "quiet", "--logits", "logits.safetensors"],
                in: folder)
            #expect(result.output == "\(recorded)/300\n", "\(result.errors)")
            let size =
                try FileManager.default.attributesOfItem(
                    atPath: folder.path + "/logits.safetensors")[.size] as! Int
            #expect(size > 300 * 10 * 4)

            let wrong = try Program.run(
                ["evaluate", "out/\(name)", "--dataset", "cifar100"], in: folder)
            #expect(wrong.status == 1 && wrong.errors.contains("tells 10 classes apart"))

            let path = "\(folder.path)/out/\(name)"
            let file = try #require(FileManager.default.contents(atPath: path))
            try file.dropLast(1_000).write(to: URL(fileURLWithPath: path))
            let cut = try Program.run(arguments, in: folder)
            #expect(cut.status == 1 && cut.errors.contains(name) && cut.errors.contains("hint: "))
            try Data("not a model".utf8).write(to: URL(fileURLWithPath: path))
            let foreign = try Program.run(arguments, in: folder)
            #expect(foreign.status == 1 && foreign.errors.contains("hint: "))
        }

        @Test("a model is evaluated in the precision of its training, unless told otherwise")
        func precision() throws {
            let folder = try TemporaryFolder()
            let environment = ["ALSWEEP_EMULATE_BFLOAT16=1"]
            let trained = try Program.run(
                Self.experiment + ["--precision", "bfloat16", "--output", "out"], in: folder,
                environment: environment)
            let recorded = try decoder.decode(Experiment.self, from: Data(trained.output.utf8))
            let name = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/out")
                .first { $0.hasSuffix(".safetensors") && !$0.contains("checkpoint") }!
            func evaluate(_ options: [String]) throws -> String {
                try Program.run(
                    ["evaluate", "out/\(name)", "--dataset", "fashionmnist"]
                        + ["--test-limit", "300"] + options, in: folder, environment: environment
                ).output
            }
            let output = try evaluate([])
            #expect(output.contains(" \(recorded.cycles.last!.correct)/300 correct"), "\(output)")
            #expect(output.hasSuffix("  bfloat16\n"), "\(output)")
            #expect(try evaluate(["--precision", "float32"]).hasSuffix("  float32\n"))
            // OpenBLAS has no other.
            #expect(try evaluate(["--engine", "openblas"]).hasSuffix("  float32\n"))
        }

        private struct Figures: Decodable {
            var precision: String
            var imagesPerSecond: Double
            var peakGflops: Double
            var peakMemoryBytes: Int
            var profile: [String: Double]
            var layers: [Layer]

            struct Layer: Decodable { var forwardMs: Double }
        }

        private func bench(
            _ arguments: [String], in folder: borrowing TemporaryFolder
        ) throws -> Figures {
            let result = try Program.run(
                ["bench"] + arguments + ["--seconds", "0.2", "--json"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            return try decoder.decode(Figures.self, from: Data(result.output.utf8))
        }

        @Test("a benchmark measures both kinds of work with both engines")
        func benchmark() throws {
            let folder = try TemporaryFolder()
            for work in ["train", "score"] {
                for engine in ["onednn", "openblas"] {
                    let figures = try bench(
                        [
                            work, "--engine", engine, "--width", "4", "--batch", "16",
                            "--processes", "2",
                        ],
                        in: folder)
                    #expect(figures.imagesPerSecond > 0 && figures.peakGflops > 0)
                    #expect(figures.peakMemoryBytes > 1 << 20)
                    #expect(abs(figures.profile.values.reduce(0, +) - 1) < 1e-6)
                    #expect(figures.layers.count == 20)
                    #expect(figures.layers.allSatisfy { $0.forwardMs > 0 })
                }
            }
        }

        @Test("200 epochs of full and short batches take no more memory than 50")
        func memory() throws {
            let folder = try TemporaryFolder()
            let program = try Program.start(
                [
                    "experiment", "--dataset", "fashionmnist", "--strategy", "random",
                    "--width", "4", "--epochs", "200", "--cycles", "1", "--initial", "45",
                    "--pool-limit", "100", "--test-limit", "150", "--batch-size", "20",
                    "--threads", "1",
                ], in: folder)
            var residents: [Int] = []
            while !program.hasEnded {
                let text = try? String(
                    contentsOfFile: "/proc/\(program.identifier)/statm", encoding: .utf8)
                let pages = text?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
                if let pages { residents.append(pages * 4_096) }
                usleep(5_000)
            }
            let result = program.result()
            #expect(result.status == 0, "\(result.errors)")
            try #require(residents.count >= 40)
            let early = residents.prefix(residents.count / 4 * 2).max()!
            let late = residents.suffix(residents.count / 4).max()!
            // Scoring the test images at the end takes a little.
            #expect(late - early < 16 << 20, "\(early) bytes early, \(late) late")
        }

        @Test("what precision auto became stands in the journal, and the run keeps to it")
        func automaticPrecision() throws {
            let folder = try TemporaryFolder()
            let fastest = try bench(
                ["train", "--width", "4", "--precision", "auto"], in: folder
            ).precision
            let other = fastest == "float32" ? "bfloat16" : "float32"
            let text = TinySweep.text().replacingOccurrences(
                of: "protocol:\n", with: "protocol:\n  precision: auto\n")
            try text.write(
                toFile: folder.path + "/tiny.yaml", atomically: true, encoding: .utf8)
            let launched = try Program.run(["launch", "tiny.yaml"], in: folder)
            #expect(launched.status == 0, "\(launched.errors)")
            #expect(launched.errors.contains("Precision: \(fastest), the fastest here"))
            let run = try onlyRun(in: folder)
            let collected = try Program.run(["collect", run, "--format", "json"], in: folder)
            #expect(collected.output.contains(#""precision":"\#(fastest)""#))
            #expect(!collected.output.contains(#""precision":"\#(other)""#))

            // The same precision by name is the same run; another one is refused for it.
            let same = try Program.run(["launch", run, "--precision", fastest], in: folder)
            #expect(same.status == 0, "\(same.errors)")
            let refused = try Program.run(["launch", run, "--precision", other], in: folder)
            #expect(refused.status == 1 && refused.errors.contains("keeps to that"))
        }
    }
}
