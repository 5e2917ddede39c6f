import Foundation
import SweepModel
import Testing
import Transport

@testable import Launchers

@Suite struct ClusterFileTests {
    private let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func parse(_ text: String) throws(SweepFileError) -> Cluster {
        try ClusterFile.parse(text, name: "lab.yaml")
    }

    @Test("all kinds of groups stand in one file")
    func severalGroups() throws {
        let cluster = try parse(
            """
            bind: tcp://*:5555
            host: head.example.org
            workers:
              - local: {slots: 4}
              - ssh:
                  hosts: [gpu1, "ana@gpu2:2222", {host: gpu3, user: bo, port: 22, slots: 16}]
                  binary: copy
                  environment: {A: "1", B: two words}
              - slurm: {partition: cpu, time: "2:00:00", memory: 8G, cpus: 4, jobs: 3, slots: 4}
            """)
        #expect(cluster.bind?.description == "tcp://*:5555" && cluster.host == "head.example.org")
        #expect(cluster.local?.slots == 4)
        let ssh = try #require(cluster.ssh.first)
        #expect(ssh.hosts.map(\.label) == ["gpu1", "ana@gpu2:2222", "bo@gpu3:22"])
        #expect(ssh.hosts.map(\.slots) == [nil, nil, 16])
        #expect(ssh.setup.program == .copied)
        #expect(ssh.setup.assignments == "A=1 B='two words' ")
        let slurm = try #require(cluster.slurm.first)
        #expect(slurm.time == "2:00:00" && slurm.memory == "8G" && slurm.jobLimit == 3)
        #expect(!cluster.isLocal)
    }

    @Test("a group's name alone stands for its defaults")
    func defaults() throws {
        let cluster = try parse("workers: [local, slurm]")
        #expect(cluster.local == WorkerSetup() && cluster.slurm == [SlurmGroup()])
    }

    @Test(
        "a mistake is told with its place and the nearest word",
        arguments: [
            (
                "workers:\n  - slurn: {}",
                "lab.yaml:2:5: unknown kind of workers 'slurn' (did you mean 'slurm'?)"
            ),
            (
                "workers:\n  - ssh: {host: [a]}",
                "lab.yaml:2:11: unknown key 'host' (did you mean 'hosts'?)"
            ),
            (
                "workers:\n  - ssh: {hosts: []}",
                "lab.yaml:2:18: hosts is empty: there would be no worker"
            ),
            ("workers:\n  - ssh: {hosts: [a, a]}", "lab.yaml:2:5: host 'a' is listed twice"),
            (
                "workers:\n  - ssh: {hosts: [-oProxyCommand=x]}",
                "the host '-oProxyCommand=x' is not a machine's name"
            ),
            ("workers:\n  - ssh: {hosts: [\"a:99999\"]}", "'a:99999' has no port from 1 to 65535"),
            ("workers:\n  - local\n  - local", "lab.yaml:3:5: there are two local groups"),
            (
                "workers:\n  - slurm: {time: soon}",
                "lab.yaml:2:19: time is 'soon'; write it as in 2:00:00"
            ),
            ("workers:\n  - slurm: {memory: 8 GB}", "memory is '8 GB'; write it as in 8G"),
            ("workers:\n  - slurm: {binary: copy}", "a slurm group copies no program"),
            ("workers:\n  - slurm: {options: [--array=3]}", "--array is alsweep's own option"),
            (
                "workers:\n  - slurm: {options: [exclusive]}",
                "'exclusive' is not an option of sbatch"
            ),
            ("workers:\n  - slurm: {partition: \"a; rm\"}", "partition is 'a; rm'"),
            (
                "workers:\n  - local: {slots: 0}",
                "slots is '0'; it is a whole number from 1 to 1024"
            ),
            ("bind: here\nworkers: [local]", "lab.yaml:1:7:"),
            (
                "workers:\n  - ssh: {hosts: [a], environment: {1A: x}}",
                "'1A' is not the name of a variable"
            ),
            ("workers: [local", "is not valid YAML"),
            ("", "lab.yaml: is empty"),
        ])
    func mistakes(text: String, message: String) {
        let error = #expect(throws: SweepFileError.self) { try parse(text) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }

    @Test(
        "the examples are valid",
        arguments: ["local", "ssh.example", "slurm.example", "kubernetes.example"])
    func examples(name: String) throws {
        let path = repository.appendingPathComponent("cluster/\(name).yaml")
        let text = try String(contentsOf: path, encoding: .utf8)
        #expect(text.hasPrefix("# "))
        let cluster = try ClusterFile.parse(text, name: name)
        #expect(cluster.isLocal == (name == "local"))
    }
}
