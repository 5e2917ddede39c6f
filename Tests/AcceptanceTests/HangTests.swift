import Foundation
import Testing

/// Stops a trial's process of the run, as a debugger would.
private func stopTrial(of run: String, in folder: borrowing TemporaryFolder) throws {
    let path = folder.path + "/" + run
    let worker = try #require(processes(holding: path).first { !children(of: $0).isEmpty })
    let trial = try #require(children(of: worker).first)
    try #require(kill(trial, SIGSTOP) == 0)
}

extension Acceptance {
    /// Processes that live and do nothing.
    @Suite struct HangTests {
        @Test("a trial's process that hangs is killed and tried again, with the same numbers")
        func hungTrial() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(TinySweep.firstStage(epochs: 8), to: folder)
            let launched = try Program.start(
                ["launch", "tiny.yaml", "--hang-timeout", "20"], in: folder)
            try launched.waitForErrors(containing: "cycle 1/3")
            let run = try onlyRun(in: folder)
            try stopTrial(of: run, in: folder)
            try launched.waitForErrors(containing: "failed (hung): its process did nothing for")
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            let collected = try Collected.read(run, in: folder)
            #expect(collected.trials.map(\.attempts).sorted() == [1, 1, 2])

            let quiet = try Program.run(["launch", "tiny.yaml", "--runs", "other"], in: folder)
            #expect(quiet.status == 0)
            let other = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/other")
            let expected = try Collected.read("other/\(other[0])", in: folder)
            #expect(collected.numbers == expected.numbers)
        }

        @Test("Ctrl-C ends also a trial's process that is stopped, and gives its trial back")
        func interruptedWhileStopped() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(TinySweep.firstStage(epochs: 40), to: folder)
            let launched = try Program.start(["launch", "tiny.yaml"], in: folder)
            try launched.waitForErrors(containing: "cycle 1/3")
            let run = try onlyRun(in: folder)
            try stopTrial(of: run, in: folder)
            launched.signal(SIGINT)
            let result = launched.result()
            #expect(result.status == 75, "\(result.errors)")
            let states = try Collected.read(run, in: folder).trials.map(\.state)
            #expect(!states.contains("running"), "given back, and not waited for: \(states)")
            #expect(processes(holding: folder.path + "/" + run).isEmpty)
        }
    }
}
