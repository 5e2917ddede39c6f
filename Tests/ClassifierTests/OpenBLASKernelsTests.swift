import Testing

@testable import Classifier

@Suite("The choice of OpenBLAS's kernels")
struct OpenBLASKernelsTests {
    @Test(
        "kernels without AVX-512 are replaced on a CPU that has it, and only there",
        arguments: [
            ("Haswell", true, "SkylakeX"), ("Zen", true, "SkylakeX"),
            ("Sandybridge", true, "SkylakeX"), ("SkylakeX", true, nil),
            ("Cooperlake", true, nil), ("sapphirerapids", true, nil), ("Haswell", false, nil),
            ("Zen", false, nil),
        ] as [(String, Bool, String?)])
    func choice(coreName: String, hasAVX512: Bool, better: String?) {
        #expect(OpenBLASKernels.betterCoreType(than: coreName, hasAVX512: hasAVX512) == better)
    }

    @Test("the loaded library names its core")
    func loaded() {
        #expect(!OpenBLASKernels.coreName.isEmpty)
    }
}
