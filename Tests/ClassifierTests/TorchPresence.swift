import Foundation
import Testing

/// Whether the tests have libtorch. Where ALSWEEP_TORCH_ENGINE names a plug-in, all that libtorch should
/// compute is tested, and one that cannot be loaded is a failure.
enum TorchPresence {
    static let isNamed =
        ProcessInfo.processInfo.environment["ALSWEEP_TORCH_ENGINE"].map { !$0.isEmpty } ?? false

    static let skipReason: Comment =
        "engine torch is not tested: Tests/PyTorch/check-torch-engine.sh builds it and runs these tests"
}
