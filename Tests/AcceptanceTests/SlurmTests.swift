import Foundation
import Testing

extension Acceptance {
    /// Workers that are jobs of a real Slurm. Without one they are skipped, and say so.
    @Suite(
        .enabled(
            if: LoopbackSlurm.isAvailable,
            "SKIPPED: Slurm jobs are not tested here; apt-get install slurm-wlm munge")
    ) struct SlurmTests {
        @Test("a sweep by Slurm jobs, one cancelled and one requeued, finds a local run's numbers")
        func sweepBySlurm() throws {
            let folder = try TemporaryFolder()
            let slurm = try LoopbackSlurm(in: folder.path, processors: 4)
            try TinySweep.write(TinySweep.firstStage(epochs: 12), to: folder)
            try """
            bind: tcp://127.0.0.1:*
            workers:
              - slurm: {jobs: 2, slots: 1, partition: test, time: "30", binary: \(Program.path)}
            """.write(toFile: folder.path + "/lab.yaml", atomically: true, encoding: .utf8)
            let launch = try Program.start(
                ["launch", "tiny.yaml", "--cluster", "lab.yaml"], in: folder,
                environment: slurm.environment)
            try launch.waitForErrors(containing: "submitted 2 jobs")
            try launch.waitForErrors(containing: "cycle 1/3")
            var running: [String] = []
            try #require(
                wait(upToSeconds: 60) {
                    running = (try? slurm.jobs(in: "RUNNING")) ?? []
                    return running.count == 2
                })
            try slurm.ask("scancel", [running[0]])
            try slurm.ask("scontrol", ["requeue", running[1]])
            let result = launch.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("job \(running[1]) was requeued"), "\(result.errors)")
            #expect(try slurm.ask("squeue", ["-h"]) == "", "no job is left")

            let collected = try Collected.read(try onlyRun(in: folder), in: folder)
            #expect(collected.trials.allSatisfy { $0.state == "done" })
            let local = try Program.run(["launch", "tiny.yaml", "--runs", "here"], in: folder)
            try #require(local.status == 0)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/here")
            let expected = try Collected.read("here/\(names[0])", in: folder)
            #expect(collected.numbers == expected.numbers)
        }

        @Test("the doctor asks Slurm whether it would take the job")
        func doctor() throws {
            let folder = try TemporaryFolder()
            let slurm = try LoopbackSlurm(in: folder.path, processors: 4)
            try """
            host: 127.0.0.1
            workers:
              - slurm: {partition: test, slots: 2, time: "30", binary: \(Program.path)}
              - slurm: {partition: tset}
              - slurm: {partition: test, cpus: 4096}
            """.write(toFile: folder.path + "/lab.yaml", atomically: true, encoding: .utf8)
            let result = try Program.run(
                ["doctor", "--cluster", "lab.yaml", "--output-mode", "json"], in: folder,
                environment: slurm.environment)
            let found = try JSONDecoder().decode(
                DoctorFindings.self, from: Data(result.output.utf8))
            func states(_ machine: String, _ check: String) -> [String] {
                found.findings.filter { $0.machine == machine && $0.check == check }.map(\.state)
            }
            #expect(states("slurm test", "partition") == ["ok", "ok"], "\(result.output)")
            #expect(states("slurm test", "job") == ["ok", "failed"], "\(result.output)")
            #expect(states("slurm tset", "partition") == ["failed"], "\(result.output)")
            #expect(result.status == 1)
            #expect(try slurm.ask("squeue", ["-h"]) == "", "no job was submitted")
        }
    }
}
