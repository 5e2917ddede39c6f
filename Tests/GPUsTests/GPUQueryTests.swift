import ChildProcess
import Foundation
import SweepModel
import Testing

@testable import GPUs

/// What `GPUQuery` makes of a script in the place of nvidia-smi.
@Suite struct GPUQueryTests {
    /// - Parameter script: nil for no program.
    private func ask(
        _ script: String?, deadlineMs: Int64 = 20_000
    ) throws -> Result<GPUListing, GPUError> {
        let folder = NSTemporaryDirectory() + "alsweep-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/nvidia-smi"
        if let script {
            try ("#!/bin/sh\n" + script + "\n").write(
                toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: path)
        }
        func now() -> Int64 { Int64(DispatchTime.now().uptimeNanoseconds / 1_000_000) }
        let query = try GPUQuery(program: path, at: now(), deadlineMs: deadlineMs)
        while true {
            if let answer = query.poll(at: now()) { return answer }
            usleep(5_000)
        }
    }

    @Test("nvidia-smi is asked for what is read, and its answer is read")
    func answer() throws {
        let answer = try ask(
            """
            [ "$2" = --format=csv,noheader,nounits ] || exit 3
            echo "0, GPU-a, 100, 1, 99, 5, Disabled, $1"
            """)
        let listing = try answer.get()
        #expect(listing.gpus.map(\.memoryFreeMiB) == [99])
        #expect(
            listing.gpus[0].name == "--query-gpu=index,uuid,memory.total,memory.used,memory.free,"
                + "utilization.gpu,mig.mode.current,name")
    }

    @Test("without nvidia-smi that is said, and what to do")
    func absent() throws {
        let answer = try ask(nil)
        #expect(answer == .failure(.noProgram))
        #expect(GPUError.noProgram.hint.contains("driver"))
    }

    @Test("a driver that fails is told in its own words")
    func failing() throws {
        let text =
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
        #expect(try ask("echo \"\(text)\"; exit 9") == .failure(.failed(reason: text)))
        #expect(try ask("echo words >&2; exit 9") == .failure(.failed(reason: "words")))
        #expect(try ask("exit 1") == .failure(.noGPU))
        #expect(try ask("echo surprise") == .failure(.unreadable(line: "surprise")))
    }

    @Test("another status with a warning beside the GPUs is no failure")
    func warning() throws {
        let answer = try ask(
            """
            echo "0, GPU-a, 100, 1, 99, 5, Disabled, x"
            echo "WARNING: infoROM is corrupted at gpu 0000:41:00.0"
            exit 14
            """)
        #expect(try answer.get().gpus.count == 1)
    }

    @Test("one that hangs is ended at its deadline, and nobody waits for it")
    func hanging() throws {
        let begin = Date()
        let answer = try ask("trap '' TERM; sleep 60 & wait", deadlineMs: 1_000)
        #expect(answer == .failure(.unanswered(seconds: 1)))
        #expect(Date().timeIntervalSince(begin) < 20)
    }

    @Test("megabytes of nonsense are read to their end, and refused")
    func flood() throws {
        let answer = try ask("yes 'no, GPU, here' | head -c 5000000")
        #expect(answer == .failure(.unreadable(line: "no, GPU, here")))
    }
}
