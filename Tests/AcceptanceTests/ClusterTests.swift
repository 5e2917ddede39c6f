import Foundation
import Testing

/// What `doctor --output-mode json` says.
struct DoctorFindings: Decodable {
    struct Finding: Decodable {
        var machine: String
        var check: String
        var state: String
        var value: String
        var remedy: String?
    }

    var schema: Int
    var findings: [Finding]
}

extension Acceptance {
    @Suite struct ClusterTests {
        @Test("a dry run shows the scripts and makes nothing")
        func dryRun() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            try """
            bind: tcp://*:5555
            host: head.example.org
            workers:
              - local: {slots: 3}
              - ssh: {hosts: ["ana@gpu1:2222"], binary: /opt/alsweep}
              - slurm: {partition: cpu, time: "2:00:00"}
            """.write(toFile: folder.path + "/lab.yaml", atomically: true, encoding: .utf8)
            let result = try Program.run(
                ["launch", "tiny.yaml", "--cluster", "lab.yaml", "--dry-run"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            for text in [
                "alsweep worker --connect tcp://head.example.org:5555 --slots 3",
                "-p 2222 -T -- ana@gpu1", "#SBATCH --partition=cpu", "--signal=B:USR2@180",
            ] { #expect(result.output.contains(text), "\(text)") }
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/runs"))
        }

        @Test(
            "what is rendered for Kubernetes holds the sweep and the keys, and is not started here")
        func kubernetes() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            try "workers:\n  - kubernetes: {image: example.org/alsweep:0.1, workers: 4}".write(
                toFile: folder.path + "/lab.yaml", atomically: true, encoding: .utf8)
            let launch = ["launch", "tiny.yaml", "--cluster", "lab.yaml"]
            let started = try Program.run(launch, in: folder)
            #expect(started.status == 2)
            #expect(started.errors.contains("a sweep in Kubernetes is not started from here"))
            let keyless = try Program.run(launch + ["--dry-run"], in: folder)
            #expect(keyless.status == 1)
            #expect(keyless.errors.contains("coordinator and workers need keys"))
            #expect(try Program.run(["keys", "new", "keys"], in: folder).status == 0)
            let result = try Program.run(
                launch + ["--dry-run", "--certificate", "keys/server.cert"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let key = try String(contentsOfFile: folder.path + "/keys/server.cert", encoding: .utf8)
            for text in [
                "kind: Service", "completionMode: Indexed", "gradient_steps: [5, 10]",
                String(key.split(separator: "\n").last!),
            ] { #expect(result.output.contains(text), "\(text)") }
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/runs"))
        }

        @Test("auto is float32 where no worker runs, and says so")
        func automaticPrecision() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            let launch = try Program.start(
                ["launch", "tiny.yaml", "--slots", "0", "--precision", "auto"], in: folder)
            try launch.waitForErrors(containing: "alsweep worker --connect")
            launch.signal(SIGTERM)
            let result = launch.result()
            #expect(result.status == 75, "\(result.errors)")
            #expect(
                result.errors.contains("Precision: float32, which all machines compute in"),
                "\(result.errors)")
        }

        @Test("a mistake in a cluster file is told before anything runs")
        func mistake() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(to: folder)
            try "workers:\n  - shh: {hosts: [a]}".write(
                toFile: folder.path + "/lab.yaml", atomically: true, encoding: .utf8)
            let result = try Program.run(
                ["launch", "tiny.yaml", "--cluster", "lab.yaml"], in: folder)
            #expect(result.status == 1)
            #expect(
                result.errors.contains(
                    "error: lab.yaml:2:5: unknown kind of workers 'shh' (did you mean 'ssh'?)"))
            #expect(result.errors.contains("hint: possible: local, ssh, slurm, kubernetes"))
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/runs"))
        }

