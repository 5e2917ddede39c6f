import Foundation
import SweepModel
import Wire

extension WorkersTold {
    /// For a terminal: a line for every worker, and one for each of its GPUs.
    var lines: [String] {
        guard count > 0 else { return ["no worker is connected"] }
        var lines = ["\(counted(count, "worker")) connected:"]
        for worker in workers {
            lines.append("  " + worker.line)
            lines += worker.gpus?.map { "    " + $0.line } ?? []
        }
        if workers.count < count { lines.append("  and \(count - workers.count) more") }
        return lines
    }
}

extension WorkerStatus {
    /// Silence below this is that between two heartbeats.
    private static let longestUsualSilenceMs: Int64 = 30_000

    fileprivate var line: String {
        let isSilent = silentMs > Self.longestUsualSilenceMs
        return "\(host)  \(trials) of \(counted(slots, "slot")) at work"
            + (isSilent ? ", not heard of for \(silentMs / 1_000) s" : "")
    }
}

extension GPULoad {
    var line: String {
        var parts = ["GPU \(gpu.index)  \(gpu.name)"]
        parts.append(gpu.utilisationPercent.map { "\($0) %" } ?? "utilisation not told")
        if let used = gpu.memoryUsedMiB, let total = gpu.memoryTotalMiB {
            parts.append(
                String(
                    format: "%.1f of %.1f GiB", Double(used) / 1_024, Double(total) / 1_024))
        } else {
            parts.append("memory not told")
        }
        parts.append("\(trials) of \(counted(slots, "slot"))")
        return parts.joined(separator: "  ")
    }
}
