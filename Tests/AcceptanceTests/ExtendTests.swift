import Foundation
import Testing

extension Acceptance {
    @Suite struct ExtendTests {
        /// The tiny sweep, launched to its end, and what it found.
        private func finishedRun(
            in folder: borrowing TemporaryFolder
        ) throws -> (run: String, found: Collected) {
            try TinySweep.write(to: folder)
            let launched = try Program.run(["launch", "tiny.yaml"], in: folder)
            #expect(launched.status == 0, "\(launched.errors)")
            let run = try onlyRun(in: folder)
            return (run, try Collected.read(run, in: folder))
        }

        @Test("a finished sweep takes more seeds, runs only those, and aggregates all")
        func extend() throws {
            let folder = try TemporaryFolder()
            let (run, before) = try finishedRun(in: folder)
            let plan = try Program.run(["plan", "tiny.yaml"], in: folder)
            #expect(plan.output.contains("8 trials, 8 done; nothing is left to do"))

            let extended = try Program.run(["extend", run, "--seeds", "2"], in: folder)
            #expect(extended.status == 0, "\(extended.errors)")
            #expect(extended.output.split(separator: "\n").count == 2)
            let resumed = try Program.run(["launch", run], in: folder)
            #expect(resumed.status == 0 && resumed.output.contains("7/7"), "\(resumed.errors)")
            let after = try Collected.read(run, in: folder)
            #expect(after.trials.count == before.trials.count + 2)
            // Nothing was run twice: the old trials have their cycles from their first attempts.
            for (old, new) in zip(before.trials, after.trials) {
                #expect(old.id == new.id && old.cycles == new.cycles)
            }
            let again = try Program.run(["plan", "tiny.yaml"], in: folder)
            #expect(again.output.contains("10 trials, 10 done; nothing is left to do"))
        }

        @Test(
            "a strategy added to the file of a finished sweep trains only what is new, also when killed"
        )
        func addedStrategy() throws {
            let folder = try TemporaryFolder()
            let (run, before) = try finishedRun(in: folder)

            let text = TinySweep.text()
                .replacing("- random\n", with: "- random\n      - margin\n")
                .replacing("steps}}", with: "steps}}\n      - random")
            try TinySweep.write(text, to: folder)
            let plan = try Program.run(["plan", "tiny.yaml"], in: folder)
            #expect(plan.output.contains("14 trials, 8 done, 6 to do"), "\(plan.output)")
            #expect(plan.output.contains("  fashionmnist-margin-seed0  new\n"))

            let killed = try Program.start(["launch", "tiny.yaml", "--slots", "1"], in: folder)
            try killed.waitForErrors(containing: "cycle 1/3")
            killed.signal(SIGKILL)
            _ = killed.result()
            let resumed = try Program.run(["launch", "tiny.yaml", "--slots", "1"], in: folder)
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try onlyRun(in: folder) == run)

            let after = try Collected.read(run, in: folder)
            #expect(after.trials.count == 14)
            for (old, new) in zip(before.trials, after.trials) {
                #expect(old.id == new.id && old.cycles == new.cycles && new.attempts == 1)
            }
            let added = after.trials.dropFirst(before.trials.count)
            #expect(Set(added.map(\.strategy)) == ["margin", "random"])
            // All strategies have the first network of a seed in common.
            #expect(added.allSatisfy { $0.state == "done" && $0.cycles[0].shared })
            #expect(added.allSatisfy { !$0.cycles[2].shared })
            let again = try Program.run(["plan", "tiny.yaml"], in: folder)
            #expect(again.output.contains("14 trials, 14 done; nothing is left to do"))
            let table = try Program.run(["collect", run], in: folder)
            #expect(table.output.contains("took their network from another trial"))
        }

        @Test("a trial that two stages list is planned once")
        func trialOfTwoStages() throws {
            let folder = try TemporaryFolder()
            let text =
                TinySweep.firstStage(epochs: 1) + """
                      - name: again
                        datasets: [fashionmnist]
                        seeds: [0, 1]
                        strategies: [random]

                    """
            try TinySweep.write(text, to: folder)
            let plan = try Program.run(["plan", "tiny.yaml"], in: folder)
            #expect(plan.output.contains("4 trials, 0 done, 4 to do"), "\(plan.output)")
            #expect(plan.output.contains("fashionmnist-random-seed0  the same as in steps"))
            #expect(plan.output.contains("image-steps"))
            #expect(try Program.run(["launch", "tiny.yaml"], in: folder).status == 0)
            for sweep in ["tiny.yaml", try onlyRun(in: folder)] {
                let done = try Program.run(["plan", sweep], in: folder)
                #expect(done.output.contains("4 trials, 4 done; nothing is left to do"))
            }
        }

        @Test("seeds that are not positive, and a run without seeds from the clock, are refused")
        func refusals() throws {
            let folder = try TemporaryFolder()
            let none = try Program.run(["extend", "nothing", "--seeds", "0"], in: folder)
            #expect(none.status == 2 && none.errors.contains("--seeds is 0"))
            let text = TinySweep.text().components(separatedBy: "  - name: times")[0]
            try text.write(
                toFile: folder.path + "/fixed.yaml", atomically: true, encoding: .utf8)
            #expect(try Program.run(["launch", "fixed.yaml"], in: folder).status == 0)
            let run = try onlyRun(in: folder)
            let refused = try Program.run(["extend", run, "--seeds", "1"], in: folder)
            #expect(refused.status == 1 && refused.errors.contains("no stage of the sweep"))
            #expect(refused.errors.contains("hint: "))
        }
    }
}
