import Foundation
import SweepModel
import Testing
import Wire

/// A script in the place of nvidia-smi.
private struct DriverScript: ~Copyable {
    static let uuids = [
        "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-3bd3a5fb-1a0e-4f55-8bb3-2f7c5a7b2f11",
    ]
    /// What it prints of two GPUs with much memory free.
    static let two = (0..<2).map { index in
        "\(index), \(uuids[index]), 81559, 600, 80959, \(40 + index), Disabled, NVIDIA H100 80GB HBM3"
    }.joined(separator: "\n")

    let folder: String
    /// Finds the script, and no other nvidia-smi.
    let path: String

    init(in folder: String, _ script: String) throws {
        self.folder = folder
        path = "PATH=\(folder)/bin"
        try FileManager.default.createDirectory(
            atPath: folder + "/bin", withIntermediateDirectories: true)
        try write(script)
    }

    /// Puts another in its place, which is found whole or not at all.
    func write(_ script: String) throws {
        let file = folder + "/bin/nvidia-smi"
        try ("#!/bin/sh\nPATH=/usr/bin:/bin\n" + script + "\n").write(
            toFile: file + ".new", atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: file + ".new")
        try #require(rename(file + ".new", file) == 0)
    }

    static func printing(_ lines: String) -> String { "cat <<'END'\n\(lines)\nEND" }
}

private struct Status: Decodable {
    var workers: [WorkerStatus]?
}

private func status(_ run: String, in folder: borrowing TemporaryFolder) throws -> Status {
    let result = try Program.run(["status", run, "--output-mode", "json"], in: folder)
    return try JSONDecoder().decode(Status.self, from: Data(result.output.utf8))
}

/// The value of a variable in a process's environment.
private func variable(_ name: String, of process: pid_t) -> String? {
    guard let data = FileManager.default.contents(atPath: "/proc/\(process)/environ") else {
        return nil
    }
    return String(decoding: data, as: UTF8.self).split(separator: "\0")
        .first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
}

extension Acceptance {
    /// Workers with GPUs, as far as their driver's program tells.
    @Suite struct GPUTests {
        private func launch(
            _ folder: borrowing TemporaryFolder, epochs: Int = 40
        ) throws -> (launched: Program.Running, run: String, endpoint: String) {
            try TinySweep.write(TinySweep.firstStage(epochs: epochs), to: folder)
            let launched = try Program.start(
                ["launch", "tiny.yaml", "--slots", "0", "--lease", "4"], in: folder)
            try launched.waitForErrors(containing: "More workers can join")
            let run = try onlyRun(in: folder)
            let endpoint = try String(
                contentsOfFile: "\(folder.path)/\(run)/endpoint", encoding: .utf8
            ).trimmingCharacters(in: .whitespacesAndNewlines)
            return (launched, run, endpoint)
        }

