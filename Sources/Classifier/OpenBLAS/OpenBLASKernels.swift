import COpenBLAS
import CProcessor
import Glibc

/// Which kernels OpenBLAS uses. It chooses them when it is loaded, by the CPU's model: a version
/// older than the CPU may take those of an older core, at half the speed.
public enum OpenBLASKernels {
    private static let variable = "OPENBLAS_CORETYPE"

    /// The core that the loaded kernels were made for, as `Haswell`.
    public static var coreName: String { String(cString: openblas_get_corename()) }

    /// What `OPENBLAS_CORETYPE` should be in the environment of new processes; nil where the choice
    /// is good, or is the user's.
    public static var betterCoreType: String? {
        guard getenv(variable) == nil else { return nil }
        return betterCoreType(
            than: coreName, hasAVX512: processor_has_avx512() != 0)
    }

    /// The core type whose kernels use all of the CPU's vectors; nil where the chosen ones do.
    static func betterCoreType(than coreName: String, hasAVX512: Bool) -> String? {
        let usesAVX512 = ["SkylakeX", "Cooperlake", "SapphireRapids"].contains {
            $0.lowercased() == coreName.lowercased()
        }
        return hasAVX512 && !usesAVX512 ? "SkylakeX" : nil
    }
}
