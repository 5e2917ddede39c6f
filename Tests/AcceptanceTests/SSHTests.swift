import Foundation
import Testing

extension Acceptance {
    /// Workers that come up through a real sshd. Without one they are skipped, and say so.
    @Suite(
        .enabled(
            if: LoopbackSSH.isAvailable,
            "SKIPPED: workers by ssh are not tested here; apt-get install openssh-server")
    ) struct SSHTests {
        private func writeCluster(
            _ server: LoopbackSSH, bind: String, hosts: String, in folder: borrowing TemporaryFolder
        ) throws {
            try """
            bind: \(bind)
            host: 127.0.0.1
            workers:
              - ssh:
                  hosts: [\(hosts)]
                  config: \(server.configPath)
                  binary: copy
                  slots: 1
                  scratch: \(folder.path)/far
                  environment: {XDG_CACHE_HOME: \(folder.path)/cache}
            """.write(toFile: folder.path + "/lab.yaml", atomically: true, encoding: .utf8)
        }

        private func localNumbers(_ folder: borrowing TemporaryFolder) throws -> [String] {
            let result = try Program.run(["launch", "tiny.yaml", "--runs", "here"], in: folder)
            try #require(result.status == 0, "\(result.errors)")
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/here")
            return try Collected.read("here/\(names[0])", in: folder).numbers
        }

        @Test(
            "two machines reached by ssh find the numbers of a local run, and nothing is left there"
        )
        func sweepBySSH() throws {
            let folder = try TemporaryFolder()
            let server = try LoopbackSSH(in: folder.path)
            try TinySweep.write(TinySweep.firstStage(epochs: 2), to: folder)
            // Beyond loopback there are keys, and the client's is copied.
            try writeCluster(server, bind: "tcp://*:*", hosts: "node1, node2", in: folder)
            let launch = try Program.start(
                ["launch", "tiny.yaml", "--cluster", "lab.yaml"], in: folder)
            try launch.waitForErrors(containing: "joined with 1 slot")
            let keys = files(named: "client.cert", under: folder.path + "/far")
            #expect(!keys.isEmpty)
            for key in keys { #expect(try permissions(key) == 0o600) }
            let result = launch.result()
            #expect(result.status == 0, "\(result.errors)")
            // The sweep is so short that one machine may do it all before the other is ready.
            #expect(result.errors.contains("node1: copying the program"))
            #expect(result.errors.contains("node2: copying the program"))
            #expect(result.errors.contains(": started a worker"))
            let run = try onlyRun(in: folder)
            let collected = try Collected.read(run, in: folder)
            #expect(collected.trials.allSatisfy { $0.state == "done" })
            #expect(collected.numbers == (try localNumbers(folder)))
            #expect(processes(holding: folder.path + "/far") == [], "a worker was left there")
            #expect(files(named: "client.cert", under: folder.path + "/far") == [])
        }

        @Test("a worker outlives its connection and its coordinator, and the next one finds it")
        func workerLivesOn() throws {
            let folder = try TemporaryFolder()
            let server = try LoopbackSSH(in: folder.path)
            try TinySweep.write(TinySweep.firstStage(epochs: 12), to: folder)
            try writeCluster(server, bind: "tcp://127.0.0.1:*", hosts: "node1", in: folder)
            let first = try Program.start(
                ["launch", "tiny.yaml", "--cluster", "lab.yaml"], in: folder)
            try first.waitForErrors(containing: "cycle 1/3")
            let workers = processes(holding: "--spawned-for\0\(folder.path)/far")
            #expect(workers.count == 1)
            server.stop()
            #expect(processes(holding: "--spawned-for\0\(folder.path)/far") == workers)
            first.signal(SIGKILL)
            _ = first.result()
            #expect(processes(holding: "--spawned-for\0\(folder.path)/far") == workers)
            try server.restart()
            let second = try Program.run(
                ["launch", "tiny.yaml", "--cluster", "lab.yaml"], in: folder)
            #expect(second.status == 0, "\(second.errors)")
            #expect(second.errors.contains("found its worker at work"))
            #expect(!second.errors.contains("started a worker"))
            let collected = try Collected.read(try onlyRun(in: folder), in: folder)
            #expect(collected.trials.allSatisfy { $0.state == "done" && $0.attempts == 1 })
            #expect(processes(holding: folder.path + "/far") == [])
        }

        private func files(named name: String, under folder: String) -> [String] {
            let paths = FileManager.default.enumerator(atPath: folder)
            return (paths?.compactMap { $0 as? String } ?? [])
                .filter { $0.hasSuffix("/" + name) }.map { folder + "/" + $0 }
        }

        private func permissions(_ path: String) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
        }
    }
}
