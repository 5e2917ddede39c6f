import ChildProcess
import Classifier
import Datasets
import Foundation
import Launchers
import SweepModel
import Wire

/// What of this machine would stop a sweep.
struct LocalExamination {
    private static let gibibyte = 1_073_741_824.0
    /// A run's models and checkpoints need some; a full disk stops it, and it waits for space.
    private static let littleDisk = 5 * gibibyte
    private static let tooLittleDisk = 0.2 * gibibyte
    /// Of every trial of the full network and a dataset's images, shared ones not counted.
    private static let memoryOfTrial = 1.0 * gibibyte

    let search: DatasetSearch
    /// Where runs are kept.
    let runs: String

    var findings: [Finding] {
        [version, kernels, blas, instructions, torch, precisions]
            + DatasetName.allCases.map(dataset)
            + disks + [memory, clock]
    }

    private var version: Finding {
        var names = utsname()
        uname(&names)
        let machine = withUnsafeBytes(of: &names.machine) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return Finding("version", .ok, "alsweep \(softwareVersion) for \(machine)")
    }

    private var kernels: Finding {
        let words = numericPlatform().split(separator: "; ").map(String.init)
        return Finding(
            "oneDNN", .ok, words.dropFirst().prefix(2).joined(separator: ", "))
    }

    private var blas: Finding {
        let better = OpenBLASKernels.betterCoreType
        return Finding(
            "OpenBLAS", .ok,
            "kernels of \(OpenBLASKernels.coreName)"
                + (better.map { "; trials take those of \($0), which use all of this CPU" } ?? ""))
    }

    private var instructions: Finding {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n")
        let flags = Set(
            lines.first { $0.hasPrefix("flags") || $0.hasPrefix("Features") }?
                .split(separator: " ").map(String.init) ?? [])
        let known = ["avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16"]
        let found = known.filter(flags.contains)
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let isOld = !flags.isEmpty && found.isEmpty
        return Finding(
            "CPU", isOld ? .warning : .ok,
            "\(counted(cores, "core")), "
                + (found.isEmpty ? "no vector instructions known" : found.joined(separator: " ")),
            remedy: "training is slow here: prefer machines with AVX2 or AVX-512")
    }

    /// Most machines need none; one that was put there should work.
    private var torch: Finding {
        let place = TorchLibrary.place(in: ProcessInfo.processInfo.environment)
        guard FileManager.default.fileExists(atPath: place) else {
            return Finding("torch", .ok, "no plug-in for GPUs in \(place)")
        }
        switch TorchExamination.here {
        case .success(let found):
            return Finding("torch", .ok, "PyTorch \(found.version) on \(found.device), by \(place)")
        case .failure(let failure):
            return Finding("torch", .warning, failure.message, remedy: failure.hint)
        }
    }

    private var precisions: Finding {
        let offers = EngineName.offersHere.map { "\($0.engine.rawValue) \($0.precision.rawValue)" }
        return Finding("engines", .ok, offers.joined(separator: ", "))
    }

    private func dataset(_ name: DatasetName) -> Finding {
        do throws(DatasetError) {
            let source = try search.source(of: name)
            _ = try source.verify()
            return Finding(name.rawValue, .ok, "as published, in \(source.folder)")
        } catch {
            return Finding(
                name.rawValue, .warning, error.description,
                remedy: "trials of it are not run here until: alsweep data fetch \(name.rawValue)")
        }
    }

    private var disks: [Finding] {
        var places = [("disk of runs", runs)]
        if let cache = search.cacheFolder { places.append(("disk of images", cache)) }
        return places.map { check, path in
            let existing = Self.existingParent(of: path)
            var status = statvfs()
            guard statvfs(existing, &status) == 0 else {
                return Finding(
                    check, .failed, "\(existing): \(String(cString: strerror(errno)))",
                    remedy: "choose another place")
            }
            let free = Double(status.f_bavail) * Double(status.f_frsize)
            let isWritable = access(existing, W_OK) == 0
            let state: Finding.State =
                free < Self.tooLittleDisk || !isWritable
                ? .failed : free < Self.littleDisk ? .warning : .ok
            return Finding(
                check, state,
                String(format: "%.1f GiB free in %@", free / Self.gibibyte, existing)
                    + (isWritable ? "" : ", not writable"),
                remedy: isWritable ? "free some space" : "choose a folder that you may write to")
        }
    }

    private static func existingParent(of path: String) -> String {
        var url = URL(fileURLWithPath: path)
        while !FileManager.default.fileExists(atPath: url.path), url.path != "/" {
            url.deleteLastPathComponent()
        }
        return url.path
    }

    private var memory: Finding {
        let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        let bytes =
            (line?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0) * 1_024
        let cores = Double(ProcessInfo.processInfo.activeProcessorCount)
        return Finding(
            "memory", bytes < cores * Self.memoryOfTrial ? .warning : .ok,
            String(format: "%.1f GiB available", bytes / Self.gibibyte),
            remedy: "with one trial per core it may run out: lower --slots")
    }

    /// Seeds are drawn from the clock: one that was set back draws them again.
    private var clock: Finding {
        let attributes = try? FileManager.default.attributesOfItem(
            atPath: ChildProcess.ownProgram())
        let made = attributes?[.modificationDate] as? Date ?? .distantPast
        let now = Date()
        return Finding(
            "clock", made > now ? .warning : .ok, now.formatted(.iso8601),
            remedy: "this program is from \(made.formatted(.iso8601)): set the clock, by NTP")
    }
}
