import Foundation
import TestServer
import Testing

extension Acceptance {
    /// `alsweep data` against a server of this machine.
    @Suite struct DataTests {
        private static let names = [
            "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ]

        /// Fashion-MNIST as published: Debian's package has it without the name and the time in the
        /// gzip header (RFC 1952). The times are those with which the published MD5s come out.
        private static func publishedFile(_ index: Int) throws -> [UInt8] {
            let name = names[index]
            let path = "/usr/share/datasets/fashion-mnist/\(name).gz"
            let packaged = try #require(FileManager.default.contents(atPath: path))
            let time: UInt32 = index < 2 ? 1_504_176_606 : 1_504_176_627
            var bytes: [UInt8] = [0x1f, 0x8b, 8, 8]
            withUnsafeBytes(of: time.littleEndian) { bytes += $0 }
            return bytes + [0, 3] + Array(name.utf8) + [0] + packaged.dropFirst(10)
        }

        private func serve(_ server: TestServer, stallingAt stall: Int? = nil) throws {
            for (index, name) in Self.names.enumerated() {
                var file = TestServer.File(try Self.publishedFile(index))
                if index == 0 { file.stallsAfter = stall }
                server.serve(file, as: "/fashion/\(name).gz")
            }
        }

        private func waitForPart(_ path: String, byteCount: Int) {
            let hasArrived = wait(upToSeconds: 60) {
                let attributes = try? FileManager.default.attributesOfItem(atPath: path)
                return (attributes?[.size] as? NSNumber)?.intValue == byteCount
            }
            #expect(hasArrived)
        }

        @Test("a fetch that was killed, and stopped with Ctrl-C, goes on; its files are verified")
        func fetch() throws {
            let folder = try TemporaryFolder()
            let server = TestServer()
            let command = [
                "data", "fetch", "fashionmnist", "--data", "d", "--mirror",
                server.address + "fashion",
            ]
            let part = folder.path + "/d/downloads/\(Self.names[0]).gz.part"

            try serve(server, stallingAt: 10_000_000)
            let killed = try Program.start(command, in: folder)
            waitForPart(part, byteCount: 10_000_000)
            killed.signal(SIGKILL)
            _ = killed.result()

            try serve(server, stallingAt: 5_000_000)
            let stopped = try Program.start(command, in: folder)
            waitForPart(part, byteCount: 15_000_000)
            stopped.signal(SIGINT)
            let stop = stopped.result()
            #expect(stop.status == 75)
            #expect(stop.errors.contains("of which 10.0 MB are here"))
            #expect(stop.errors.contains("the same command goes on"))
            let listed = try Program.run(["data", "list", "--data", "d"], in: folder)
            #expect(listed.output.contains("fashionmnist  missing"))

            try serve(server)
            let done = try Program.run(command, in: folder)
            #expect(done.status == 0, "\(done.errors)")
            #expect(done.output == "Fashion-MNIST is here: d/fashion-mnist\n")
            #expect(
                server.requests.map(\.rangeStart)
                    == [nil, 10_000_000, 15_000_000, nil, nil, nil])

            let again = try Program.run(command, in: folder)
            #expect(again.output == "Fashion-MNIST is here already: d/fashion-mnist\n")
            #expect(server.requests.count == 6)
            let verified = try Program.run(["data", "verify", "--data", "d"], in: folder)
            #expect(verified.status == 0 && verified.output.contains("is what was published"))
            try mendDamage(folder, command)
        }