        @Test("every trial sees one GPU, and status shows what the GPUs do")
        func trialsOnGPUs() throws {
            let folder = try TemporaryFolder()
            let driver = try DriverScript(in: folder.path, DriverScript.printing(DriverScript.two))
            let (launched, run, endpoint) = try launch(folder)
            let worker = try Program.start(
                ["worker", "--connect", endpoint, "--gpus", "0,1", "--slots-per-gpu", "2"],
                in: folder, environment: [driver.path])
            try launched.waitForErrors(containing: "joined with 4 slots")
            var seen: Set<String> = []
            try #require(
                wait(upToSeconds: 60) {
                    for child in children(of: worker.identifier) {
                        if let value = variable("CUDA_VISIBLE_DEVICES", of: child) {
                            seen.insert(value)
                        }
                    }
                    return seen.count == 2
                }, "\(seen)")
            #expect(seen == Set(DriverScript.uuids))
            var workers: [WorkerStatus] = []
            try #require(
                wait(upToSeconds: 60) {
                    workers = (try? status(run, in: folder))?.workers ?? []
                    return workers.first?.gpus?.contains { $0.trials > 0 } ?? false
                }, "\(workers)")
            let gpus = try #require(workers.first?.gpus)
            #expect(gpus.map(\.gpu.uuid) == DriverScript.uuids)
            #expect(gpus.map(\.gpu.utilisationPercent) == [40, 41])
            #expect(gpus.map(\.gpu.memoryFreeMiB) == [80_959, 80_959])
            #expect(gpus.map(\.slots) == [2, 2])
            let shown = try Program.run(["status", run], in: folder)
            #expect(
                shown.output.contains(
                    "GPU 1  NVIDIA H100 80GB HBM3  41 %  0.6 of 79.6 GiB"), "\(shown.output)")
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(worker.result().status == 0)
            #expect(worker.errors.contains(" started on GPU "), "\(worker.errors)")
            let after = try status(run, in: folder)
            #expect(after.workers == nil, "nobody is at work")
        }

        @Test("a trial that runs out of GPU memory is tried again, with fewer beside it")
        func outOfMemory() throws {
            let folder = try TemporaryFolder()
            let driver = try DriverScript(in: folder.path, DriverScript.printing(DriverScript.two))
            let (launched, run, endpoint) = try launch(folder)
            let worker = try Program.start(
                ["worker", "--connect", endpoint, "--gpus", "0", "--slots-per-gpu", "3"],
                in: folder, environment: [driver.path])
            try launched.waitForErrors(containing: "cycle 1/3")
            let trial = try #require(children(of: worker.identifier).first)
            // As the process says it, on its own pipe; then it is gone.
            let pipe = open("/proc/\(trial)/fd/1", O_WRONLY)
            try #require(pipe >= 0)
            let line =
                #"{"failed":{"kind":"out_of_gpu_memory","message":"CUDA out of memory"}}"# + "\n"
            #expect(line.withCString { write(pipe, $0, strlen($0)) } == line.utf8.count)
            close(pipe)
            kill(trial, SIGKILL)
            try launched.waitForErrors(containing: "failed (outOfGPUMemory): CUDA out of memory")
            var slots: Int?
            #expect(
                wait(upToSeconds: 20) {
                    slots = (try? status(run, in: folder))?.workers?.first?.gpus?.first?.slots
                    return slots == 2
                }, "\(slots ?? -1) slots")
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            let collected = try Collected.read(run, in: folder)
            #expect(collected.trials.map(\.attempts).sorted() == [1, 1, 2])
            #expect(collected.trials.allSatisfy { $0.state == "done" })
        }

        @Test("a driver that hangs in the middle holds up neither trials nor heartbeats")
        func hangingDriver() throws {
            let folder = try TemporaryFolder()
            let driver = try DriverScript(in: folder.path, DriverScript.printing(DriverScript.two))
            let (launched, run, endpoint) = try launch(folder, epochs: 60)
            let worker = try Program.start(
                ["worker", "--connect", endpoint, "--gpus", "all"], in: folder,
                environment: [driver.path])
            try launched.waitForErrors(containing: "joined with 2 slots")
            try driver.write("echo $$ >\(folder.path)/hangs; exec sleep 1000")
            let mark = folder.path + "/hangs"
            try #require(wait(upToSeconds: 60) { FileManager.default.fileExists(atPath: mark) })
            let silence = try status(run, in: folder).workers?.first?.silentMs
            #expect((silence ?? .max) < 3_000, "the lease is 4 s")
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            #expect(!result.errors.contains("nothing was heard"), "\(result.errors)")
            #expect(worker.result().status == 0)
        }

        @Test("a worker that cannot have its GPUs says why, and what to do")
        func refusals() throws {
            let folder = try TemporaryFolder()
            let driver = try DriverScript(in: folder.path, DriverScript.printing(DriverScript.two))
            func worker(_ options: [String], _ environment: [String] = []) throws -> Program.Result
            {
                try Program.run(
                    ["worker", "--connect", "tcp://127.0.0.1:1"] + options, in: folder,
                    environment: [driver.path] + environment)
            }
            let unknown = try worker(["--gpus", "0,2"])
            #expect(unknown.status == 1)
            #expect(
                unknown.errors.contains("error: there is no GPU '2'; there are 0 (NVIDIA H100"),
                "\(unknown.errors)")
            // As a scheduler gives a job its second GPU, which is all that it has.
            let given = try worker(["--gpus", "1"], ["CUDA_VISIBLE_DEVICES=1"])
            #expect(
                given.errors.contains(
                    "there is no GPU '1' among those that CUDA_VISIBLE_DEVICES names: '1'"),
                "\(given.errors)")
            let both = try worker(["--gpus", "all", "--slots", "2"])
            #expect(both.status == 64 || both.status == 2, "\(both.status)")
            #expect(both.errors.contains("--slots or --gpus"), "\(both.errors)")
            let alone = try worker(["--slots-per-gpu", "2"])
            #expect(alone.errors.contains("need --gpus"), "\(alone.errors)")
            try driver.write("echo 'NVIDIA-SMI has failed because of the driver.'; exit 9")
            let failing = try worker(["--gpus", "all"])
            #expect(
                failing.errors.contains("tells of no GPU: NVIDIA-SMI has failed"),
                "\(failing.errors)")
            let doctor = try Program.run(
                ["doctor", "--gpus", "all"], in: folder, environment: [driver.path])
            #expect(doctor.status == 1 && doctor.output.contains("NVIDIA-SMI has failed"))
            try FileManager.default.removeItem(atPath: folder.path + "/bin/nvidia-smi")
            let absent = try worker(["--gpus", "all"])
            #expect(absent.errors.contains("nvidia-smi is not to be found here"))
            #expect(absent.errors.contains("hint: install NVIDIA's driver"))
        }

        @Test(
            "launch and the cluster file have the worker here use GPUs, and the doctor looks at them"
        )
        func localWorker() throws {
            let folder = try TemporaryFolder()
            let driver = try DriverScript(in: folder.path, DriverScript.printing(DriverScript.two))
            try TinySweep.write(TinySweep.firstStage(epochs: 2), to: folder)
            try "workers:\n  - local: {gpus: [1], slots_per_gpu: 2}\n".write(
                toFile: folder.path + "/lab.yaml", atomically: true, encoding: .utf8)
            let result = try Program.run(
                ["launch", "tiny.yaml", "--cluster", "lab.yaml"], in: folder,
                environment: [driver.path])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("joined with 2 slots"), "\(result.errors)")
            let log = try String(
                contentsOfFile: "\(folder.path)/\(try onlyRun(in: folder))/logs/worker.log",
                encoding: .utf8)
            #expect(log.contains(" started on GPU 1") && !log.contains(" started on GPU 0"))

            let doctor = try Program.run(
                ["doctor", "--cluster", "lab.yaml"], in: folder, environment: [driver.path])
            #expect(
                doctor.output.contains("NVIDIA H100 80GB HBM3, 79.1 of 79.6 GiB free"),
                "\(doctor.output)")
            let other = try Program.run(
                ["launch", "tiny.yaml", "--gpus", "3", "--new"], in: folder,
                environment: [driver.path])
            #expect(other.status == 1 && other.errors.contains("there is no GPU '3'"))
        }
    }
}
