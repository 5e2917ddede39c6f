import ChildProcess
import Foundation
import Testing

extension Acceptance {
    /// Real processes on real data, one after the other.
    @Suite struct SweepTests {
        @Test("one command runs a sweep to its tables, and a second run finds the same numbers")
        func sweepFromOneCommand() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let launched = try Program.run(["launch", "tiny.yaml"], in: folder)
            #expect(launched.status == 0, "\(launched.errors)")
            #expect(launched.output.contains("5/5"))
            let run = try onlyRun(in: folder)
            let collected = try Collected.read(run, in: folder)
            checkInvariants(collected)

            for trial in collected.trials {
                let model = "\(folder.path)/\(run)/models/\(trial.id).safetensors"
                #expect(FileManager.default.fileExists(atPath: model))
                let log = try String(
                    contentsOfFile: "\(folder.path)/\(run)/logs/\(trial.id).1.log", encoding: .utf8)
                #expect(log.contains("cycle 3: epoch 2/2, training loss "))
            }
            // A finished sweep is not run again.
            let again = try Program.run(["launch", "tiny.yaml"], in: folder)
            #expect(again.status == 0 && again.output == launched.output)
            #expect(try onlyRun(in: folder) == run)

            // The first stage has the same seed in every run.
            let second = try Program.run(["launch", "tiny.yaml", "--runs", "other"], in: folder)
            #expect(second.status == 0)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/other")
            let other = try Collected.read("other/\(names[0])", in: folder)
            #expect(Array(other.numbers.prefix(9)) == Array(collected.numbers.prefix(9)))
            try checkFormats(run, folder, table: launched.output)
        }