        @Test("the doctor says what is wrong here, and what to do")
        func doctor() throws {
            let folder = try TemporaryFolder()
            let well = try Program.run(["doctor", "--output-mode", "json"], in: folder)
            let found = try JSONDecoder().decode(DoctorFindings.self, from: Data(well.output.utf8))
            #expect(well.status == 0 && found.schema == 1, "\(well.output)")
            let states = Dictionary(
                found.findings.map { ($0.check, $0.state) }, uniquingKeysWith: { $1 })
            #expect(states["version"] == "ok" && states["fashionmnist"] == "ok")
            // An address for documentation only (RFC 5737) is no machine's.
            let ill = try Program.run(
                ["doctor", "--data", folder.path, "--bind", "tcp://192.0.2.1:5555"], in: folder)
            #expect(ill.status == 1)
            #expect(ill.output.contains("tcp://192.0.2.1:5555 cannot be listened on"))
            #expect(ill.output.contains("alsweep data fetch fashionmnist"))
        }

        @Test(
            "the doctor asks the machines that ssh reaches",
            .enabled(
                if: LoopbackSSH.isAvailable,
                "SKIPPED: ssh is not tested here; apt-get install openssh-server"))
        func doctorElsewhere() throws {
            let folder = try TemporaryFolder()
            let server = try LoopbackSSH(in: folder.path)
            try """
            host: 127.0.0.1
            workers:
              - ssh:
                  hosts: [node1]
                  config: \(server.configPath)
                  binary: \(Program.path)
                  environment: {XDG_CACHE_HOME: \(folder.path)/cache}
              - ssh: {hosts: [node2], config: \(server.configPath), binary: /nowhere/alsweep}
            """.write(toFile: folder.path + "/lab.yaml", atomically: true, encoding: .utf8)
            let result = try Program.run(
                ["doctor", "--cluster", "lab.yaml", "--output-mode", "json"], in: folder)
            let found = try JSONDecoder().decode(
                DoctorFindings.self, from: Data(result.output.utf8))
            func state(_ machine: String, _ check: String) -> String? {
                found.findings.first { $0.machine == machine && $0.check == check }?.state
            }
            for check in ["ssh", "clock", "route", "handshake", "version", "fashionmnist"] {
                #expect(state("node1", check) == "ok", "\(check): \(result.output)")
            }
            #expect(state("node2", "program") == "failed")
            #expect(result.status == 1)

            // A program of another version, as far as the doctor can tell.
            let other = folder.path + "/other"
            try """
            #!/bin/sh
            echo '{"schema":1,"findings":[{"machine":"here","check":"version","state":"ok",' \
                '"value":"alsweep 0.0.1 for x86_64"}]}'
            """.write(toFile: other, atomically: true, encoding: .utf8)
            chmod(other, 0o755)
            try """
            host: 127.0.0.1
            workers:
              - ssh: {hosts: [node1], config: \(server.configPath), binary: \(other)}
            """.write(toFile: folder.path + "/old.yaml", atomically: true, encoding: .utf8)
            let old = try Program.run(["doctor", "--cluster", "old.yaml"], in: folder)
            #expect(old.status == 1 && old.output.contains("alsweep 0.0.1 for x86_64, and here is"))
        }

        @Test("the doctor tells a handshake that is not answered, and damaged data")
        func illness() throws {
            let folder = try TemporaryFolder()
            _ = try Program.run(["keys", "new", "keys"], in: folder)
            let source = "/usr/share/datasets/fashion-mnist"
            for name in try FileManager.default.contentsOfDirectory(atPath: source) {
                var data = FileManager.default.contents(atPath: "\(source)/\(name)")!
                // Its last byte but eight is data; after it stands gzip's own checksum.
                if name.hasPrefix("t10k-images") { data[data.count - 9] ^= 1 }
                try data.write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
            }
            let result = try Program.run(
                [
                    "doctor", "--data", folder.path, "--knock", "tcp://127.0.0.1:9",
                    "--certificate", "keys/client.cert", "--output-mode", "json",
                ], in: folder)
            let found = try JSONDecoder().decode(
                DoctorFindings.self, from: Data(result.output.utf8))
            let states = Dictionary(
                found.findings.map { ($0.check, $0.state) }, uniquingKeysWith: { $1 })
            #expect(states["handshake"] == "failed" && states["fashionmnist"] == "warning")
            #expect(result.status == 1)
        }
    }
}
