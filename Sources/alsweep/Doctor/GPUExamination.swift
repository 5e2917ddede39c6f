import Foundation
import GPUs
import Launchers
import SweepModel

/// What the driver tells of this machine's GPUs, and whether a worker could use those that are wanted.
struct GPUExamination {
    /// Of a GPU's memory; with less free it is somebody else's at the moment.
    private static let littleFreeShare = 0.5

    /// nil: none have to be there.
    let wanted: GPUSelection?
    private let visible = ProcessInfo.processInfo.environment["CUDA_VISIBLE_DEVICES"]

    init(wanted: GPUSelection?) { self.wanted = wanted }

    var findings: [Finding] {
        do throws(GPUError) {
            let listing = try GPUQuery.ask()
            let remarks = listing.remarks.prefix(5).map {
                Finding(
                    "GPUs", .warning, String($0.prefix(200)),
                    remedy: "`nvidia-smi` by hand shows more")
            }
            return listing.gpus.map { finding($0, listing) } + remarks + selection(listing)
        } catch {
            let isNone = error == .noProgram || error == .noGPU
            let state: Finding.State = wanted != nil ? .failed : isNone ? .ok : .warning
            return [Finding("GPUs", state, error.description, remedy: error.hint)]
        }
    }

    private func finding(_ gpu: GPU, _ listing: GPUListing) -> Finding {
        let name = "GPU \(gpu.index)"
        if listing.partitioned.contains(gpu.index) {
            let error = GPUError.partitioned(name: String(gpu.index))
            return Finding(name, .warning, "\(gpu.name), partitioned (MIG)", remedy: error.hint)
        }
        guard let total = gpu.memoryTotalMiB, let free = gpu.memoryFreeMiB else {
            return Finding(name, .ok, "\(gpu.name), memory not told")
        }
        let isFull = Double(free) < Self.littleFreeShare * Double(total)
        return Finding(
            name, isFull ? .warning : .ok,
            String(
                format: "%@, %.1f of %.1f GiB free", gpu.name, Double(free) / 1_024,
                Double(total) / 1_024),
            remedy: "others use it: fewer trials fit")
    }

    private func selection(_ listing: GPUListing) -> [Finding] {
        guard let selection = wanted ?? visible.map({ _ in .all }) else { return [] }
        do throws(GPUError) {
            let chosen = try selection.resolved(among: listing, visible: visible)
            let given = visible.map { "; CUDA_VISIBLE_DEVICES is '\($0)'" } ?? ""
            let numbers = chosen.map { String($0.index) }.joined(separator: ", ")
            return [Finding("GPUs of a worker", .ok, numbers + given)]
        } catch {
            return [
                Finding(
                    "GPUs of a worker", wanted == nil ? .warning : .failed, error.description,
                    remedy: error.hint)
            ]
        }
    }
}
