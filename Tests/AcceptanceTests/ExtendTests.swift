import Foundation
import Testing

extension Acceptance {
    @Suite struct ExtendTests {
        @Test("a finished sweep takes more seeds, runs only those, and aggregates all")
        func extend() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let launched = try Program.run(["launch", "tiny.yaml"], in: folder)
            #expect(launched.status == 0, "\(launched.errors)")
            let run = try onlyRun(in: folder)
            let before = try Collected.read(run, in: folder)
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