        private func mendDamage(
            _ folder: borrowing TemporaryFolder, _ command: [String]
        ) throws {
            let path = folder.path + "/d/fashion-mnist/\(Self.names[1]).gz"
            var bytes = try [UInt8](#require(FileManager.default.contents(atPath: path)))
            bytes[bytes.count / 2] ^= 1
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let damaged = try Program.run(["data", "verify", "--data", "d"], in: folder)
            #expect(damaged.status == 1)
            #expect(damaged.errors.contains(Self.names[1]) && damaged.errors.contains("hint: "))
            #expect(try Program.run(command, in: folder).status == 0)
            #expect(try Program.run(["data", "verify", "--data", "d"], in: folder).status == 0)
            try tellHiddenCopy(folder, command, damaged: bytes)
        }

        /// A damaged copy in a place that comes first would be read in place of the right one.
        private func tellHiddenCopy(
            _ folder: borrowing TemporaryFolder, _ command: [String], damaged: [UInt8]
        ) throws {
            let paths = Self.names.map { "\(folder.path)/d/\($0).gz" }
            for (name, path) in zip(Self.names, paths) {
                try FileManager.default.copyItem(
                    atPath: "\(folder.path)/d/fashion-mnist/\(name).gz", toPath: path)
            }
            try Data(damaged).write(to: URL(fileURLWithPath: paths[1]))
            let hidden = try Program.run(command, in: folder)
            #expect(hidden.status == 1)
            #expect(hidden.errors.contains("what is in d comes before what was fetched"))
            #expect(hidden.errors.contains("hint: remove the files of Fashion-MNIST from d\n"))
            for path in paths { try FileManager.default.removeItem(atPath: path) }
            // Nothing waits for a pipe of that name.
            try #require(mkfifo(paths[0], 0o600) == 0)
            #expect(try Program.run(["data", "verify", "--data", "d"], in: folder).status == 0)
        }

        @Test(
            "another archive under CIFAR's name is refused with both lengths, and nothing is kept")
        func otherArchive() throws {
            let folder = try TemporaryFolder()
            let server = TestServer()
            server.serve(
                TestServer.File([UInt8](repeating: 7, count: 5_000)), as: "/cifar-10-binary.tar.gz")
            let result = try Program.run(
                ["data", "fetch", "cifar10", "--data", "d", "--mirror", server.address], in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains("5000 bytes, and the published file has 170052171"))
            #expect(result.errors.contains("hint: "))
            let missing = try Program.run(
                ["data", "fetch", "cifar100", "--data", "d", "--mirror", server.address],
                in: folder)
            #expect(missing.status == 1 && missing.errors.contains("status 404"))
            // A copied archive that is not the published one is not read either.
            try Data([1, 2, 3]).write(
                to: URL(fileURLWithPath: folder.path + "/d/cifar-10-binary.tar.gz"))
            let verified = try Program.run(
                ["data", "verify", "cifar10", "--data", "d"], in: folder)
            #expect(verified.status == 1)
            #expect(verified.errors.contains("3 bytes; the published file has 170052171"))
        }

        @Test("list says where it looked and how to get what is missing, and answers in JSON")
        func list() throws {
            let folder = try TemporaryFolder()
            let result = try Program.run(["data", "list", "--data", "empty"], in: folder)
            #expect(result.status == 0)
            #expect(result.output.contains("Looked for in empty."))
            #expect(
                result.errors.contains("cifar10: alsweep data fetch cifar10; without a network"))
            #expect(result.errors.contains("cifar-100-binary.tar.gz"))
            let json = try Program.run(["data", "list", "--output-mode", "json"], in: folder)
            let value = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
            let datasets = try #require((value as? [String: Any])?["datasets"] as? [[String: Any]])
            #expect(
                datasets.map { $0["dataset"] as? String } == [
                    "cifar10", "cifar100", "fashionmnist",
                ])
            let none = try Program.run(["data", "verify", "--data", "empty"], in: folder)
            #expect(none.status == 1 && none.errors.contains("no dataset is in empty"))
        }

        @Test("wrong names and mirrors are told, and exit with 2")
        func wrongUse() throws {
            let folder = try TemporaryFolder()
            let name = try Program.run(["data", "fetch", "cifar1O"], in: folder)
            #expect(name.status == 2 && name.errors.contains("cifar1O"))
            #expect(name.errors.contains("cifar100"))
            let mirror = try Program.run(
                ["data", "fetch", "cifar10", "--mirror", "ftp://a"], in: folder)
            #expect(mirror.status == 2 && mirror.errors.contains("ftp://a"))
        }

        @Test(
            "a sweep whose coordinator and only worker lack the dataset says so, and goes on with one that has it"
        )
        func workerWithoutData() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let launched = try Program.start(
                ["launch", "tiny.yaml", "--slots", "0", "--data", "none"], in: folder)
            try launched.waitForErrors(containing: "More workers can join")
            let run = try onlyRun(in: folder)
            let lacking = try Program.start(
                ["worker", "--connect", run, "--slots", "1", "--data", "empty"], in: folder)
            try launched.waitForErrors(containing: "warning: no worker has Fashion-MNIST")
            #expect(launched.errors.contains("hint: run `alsweep data fetch fashionmnist`"))
            let worker = try Program.start(
                ["worker", "--connect", run, "--slots", "2"], in: folder)
            #expect(launched.result().status == 0)
            #expect(worker.result().status == 0)
            #expect(lacking.result().status == 0)
        }
    }
}
