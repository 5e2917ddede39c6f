import Foundation
import Testing

extension Acceptance {
    /// Disks that give back something else than was written.
    @Suite struct DamageTests {
        @Test("a run whose journal cannot be read is told, and not passed over")
        func damagedJournal() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(TinySweep.firstStage(epochs: 1), to: folder)
            #expect(try Program.run(["launch", "tiny.yaml"], in: folder).status == 0)
            let run = try onlyRun(in: folder)
            let journal = try #require(
                FileHandle(forUpdatingAtPath: "\(folder.path)/\(run)/journal.sqlite"))
            try journal.write(contentsOf: Data(repeating: 7, count: 200))
            try journal.close()
            for command in ["plan", "launch"] {
                let result = try Program.run([command, "tiny.yaml"], in: folder)
                #expect(result.status == 1 && result.errors.contains("\(run)/journal.sqlite"))
                #expect(result.errors.contains("hint: "), "\(result.errors)")
            }
            #expect(try onlyRun(in: folder) == run)
        }

        @Test("a damaged checkpoint costs one cycle, and the numbers are those of a whole run")
        func damagedCheckpoint() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(TinySweep.firstStage(epochs: 40), to: folder)
            let first = try Program.start(["launch", "tiny.yaml", "--slots", "1"], in: folder)
            try first.waitForErrors(containing: "cycle 2/3")
            first.signal(SIGINT)
            #expect(first.result().status == 75)
            let run = try onlyRun(in: folder)
            let checkpoints = "\(folder.path)/\(run)/checkpoints"
            let names = try FileManager.default.contentsOfDirectory(atPath: checkpoints)
            let earlier = try #require(names.first { $0.hasSuffix(".before") })
            let path = "\(checkpoints)/\(earlier.dropLast(".before".count))"
            let handle = try #require(FileHandle(forUpdatingAtPath: path))
            try handle.seek(toOffset: 20_000)
            let byte = try #require(try handle.read(upToCount: 1)?.first)
            try handle.seek(toOffset: 20_000)
            try handle.write(contentsOf: [byte ^ 0x10])
            try handle.close()

            let second = try Program.run(["launch", "tiny.yaml", "--slots", "1"], in: folder)
            #expect(second.status == 0, "\(second.errors)")
            let logs = try FileManager.default.contentsOfDirectory(
                atPath: "\(folder.path)/\(run)/logs"
            ).map {
                try String(contentsOfFile: "\(folder.path)/\(run)/logs/\($0)", encoding: .utf8)
            }
            #expect(logs.contains { $0.contains("warning: going on after cycle 1: ") }, "\(logs)")
            let damaged = try Collected.read(run, in: folder)
            let alone = try Program.run(["launch", "tiny.yaml", "--runs", "other"], in: folder)
            #expect(alone.status == 0)
            let other = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/other")
            #expect(
                damaged.numbers == (try Collected.read("other/\(other[0])", in: folder)).numbers)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: checkpoints).filter {
                    $0.hasSuffix(".before")
                }.isEmpty, "of finished trials one is enough")
        }
    }
}
