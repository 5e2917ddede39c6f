import Foundation
import Testing

private struct Status: Decodable {
    struct Trial: Decodable {
        var trial: String
        var state: String
    }

    var paused: Bool
    var drained: [String]
    var trials: [Trial]

    static func read(_ run: String, in folder: borrowing TemporaryFolder) throws -> Status {
        let result = try Program.run(["status", run, "--output-mode", "json"], in: folder)
        try #require(result.status == 0, "\(result.errors)")
        return try JSONDecoder().decode(Status.self, from: Data(result.output.utf8))
    }
}

extension Acceptance {
    /// Commands to a coordinator at work, and to a run without one.
    @Suite struct ControlTests {
        @Test(
            "a run is paused, a trial cancelled, the run resumed, the trial tried again: nothing is lost"
        )
        func commands() throws {
            let folder = try TemporaryFolder()
            let laterStage = """
                  - name: other-seed
                    datasets: [fashionmnist]
                    seeds: [7]
                    strategies:
                      - dqn: {gradient_steps: {best_of: steps}}
                """
            try TinySweep.write(TinySweep.firstStage(epochs: 8) + laterStage, to: folder)
            let launched = try Program.start(["launch", "tiny.yaml"], in: folder)
            try launched.waitForErrors(containing: "cycle 1/3")
            let run = try onlyRun(in: folder)

            let pause = try Program.run(["pause", run, "--now"], in: folder)
            #expect(pause.status == 0 && pause.output.contains("taken back"), "\(pause.errors)")
            let paused = try Status.read(run, in: folder)
            #expect(paused.paused && paused.trials.allSatisfy { $0.state != "running" })
            let again = try Program.run(["pause", run], in: folder)
            #expect(again.status == 1 && again.errors.contains("hint: `alsweep resume`"))

            let waiting = try #require(paused.trials.last { $0.state == "pending" }).trial
            let typo = try Program.run(["cancel", run, "--trial", waiting + "x"], in: folder)
            #expect(typo.status == 1 && typo.errors.contains("did you mean '\(waiting)'?"))
            let cancel = try Program.run(["cancel", run, "--trial", waiting], in: folder)
            #expect(cancel.status == 0 && cancel.output.contains("1 trial cancelled"))
            let resume = try Program.run(["resume", run], in: folder)
            #expect(resume.status == 0, "\(resume.errors)")
            let result = launched.result()
            #expect(result.status == 0 && result.errors.contains("1 trial was cancelled"))
            #expect(result.errors.contains("stage other-seed of Fashion-MNIST was not started"))
            let plan = try Program.run(["plan", "tiny.yaml"], in: folder)
            #expect(
                plan.output.contains(
                    "4 trials, 2 done, 1 cancelled, 1 blocked; nothing is left to do"),
                "\(plan.output)")
            #expect(plan.errors.contains("hint: alsweep retry \(run)"))

            // Now without a coordinator.
            let late = try Program.run(["cancel", run], in: folder)
            #expect(
                late.status == 1 && late.errors.contains("no trial of the run can be cancelled"))
            let retry = try Program.run(["retry", run, "--cancelled"], in: folder)
            #expect(retry.status == 0 && retry.errors.contains("Next: alsweep launch \(run)"))
            let resumed = try Program.run(["launch", run], in: folder)
            #expect(resumed.status == 0, "\(resumed.errors)")
            let undisturbed = try Program.run(
                ["launch", "tiny.yaml", "--runs", "other"], in: folder)
            #expect(undisturbed.status == 0)
            let name = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/other")[
                0]
            let expected = try Collected.read("other/\(name)", in: folder)
            #expect(try Collected.read(run, in: folder).numbers == expected.numbers)
        }

        @Test("a drained worker gives back what it runs and leaves, and another goes on with it")
        func drainedWorker() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(TinySweep.firstStage(epochs: 8), to: folder)
            let launched = try Program.start(["launch", "tiny.yaml", "--slots", "0"], in: folder)
            try launched.waitForErrors(containing: "More workers can join")
            let run = try onlyRun(in: folder)
            func worker(_ name: String) throws -> Program.Running {
                try Program.start(
                    ["worker", "--connect", run, "--slots", "1", "--identifier", name], in: folder)
            }
            let first = try worker("first")
            try launched.waitForErrors(containing: "cycle 1/3")
            let unknown = try Program.run(["drain", "frist", run], in: folder)
            #expect(
                unknown.status == 1 && unknown.errors.contains("did you mean 'first'?"),
                "\(unknown.errors)")
            let drain = try Program.run(["drain", "first", run, "--now"], in: folder)
            #expect(
                drain.status == 0 && drain.output.contains("1 trial taken back"), "\(drain.errors)")
            let left = first.result()
            #expect(left.status == 0 && left.errors.contains("Drained"), "\(left.errors)")
            let status = try Status.read(run, in: folder)
            #expect(status.drained == ["first"])
            #expect(status.trials.allSatisfy { $0.state == "pending" })
            let late = try Program.run(
                ["prioritize", run, "--priority", "-3", "--trial", status.trials[0].trial],
                in: folder)
            #expect(late.status == 0 && late.output.contains("1 trial of priority -3"))
            let second = try worker("second")
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(second.result().status == 0, "\(second.errors)")
            let trials = try Collected.read(run, in: folder).trials
            #expect(trials.map(\.attempts).sorted() == [1, 1, 2])
        }
    }
}
