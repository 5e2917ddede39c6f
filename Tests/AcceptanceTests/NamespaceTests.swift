import Foundation
import Testing

extension Acceptance {
    /// Machines with a network between them. Where there can be none they are skipped, and say so.
    @Suite(
        .enabled(
            if: LoopbackSSH.isAvailable && NamespaceNetwork.isAvailable,
            "SKIPPED: no broken network is tested here; that needs root, iproute2 and openssh-server"
        )
    ) struct NamespaceTests {
        private static let names = ["node1", "node2"]

        /// How long the link is down: shorter than the leases, which are 90 s and 90 s of suspicion.
        private static let cutSeconds =
            ProcessInfo.processInfo.environment["ALSWEEP_CUT_SECONDS"].flatMap(Double.init) ?? 12

        @Test("a machine that was cut off goes on by itself, and the numbers are a local run's")
        func cutAndRestored() throws {
            let folder = try TemporaryFolder()
            let far = folder.path + "/far"
            defer {
                for worker in processes(holding: "--spawned-for\0\(far)") { kill(worker, SIGKILL) }
            }
            let runs = folder.path + "/runs"
            try FileManager.default.createDirectory(
                atPath: runs, withIntermediateDirectories: true)
            let network = try NamespaceNetwork(nodeCount: Self.names.count)
            let servers = try Self.names.enumerated().map { index, name in
                let path = "\(folder.path)/\(name)"
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true)
                return try LoopbackSSH(
                    in: path, names: [name], address: network.address(ofNode: index),
                    place: network.entry(toNode: index, named: name, hiding: runs))
            }
            try TinySweep.write(TinySweep.firstStage(epochs: 36), to: folder)
            try writeCluster(network, servers, in: folder)
            let launch = try Program.start(
                ["launch", "tiny.yaml", "--cluster", "lab.yaml"], in: folder,
                place: network.headEntry)
            // Cut off at once: its trial ends in seconds.
            try launch.waitForErrors(containing: "  \(Self.names[1])\n")
            try network.setLink(ofNode: 1, isUp: false)
            #expect(try !network.reaches(node: 1, port: servers[1].port))
            let cycles = cyclesShown(launch, of: "node2")
            try #require(cycles < 3, "node2 is at work on its first trial")
            // It holds a trial whose numbers nobody else has.
            #expect(!wait(upToSeconds: Self.cutSeconds) { launch.hasEnded }, "\(launch.errors)")
            #expect(cyclesShown(launch, of: "node2") == cycles, "nothing came through")
            try network.setLink(ofNode: 1, isUp: true)
            #expect(
                wait(upToSeconds: 30) {
                    (try? network.reaches(node: 1, port: servers[1].port)) == true
                })

            let result = launch.result()
            #expect(result.status == 0, "\(result.errors)")
            let collected = try Collected.read(try onlyRun(in: folder), in: folder)
            #expect(collected.trials.allSatisfy { $0.state == "done" && $0.attempts == 1 })
            #expect(Set(collected.trials.flatMap(\.cycles).map(\.host)) == Set(Self.names))
            let local = try Program.run(["launch", "tiny.yaml", "--runs", "here"], in: folder)
            try #require(local.status == 0, "\(local.errors)")
            let here = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/here")
            let expected = try Collected.read("here/\(here[0])", in: folder)
            #expect(collected.numbers == expected.numbers)
            #expect(processes(holding: far) == [], "a worker was left there")
        }

        /// The keys go with it: the coordinator listens beyond loopback.
        private func writeCluster(
            _ network: NamespaceNetwork, _ servers: [LoopbackSSH],
            in folder: borrowing TemporaryFolder
        ) throws {
            let path = folder.path
            let groups = zip(Self.names, servers).map { name, server in
                """
                  - ssh:
                      hosts: [\(name)]
                      config: \(server.configPath)
                      binary: copy
                      slots: 1
                      scratch: \(path)/far/\(name)
                      environment: {XDG_CACHE_HOME: \(path)/cache}
                """
            }
            try """
            bind: tcp://*:*
            host: \(network.headAddress)
            workers:
            \(groups.joined(separator: "\n"))
            """.write(toFile: path + "/lab.yaml", atomically: true, encoding: .utf8)
        }

        private func cyclesShown(_ launch: Program.Running, of host: String) -> Int {
            launch.errors.split(separator: "\n").count {
                $0.contains("  cycle ") && $0.hasSuffix("  \(host)")
            }
        }
    }
}
