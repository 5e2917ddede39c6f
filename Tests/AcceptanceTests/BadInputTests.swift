import Foundation
import Testing

extension Acceptance {
    /// What a hurried user does, and what the program answers.
    @Suite struct BadInputTests {
        private func expectFailure(
            _ arguments: [String], _ folder: borrowing TemporaryFolder, status: Int32 = 1,
            _ texts: String...
        ) throws {
            let result = try Program.run(arguments, in: folder)
            #expect(result.status == status, "\(arguments): \(result.errors)")
            for text in texts {
                #expect(result.errors.contains(text), "'\(text)' is not in: \(result.errors)")
            }
        }

        @Test("a sweep file's mistakes are told with line and nearest word")
        func sweepFile() throws {
            let folder = try TemporaryFolder()
            try expectFailure(
                ["launch", "none.yaml"], folder, "none.yaml cannot be read", "hint: ")
            try TinySweep.text().replacing("fashionmnist", with: "fashionmist")
                .write(toFile: folder.path + "/a.yaml", atomically: true, encoding: .utf8)
            try expectFailure(
                ["launch", "a.yaml"], folder,
                "error: a.yaml:15:", "unknown dataset 'fashionmist' (did you mean 'fashionmnist'?)")
            try expectFailure(["plan", "a.yaml"], folder, "a.yaml:15:")
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/runs"))
        }

        @Test("a missing or damaged dataset is told before anything starts")
        func datasets() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            try expectFailure(
                ["launch", "tiny.yaml", "--data", folder.path], folder, "error: ", folder.path,
                "hint: ")
            let source = "/usr/share/datasets/fashion-mnist"
            for name in try FileManager.default.contentsOfDirectory(atPath: source) {
                let data = FileManager.default.contents(atPath: "\(source)/\(name)")!
                let part = name.hasPrefix("train-images") ? data.prefix(100_000) : data
                try part.write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
            }
            try expectFailure(
                ["launch", "tiny.yaml", "--data", folder.path], folder, "error: ",
                "train-images-idx3-ubyte.gz", "hint: ")
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/runs"))
        }

