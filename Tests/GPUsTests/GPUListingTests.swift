import SweepModel
import Testing

@testable import GPUs

/// As nvidia-smi of driver 535 writes it for what `GPUListing` asks, on a machine with two A100.
private let twoA100 = """
    0, GPU-8932f937-d72c-4106-c12f-20bd9faed9f6, 40960, 3, 40333, 0, Disabled, NVIDIA A100-SXM4-40GB
    1, GPU-3bd3a5fb-1a0e-4f55-8bb3-2f7c5a7b2f11, 40960, 21903, 18433, 97, Disabled, NVIDIA A100-SXM4-40GB

    """

@Test("a listing has the numbers, names, memory and utilisation of every GPU")
func listing() throws {
    let listing = try GPUListing(parsing: twoA100)
    #expect(
        listing.gpus.last
            == GPU(
                index: 1, uuid: "GPU-3bd3a5fb-1a0e-4f55-8bb3-2f7c5a7b2f11",
                name: "NVIDIA A100-SXM4-40GB", memoryTotalMiB: 40_960, memoryUsedMiB: 21_903,
                memoryFreeMiB: 18_433, utilisationPercent: 97))
    #expect(listing.gpus.count == 2 && listing.partitioned.isEmpty && listing.remarks.isEmpty)
}

@Test(
    "what a driver does not tell is nil, and not zero",
    arguments: ["[N/A]", "[Not Supported]", "[Unknown Error]", "[GPU is lost]", "N/A", "", "-1"])
func untold(text: String) throws {
    // A GPU that shares its memory with the processor, or a partitioned one, tells less.
    let line = "0, GPU-1, \(text), \(text), \(text), \(text), [N/A], NVIDIA GB10"
    #expect(
        try GPUListing(parsing: line).gpus == [GPU(index: 0, uuid: "GPU-1", name: "NVIDIA GB10")])
}

@Test("a partitioned GPU is marked as such")
func partitioned() throws {
    let line = "3, GPU-1, 81559, 87, 81472, [N/A], Enabled, NVIDIA H100 80GB HBM3"
    #expect(try GPUListing(parsing: line).partitioned == [3])
}

@Test("warnings and GPUs that do not answer stand beside the others")
func remarks() throws {
    let listing = try GPUListing(
        parsing: """
            Unable to determine the device handle for GPU1: 0000:34:00.0: Unknown Error
            \(twoA100.split(separator: "\n")[0])\r
            WARNING: infoROM is corrupted at gpu 0000:41:00.0
            1, GPU-3bd3a5fb-1a0e-4f55-8bb3-2f7c5a7b2f11, 40960, 219
            """)
    #expect(listing.gpus.map(\.index) == [0])
    #expect(listing.remarks.count == 3, "a line that broke off is no GPU: \(listing.remarks)")
}

@Test("a name may hold commas, and the order is by number")
func order() throws {
    let listing = try GPUListing(
        parsing: "10, GPU-b, 1, 1, 1, 1, [N/A], Tesla, special\n2, GPU-a, 1, 1, 1, 101, [N/A], x")
    #expect(listing.gpus.map(\.index) == [2, 10])
    #expect(listing.gpus.map(\.name) == ["x", "Tesla, special"])
    #expect(listing.gpus[0].utilisationPercent == 100)
}

@Test(
    "an output without a GPU is an error that shows it",
    arguments: [
        ("", GPUError.noGPU), ("\n\n", .noGPU), ("No devices were found\n", .noGPU),
        ("Failed to initialize NVML: Driver/library version mismatch\n", nil),
        ("\u{0}\u{1}garbage, 1, 2, 3, 4, 5, 6, 7, 8", nil),
        ("0, MIG-1, 1, 1, 1, 1, Enabled, x", nil),
    ] as [(String, GPUError?)])
func nothing(output: String, expected: GPUError?) {
    let line = String(output.split(separator: "\n").first ?? "")
    #expect(throws: expected ?? .unreadable(line: line)) { try GPUListing(parsing: output) }
}

@Test("a GPU that is told twice counts once")
func toldTwice() throws {
    let listing = try GPUListing(
        parsing: "0, GPU-a, 1, 1, 1, 1, [N/A], x\n0, GPU-a, 1, 1, 1, 1, [N/A], x")
    #expect(listing.gpus.count == 1 && listing.remarks.count == 1)
}
