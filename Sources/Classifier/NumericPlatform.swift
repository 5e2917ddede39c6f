import COneDNN
import COpenBLAS
import Foundation

/// What the bits of a result depend on beside the configuration: the CPU's model, the libraries with
/// the instruction set they chose, and the number of threads. Where it is equal, so are the bits.
public func numericPlatform() -> String {
    let version = dnnl_version()!.pointee
    let processor =
        (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
        .split(separator: "\n").first { $0.hasPrefix("model name") }
        .map { $0.drop { $0 != ":" }.dropFirst().trimmingCharacters(in: .whitespaces) }
    let blas =
        String(cString: openblas_get_config()) + " " + String(cString: openblas_get_corename())
    return [
        processor ?? "unknown processor",
        "oneDNN \(version.major).\(version.minor).\(version.patch)",
        "instruction set \(dnnl_get_effective_cpu_isa().rawValue)",
        blas, "\(omp_get_max_threads()) and \(openblas_get_num_threads()) threads",
    ].joined(separator: "; ")
}
