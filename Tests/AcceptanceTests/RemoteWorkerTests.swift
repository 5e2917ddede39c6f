import Foundation
import Testing

extension Acceptance {
    /// Workers that do not see the run's folder.
    @Suite struct RemoteWorkerTests {
        private func launch(
            _ folder: borrowing TemporaryFolder, epochs: Int, _ more: [String] = []
        ) throws -> (launched: Program.Running, endpoint: String, run: String) {
            try TinySweep.write(TinySweep.firstStage(epochs: epochs), to: folder)
            let launched = try Program.start(
                ["launch", "tiny.yaml", "--slots", "0", "--lease", "4"] + more, in: folder)
            try launched.waitForErrors(containing: "More workers can join")
            let run = try onlyRun(in: folder)
            let endpoint = try String(
                contentsOfFile: "\(folder.path)/\(run)/endpoint", encoding: .utf8
            ).trimmingCharacters(in: .whitespacesAndNewlines)
            return (launched, endpoint, run)
        }

        private func worker(
            _ endpoint: String, scratch: String, in folder: borrowing TemporaryFolder,
            _ more: [String] = []
        ) throws -> Program.Running {
            try Program.start(
                [
                    "worker", "--connect", endpoint, "--separate", "--scratch", scratch, "--slots",
                    "1",
                ] + more, in: folder)
        }

        @Test(
            "kill -9 of a worker elsewhere: another goes on from its last cycle, with the same numbers"
        )
        func movedTrial() throws {
            let folder = try TemporaryFolder()
            let (launched, endpoint, run) = try launch(folder, epochs: 40)
            let first = try worker(endpoint, scratch: "first", in: folder)
            try first.waitForErrors(containing: "cycle 2 ")
            try launched.waitForErrors(containing: "cycle 2/3")
            first.signal(SIGKILL)
            _ = first.result()
            let second = try worker(endpoint, scratch: "second", in: folder)
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(second.result().status == 0)
            let moved = try Collected.read(run, in: folder)
            let trial = try #require(moved.trials.first { $0.attempts > 1 })
            #expect(trial.cycles.map(\.attempt) == [1, 1, 2])
            let name = URL(fileURLWithPath: run).lastPathComponent
            #expect(
                hasGoneOn(trial.id, attempt: 2, logs: "\(folder.path)/second/\(name)/logs"))

            // Nothing of it was shared by the file system, and everything is where it belongs.
            for trial in moved.trials {
                for kind in ["models", "checkpoints"] {
                    let path = "\(folder.path)/\(run)/\(kind)/\(trial.id).safetensors"
                    #expect(FileManager.default.fileExists(atPath: path), "\(path)")
                }
            }
            #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/\(run)/incoming"))

            let alone = try Program.run(["launch", "tiny.yaml", "--runs", "other"], in: folder)
            #expect(alone.status == 0, "\(alone.errors)")
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/other")
            let undisturbed = try Collected.read("other/\(names[0])", in: folder)
            #expect(moved.numbers == undisturbed.numbers)
            for trial in moved.trials {
                let path = "models/\(trial.id).safetensors"
                #expect(
                    FileManager.default.contents(atPath: "\(folder.path)/\(run)/\(path)")
                        == FileManager.default.contents(
                            atPath: "\(folder.path)/other/\(names[0])/\(path)"))
            }
        }

        @Test("a worker without the dataset gets it from the coordinator, verified")
        func datasetFromCoordinator() throws {
            let folder = try TemporaryFolder()
            let (launched, endpoint, run) = try launch(folder, epochs: 2)
            let lacking = try worker(
                endpoint, scratch: "own", in: folder, ["--data", "fetched"])
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(lacking.result().errors.contains("Fetching Fashion-MNIST"))
            let verified = try Program.run(["data", "verify", "--data", "fetched"], in: folder)
            #expect(verified.status == 0 && verified.output.contains("is what was published"))
            let left = try FileManager.default.contentsOfDirectory(
                atPath: folder.path + "/fetched")
            #expect(left == ["fashion-mnist"])
            let collected = try Collected.read(run, in: folder)
            #expect(collected.trials.allSatisfy { $0.state == "done" && $0.attempts == 1 })
        }

        @Test("beyond loopback files go encrypted, and the coordinator's death delays them only")
        func encryptedAcrossRestart() throws {
            let folder = try TemporaryFolder()
            let port = try freePort()
            let bind = ["--bind", "tcp://0.0.0.0:\(port)"]
            let (launched, _, run) = try launch(folder, epochs: 20, bind)
            let remote = try worker(
                "tcp://127.0.0.1:\(port)", scratch: "own", in: folder,
                ["--certificate", "\(folder.path)/\(run)/keys/client.cert"])
            try launched.waitForErrors(containing: "cycle 1/3")
            launched.signal(SIGKILL)
            _ = launched.result()
            let resumed = try Program.run(
                ["launch", "tiny.yaml", "--slots", "0", "--lease", "20"] + bind, in: folder)
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(remote.result().status == 0)
            let collected = try Collected.read(run, in: folder)
            #expect(collected.trials.allSatisfy { $0.state == "done" })
            for trial in collected.trials {
                let path = "\(folder.path)/\(run)/models/\(trial.id).safetensors"
                #expect(FileManager.default.fileExists(atPath: path), "\(path)")
            }
        }
    }
}