        @Test("wrong options are told with the value, and exit with 2")
        func options() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            try expectFailure(["launch"], folder, status: 2, "sweep")
            try expectFailure(
                ["launch", "tiny.yaml", "--slots", "-1"], folder, status: 2, "--slots")
            try expectFailure(["collect", "--format", "xml"], folder, status: 2, "xml")
            try expectFailure(["worker"], folder, status: 2, "--connect")
            try expectFailure(
                ["experiment", "--dataset", "mnist", "--strategy", "random"], folder, status: 2,
                "unknown dataset 'mnist'")
            try expectFailure(
                ["experiment", "--dataset", "fashionmnist", "--strategy", "dqn"], folder, status: 2,
                "strategy 'dqn' needs its gradient steps", "add --gradient-steps 100")
            try expectFailure(
                ["lunch", "tiny.yaml"], folder, status: 2, "'lunch' is not a command",
                "did you mean `alsweep launch`?")
            let help = try Program.run(["--help"], in: folder)
            #expect(help.status == 0 && help.output.contains("launch"))
            let version = try Program.run(["--version"], in: folder)
            #expect(version.status == 0 && version.output.hasPrefix("0."))
        }

        @Test("a folder that cannot be made is named with the system's reason")
        func unusableFolders() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            try "".write(toFile: folder.path + "/file", atomically: true, encoding: .utf8)
            for arguments in [
                ["keys", "new", "file/keys"], ["launch", "tiny.yaml", "--runs", "file/runs"],
                [
                    "experiment", "--dataset", "fashionmnist", "--strategy", "random", "--output",
                    "file/here",
                ],
            ] {
                try expectFailure(
                    arguments, folder, "the folder file/", "cannot be made: Not a directory",
                    "hint: ")
            }
        }

        @Test("a place where no run is, or none answers, is named")
        func noRun() throws {
            let folder = try TemporaryFolder()
            try expectFailure(["collect"], folder, "there is no run in runs", "alsweep launch")
            try expectFailure(["collect", "nowhere"], folder, "nowhere is not a run's folder")
            try expectFailure(
                ["worker", "--connect", "tcp://127.0.0.1:9", "--connect-timeout", "1"], folder,
                "no coordinator answered at tcp://127.0.0.1:9 within 1 s", "hint: ")
            try expectFailure(
                ["worker", "--connect", "head:5555"], folder, "hint: ", "tcp://head:5555")
            try FileManager.default.createDirectory(
                atPath: folder.path + "/runs/x", withIntermediateDirectories: true)
            try Data("not a database, but as long as one must be to be looked at".utf8)
                .write(to: URL(fileURLWithPath: folder.path + "/runs/x/journal.sqlite"))
            try expectFailure(["collect", "runs/x"], folder, "not a journal of alsweep", "hint: ")
        }

        @Test("a port that is taken, and a run in use, are told; a public address needs keys")
        func taken() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let first = try Program.start(["launch", "tiny.yaml", "--slots", "0"], in: folder)
            try first.waitForErrors(containing: "More workers can join")
            let run = try onlyRun(in: folder)
            try expectFailure(["launch", run], folder, "\(run) is in use by process", "hint: ")
            let endpoint = try String(
                contentsOfFile: "\(folder.path)/\(run)/endpoint", encoding: .utf8
            )
            .trimmingCharacters(in: .whitespacesAndNewlines)
            try expectFailure(
                ["launch", "tiny.yaml", "--runs", "other", "--bind", endpoint], folder,
                "cannot listen on \(endpoint): the address is in use", "hint: ")
            first.signal(SIGINT)
            #expect(first.result().status == 75)
        }

        @Test("a run whose sweep file was changed is not resumed")
        func changedSweep() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            #expect(try Program.run(["launch", "tiny.yaml"], in: folder).status == 0)
            let run = try onlyRun(in: folder)
            try TinySweep.text(epochs: 3).write(
                toFile: "\(folder.path)/\(run)/sweep.yaml", atomically: true, encoding: .utf8)
            try expectFailure(
                ["launch", run], folder, "was changed since", "its protocol is another one",
                "hint: ")
            // Of a file of the user's own it is a new run, and told why.
            try TinySweep.write(to: folder, epochs: 3)
            let plan = try Program.run(["plan", "tiny.yaml"], in: folder)
            #expect(plan.output.contains("8 trials, 0 done, 8 to do"))
            let reason =
                "A new run, for \(run) does not go on with this file: its protocol is another"
            #expect(plan.errors.contains(reason), "\(plan.errors)")
        }

        @Test("a run keeps the threads that it began with")
        func otherThreads() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(TinySweep.firstStage(epochs: 1), to: folder)
            let arguments = ["launch", "tiny.yaml", "--threads", "2", "--slots", "1"]
            #expect(try Program.run(arguments, in: folder).status == 0)
            let run = try onlyRun(in: folder)
            try expectFailure(
                ["launch", run, "--threads", "1"], folder, "with 2 threads here, and keeps to that",
                "hint: ")
            #expect(try Program.run(["launch", run], in: folder).status == 0)
            #expect(try Program.run(["launch", "tiny.yaml"], in: folder).status == 0)
            #expect(try onlyRun(in: folder) == run)
        }

        @Test("beyond loopback the worker started here has the keys")
        func keysHere() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let result = try Program.run(
                ["launch", "tiny.yaml", "--bind", "tcp://*:*"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("keys/client.cert"))
        }

        @Test("beyond loopback keys are made, and a worker without them is refused")
        func keys() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let launched = try Program.start(
                ["launch", "tiny.yaml", "--slots", "0", "--bind", "tcp://*:*"], in: folder)
            try launched.waitForErrors(containing: "More workers can join")
            let run = try onlyRun(in: folder)
            let endpoint = try String(
                contentsOfFile: "\(folder.path)/\(run)/endpoint", encoding: .utf8
            )
            .trimmingCharacters(in: .whitespacesAndNewlines)
            let port = endpoint.split(separator: ":").last!
            let address = "tcp://127.0.0.1:\(port)"
            let certificate = "\(folder.path)/\(run)/keys/client.cert"
            let attributes = try FileManager.default.attributesOfItem(atPath: certificate)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            try expectFailure(
                ["worker", "--connect", address, "--connect-timeout", "5"], folder, "refused at",
                address)
            let worker = try Program.start(
                ["worker", "--connect", address, "--certificate", certificate], in: folder)
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(worker.result().status == 0)
        }
    }
}