        private func checkInvariants(_ collected: Collected) {
            #expect(collected.schema == 1)
            #expect(collected.trials.count == 8)
            for trial in collected.trials {
                #expect(trial.state == "done" && trial.attempts == 1)
                #expect(trial.cycles.map(\.cycle) == [1, 2, 3])
                #expect(trial.cycles.map(\.labelled) == [40, 80, 120])
                for cycle in trial.cycles { #expect(cycle.total == 200 && cycle.attempt == 1) }
            }
            let first = collected.trials.filter { !$0.timeSeeded }
            #expect(
                Set(first.map(\.cycles[0].weightsDigest)).count == 1, "cycle 1 is the same for all")
            let dqn = first.filter { $0.strategy == "dqn" }
            #expect(
                Set(dqn.map(\.cycles[1].weightsDigest)).count == 1,
                "cycle 2 is the same for all steps")
            let timed = collected.trials.filter(\.timeSeeded)
            let seeds = timed.map(\.seed)
            #expect(seeds == (0..<5).map { seeds[0] + $0 }, "five consecutive seconds")
            #expect(Set(timed.map(\.gradientSteps)).count == 1)
        }

        private func checkFormats(
            _ run: String, _ folder: borrowing TemporaryFolder, table: String
        ) throws {
            let shown = try Program.run(["collect", run], in: folder)
            #expect(shown.output == table)
            let csv = try Program.run(["collect", run, "--format", "csv"], in: folder)
            #expect(csv.output.split(separator: "\n").count == 1 + 8 * 3)
            let markdown = try Program.run(["collect", run, "--format", "markdown"], in: folder)
            #expect(markdown.output.contains("| "))
            let status = try Program.run(["status", run], in: folder)
            #expect(status.output.contains("8 done"))
        }

        @Test("Ctrl-C keeps everything, and the same command goes on with the same seeds")
        func interruptAndResume() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder, epochs: 4)
            let place = ["--data", "/usr/share/datasets"]
            let first = try Program.start(["launch", "--new", "tiny.yaml"] + place, in: folder)
            try first.waitForErrors(containing: "cycle 3/3")
            first.signal(SIGINT)
            let stopped = first.result()
            #expect(stopped.status == 75, "\(stopped.errors)")
            let run = try onlyRun(in: folder)
            #expect(
                stopped.errors.contains(
                    "Go on with: alsweep launch \(run) --data /usr/share/datasets\n"))
            #expect(processes(holding: folder.path + "/" + run).isEmpty, "no orphan stays")
            let before = try Collected.read(run, in: folder)

            let resumed = try Program.run(["launch", "tiny.yaml"], in: folder)
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(resumed.errors.contains("Resuming"))
            let after = try Collected.read(run, in: folder)
            #expect(Set(after.numbers).isSuperset(of: before.numbers))
            for trial in before.trials where trial.state == "done" {
                #expect(after.trials.first { $0.id == trial.id }?.attempts == trial.attempts)
            }
            try expectUndisturbed(after, folder, epochs: 4)
        }

        @Test("kill -9 of the coordinator loses nothing: its worker goes on and is adopted")
        func killedCoordinator() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder, epochs: 4)
            let first = try Program.start(["launch", "tiny.yaml"], in: folder)
            try first.waitForErrors(containing: "cycle 1/3")
            first.signal(SIGKILL)
            _ = first.result()
            let run = try onlyRun(in: folder)
            #expect(!processes(holding: folder.path + "/" + run).isEmpty, "the worker goes on")

            let resumed = try Program.run(["launch", "tiny.yaml"], in: folder)
            #expect(resumed.status == 0, "\(resumed.errors)")
            let after = try Collected.read(run, in: folder)
            // Adopted, not repeated.
            #expect(after.trials.allSatisfy { $0.attempts == 1 }, "\(after.trials.map(\.attempts))")
            #expect(processes(holding: folder.path + "/" + run).isEmpty)
            try expectUndisturbed(after, folder, epochs: 4)
        }

        @Test(
            "kill -9 of the worker: its trials go on from their last cycle, with the same numbers")
        func killedWorker() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder, epochs: 4)
            let launched = try Program.start(["launch", "tiny.yaml"], in: folder)
            try launched.waitForErrors(containing: "cycle 1/3")
            let run = try onlyRun(in: folder)
            let workers = processes(holding: folder.path + "/" + run).filter {
                $0 != launched.identifier
            }
            #expect(workers.count == 1)
            for worker in workers { kill(worker, SIGKILL) }
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("was killed by signal 9"))
            let after = try Collected.read(run, in: folder)
            let moved = after.trials.filter { $0.attempts > 1 }
            #expect(
                moved.contains { trial in
                    hasGoneOn(trial.id, attempt: 2, logs: "\(folder.path)/\(run)/logs")
                }, "of \(moved.map(\.id))")
            try expectUndisturbed(after, folder, epochs: 4)
        }

        @Test("kill -9 of both: the next launch goes on at once, without waiting for leases")
        func killedBoth() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder, epochs: 4)
            let first = try Program.start(["launch", "tiny.yaml"], in: folder)
            try first.waitForErrors(containing: "cycle 1/3")
            let run = try onlyRun(in: folder)
            for process in processes(holding: folder.path + "/" + run) { kill(process, SIGKILL) }
            first.signal(SIGKILL)
            _ = first.result()
            let start = Date()
            let resumed = try Program.run(["launch", "tiny.yaml"], in: folder)
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(-start.timeIntervalSinceNow < 150, "it waited for a lease and the grace, 180 s")
            try expectUndisturbed(try Collected.read(run, in: folder), folder, epochs: 4)
        }

        @Test("a coordinator that comes back elsewhere is found by the worker that went on")
        func movedCoordinator() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder, epochs: 4)
            let first = try Program.start(["launch", "tiny.yaml"], in: folder)
            try first.waitForErrors(containing: "cycle 1/3")
            first.signal(SIGKILL)
            _ = first.result()
            let resumed = try Program.run(
                ["launch", "tiny.yaml", "--bind", "tcp://127.0.0.1:*"], in: folder)
            #expect(resumed.status == 0, "\(resumed.errors)")
            let after = try Collected.read(try onlyRun(in: folder), in: folder)
            #expect(after.trials.allSatisfy { $0.attempts == 1 })
            try expectUndisturbed(after, folder, epochs: 4)
        }

        @Test("a launch whose output nobody reads goes on")
        func closedOutput() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let command = "\(Program.path) launch tiny.yaml 2>/dev/full >tables"
            let shell = try ChildProcess(
                program: "/usr/bin/env", arguments: ["-C", folder.path, "sh", "-c", command])
            #expect(shell.wait() == .exited(0))
            let tables = try String(contentsOfFile: folder.path + "/tables", encoding: .utf8)
            #expect(tables.contains("5/5"))
        }

        @Test("what is said after the tables stands behind them, also in one file")
        func oneFile() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let command = "\(Program.path) launch tiny.yaml >both 2>&1"
            let shell = try ChildProcess(
                program: "/usr/bin/env", arguments: ["-C", folder.path, "sh", "-c", command])
            #expect(shell.wait() == .exited(0))
            let text = try String(contentsOfFile: folder.path + "/both", encoding: .utf8)
            #expect(text.contains("5/5"))
            #expect(text.hasSuffix("alsweep launch SWEEP --new\n"), "\(text)")
        }

        @Test("workers started by hand join at the start and in the middle, and take trials")
        func workersByHand() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder, epochs: 4)
            let launched = try Program.start(["launch", "tiny.yaml", "--slots", "0"], in: folder)
            try launched.waitForErrors(containing: "More workers can join")
            let run = try onlyRun(in: folder)
            let first = try Program.start(["worker", "--connect", run, "--slots", "1"], in: folder)
            try launched.waitForErrors(containing: "cycle 1/3")
            let endpoint = try String(
                contentsOfFile: "\(folder.path)/\(run)/endpoint", encoding: .utf8
            ).trimmingCharacters(in: .whitespacesAndNewlines)
            let second = try Program.start(
                ["worker", "--connect", endpoint, "--slots", "1"], in: folder)
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            for worker in [first, second] {
                let ended = worker.result()
                #expect(ended.status == 0, "\(ended.errors)")
                #expect(ended.errors.contains("cycle 3"), "it ran trials: \(ended.errors)")
                #expect(ended.errors.contains("The sweep is finished."))
            }
            try expectUndisturbed(try Collected.read(run, in: folder), folder, epochs: 4)
        }

        /// Only root may mount a small disk; without it the test is skipped, and the run says so.
        private static let mayMount = geteuid() == 0

        @Test(
            "a full disk stops acceptance, is told with the remedy, and the sweep goes on after",
            .enabled(if: mayMount, "needs root to mount a small disk"))
        func fullDisk() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder, epochs: 4)
            let runs = folder.path + "/runs"
            try FileManager.default.createDirectory(
                atPath: runs, withIntermediateDirectories: true)
            try #require(mount("tmpfs", runs, "tmpfs", 0, "size=16m") == 0)
            defer { umount2(runs, Int32(MNT_DETACH)) }

            let launched = try Program.start(["launch", "tiny.yaml"], in: folder)
            try launched.waitForErrors(containing: "cycle 1/3")
            let filler = runs + "/filler"
            try Data().write(to: URL(fileURLWithPath: filler))
            let handle = try #require(FileHandle(forWritingAtPath: filler))
            let block = Data(repeating: 1, count: 4_096)
            while (try? handle.write(contentsOf: block)) != nil {}
            try launched.waitForErrors(containing: "no space is left for")
            try launched.waitForErrors(containing: "hint: free some space")
            try FileManager.default.removeItem(atPath: filler)
            try? handle.close()
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("The journal can be written again"))
            let names = try FileManager.default.contentsOfDirectory(atPath: runs)
            try expectUndisturbed(
                try Collected.read("runs/\(names[0])", in: folder), folder, epochs: 4)
        }

        /// The numbers of every trial are those of `alsweep experiment`, which knows no coordinator.
        private func expectUndisturbed(
            _ collected: Collected, _ folder: borrowing TemporaryFolder, epochs: Int
        ) throws {
            #expect(collected.trials.allSatisfy { $0.state == "done" && $0.cycles.count == 3 })
            for trial in [collected.trials[1], collected.trials[7]] {
                let alone = try Program.run(
                    [
                        "experiment", "--dataset", "fashionmnist", "--strategy", "dqn",
                        "--gradient-steps", "\(trial.gradientSteps!)", "--seed", "\(trial.seed)",
                        "--epochs", "\(epochs)", "--width", "4", "--batch-size", "20",
                        "--learning-rate", "0.05", "--cycles", "3", "--initial", "40", "--addendum",
                        "40",
                        "--pool-limit", "300", "--test-limit", "200", "--threads", "1",
                        "--output-mode", "json",
                    ], in: folder)
                #expect(alone.status == 0, "\(alone.errors)")
                for cycle in trial.cycles {
                    #expect(
                        alone.output.contains(cycle.weightsDigest),
                        "\(trial.id) cycle \(cycle.cycle)")
                }
            }
        }
    }
}
