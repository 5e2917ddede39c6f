import ChildProcess
import Foundation
import Testing

extension Acceptance {
    /// What `collect` and `journal` do with files; the numbers are the tests' of Reporting.
    @Suite struct CollectTests {
        /// Two finished runs of made-up numbers, `one` and `two`.
        private func makeRuns(in folder: borrowing TemporaryFolder) throws {
            for (name, trials) in [("one", "36"), ("two", "18")] {
                let made = try Program.run(
                    [
                        "bench", "collect", "--trials", trials, "--cycles", "3", "--picks", "4",
                        "--repetitions", "1", "--keep", name, "--json",
                    ], in: folder)
                #expect(made.status == 0, "\(made.errors)")
                let figures = try JSONSerialization.jsonObject(with: Data(made.output.utf8))
                #expect((figures as? [String: Any])?["trials"] as? Int == Int(trials))
            }
        }

        @Test("figures are written as SVG, and as PNG where a converter is found")
        func figures() throws {
            let folder = try TemporaryFolder()
            try makeRuns(in: folder)
            let converter = folder.path + "/bin/rsvg-convert"
            try FileManager.default.createDirectory(
                atPath: folder.path + "/bin", withIntermediateDirectories: true)
            // Called as: --zoom 2 --output PNG SVG.
            try "#!/bin/sh\n/usr/bin/head -c 4 \"$5\" > \"$4\"\n".write(
                toFile: converter, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: converter)
            let with = try Program.run(
                ["collect", "one", "--figures", "with"], in: folder,
                environment: ["PATH=\(folder.path)/bin"])
            #expect(with.status == 0)
            let png = folder.path + "/with/accuracy-time-seeds.png"
            #expect(FileManager.default.contents(atPath: png) == Data("<svg".utf8))
            let without = try Program.run(
                ["collect", "one", "--figures", "without"], in: folder,
                environment: ["PATH=/nonexistent"])
            #expect(without.status == 0 && without.errors.contains("SVG only"))
            let names = try FileManager.default.contentsOfDirectory(
                atPath: folder.path + "/without")
            #expect(!names.isEmpty && names.allSatisfy { $0.hasSuffix(".svg") })
            try "#!/bin/sh\necho out of ink >&2\nexit 1\n".write(
                toFile: converter, atomically: false, encoding: .utf8)
            let failing = try Program.run(
                ["collect", "one", "--figures", "failing"], in: folder,
                environment: ["PATH=\(folder.path)/bin"])
            #expect(failing.status == 0 && failing.errors.contains("out of ink"))
        }

        @Test("results that a full disk does not take are an error", arguments: ["table", "csv"])
        func fullDisk(format: String) throws {
            let folder = try TemporaryFolder()
            try makeRuns(in: folder)
            let command = "\(Program.path) collect one --format \(format) >/dev/full 2>errors"
            let shell = try ChildProcess(
                program: "/usr/bin/env", arguments: ["-C", folder.path, "sh", "-c", command])
            #expect(shell.wait() == .exited(1))
            let errors = try String(contentsOfFile: folder.path + "/errors", encoding: .utf8)
            #expect(errors.contains("standard output cannot be written"))
        }

        @Test("several runs are collected together, the same bytes each time")
        func severalRuns() throws {
            let folder = try TemporaryFolder()
            try makeRuns(in: folder)
            // The seeds of the second run are the first one's: its trials are the same ones.
            let both = try Program.run(["collect", "one", "two"], in: folder)
            #expect(both.status == 0)
            #expect(both.output.contains("36 of 36 trials complete"))
            #expect(try Program.run(["collect", "one", "two"], in: folder).output == both.output)
        }

        @Test("a damaged journal is named with its record, and repaired to what is before it")
        func damagedJournal() throws {
            let folder = try TemporaryFolder()
            try makeRuns(in: folder)
            let sound = try Program.run(["journal", "check", "one"], in: folder)
            #expect(sound.status == 0 && sound.output.contains("218 records, all sound"))
            let path = folder.path + "/two/journal.sqlite"
            var bytes = try #require(FileManager.default.contents(atPath: path))
            let digest = try #require(
                bytes.range(of: Data("labelled_digest\":\"".utf8), options: .backwards))
            bytes[digest.upperBound + 20] ^= 1
            try bytes.write(to: URL(fileURLWithPath: path))
            let check = try Program.run(["journal", "check", "two"], in: folder)
            #expect(check.status == 1)
            #expect(check.errors.contains("is damaged at record"))
            #expect(check.errors.contains("alsweep journal repair"))
            #expect(try Program.run(["collect", "two"], in: folder).status == 1)
            let export = try Program.run(["journal", "export", "two"], in: folder)
            #expect(export.status == 1 && export.output.contains("\"kind\":\"trial_added\""))
            let repair = try Program.run(["journal", "repair", "two"], in: folder)
            #expect(repair.status == 0 && repair.output.contains("journal.sqlite.damaged"))
            #expect(try Program.run(["journal", "check", "two"], in: folder).status == 0)
            #expect(try Program.run(["collect", "two"], in: folder).status == 0)
        }
    }
}
