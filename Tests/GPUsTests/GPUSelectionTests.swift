import SweepModel
import Testing

@testable import GPUs

private func listing(_ uuids: [String], partitioned: Set<Int> = []) -> GPUListing {
    var listing = try! GPUListing(
        parsing: uuids.enumerated().map { index, uuid in
            "\(index), \(uuid), 100, 0, 100, 0, Disabled, x"
        }.joined(separator: "\n"))
    listing.partitioned = partitioned
    return listing
}

private let four = listing(["GPU-a1", "GPU-a2", "GPU-b1", "GPU-c1"])

private func chosen(
    _ text: String, visible: String? = nil, of listing: GPUListing = four
) throws(GPUError) -> [Int] {
    try GPUSelection(text)!.resolved(among: listing, visible: visible).map(\.index)
}

@Test("GPUs are named by number, by UUID, by its beginning, or all")
func names() throws {
    #expect(try chosen("all") == [0, 1, 2, 3])
    #expect(try chosen("2,0") == [2, 0])
    #expect(try chosen("GPU-a2,3") == [1, 3])
    #expect(try chosen("GPU-B") == [2], "in any case")
}

@Test(
    "what is no list of GPUs is refused as it is written",
    arguments: ["", "0,", ",", "0 1", "gpu0", "-1", "0;1", "ALL", "all,0", "GPU-", "99999"])
func malformed(text: String) {
    #expect(GPUSelection(text) == nil)
}

@Test("a selection is written as it is read", arguments: ["all", "0,1", "GPU-a1,7"])
func description(text: String) {
    #expect(GPUSelection(text)?.description == text)
}

@Test("a GPU that is not there is an error that names those that are")
func unknown() {
    for (text, name) in [("0,4", "4"), ("GPU-a", "GPU-a"), ("GPU-d", "GPU-d")] {
        #expect(throws: GPUError.unknown(name: name, there: four.gpus)) { try chosen(text) }
    }
    let text = GPUError.unknown(name: "4", there: Array(four.gpus.prefix(1))).description
    #expect(text == "there is no GPU '4'; there are 0 (x, GPU-a1)")
}

@Test("a GPU that is named twice, by whatever name, is an error")
func twice() {
    #expect(throws: GPUError.namedTwice(name: "1")) { try chosen("1,1") }
    #expect(throws: GPUError.namedTwice(name: "GPU-a2")) { try chosen("1,GPU-a2") }
}

@Test("of a job that was given some GPUs, numbers count within these")
func given() throws {
    #expect(try chosen("all", visible: "2,3") == [2, 3])
    #expect(try chosen("0", visible: "2,3") == [2])
    #expect(try chosen("1,0", visible: " 2 , 3") == [3, 2])
    #expect(try chosen("GPU-c1", visible: "2,3") == [3])
    #expect(try chosen("all", visible: "GPU-b,GPU-a1") == [2, 0])
    #expect(throws: GPUError.notGiven(name: "2", given: "2,3")) { try chosen("2", visible: "2,3") }
    #expect(throws: GPUError.notGiven(name: "GPU-a1", given: "2,3")) {
        try chosen("GPU-a1", visible: "2,3")
    }
}

@Test("as CUDA reads it, what follows a GPU that is none does not count")
func givenInvalid() throws {
    #expect(try chosen("all", visible: "1,-1,2") == [1])
    #expect(try chosen("all", visible: "1,9,2") == [1])
    #expect(try chosen("all", visible: "1,1,2") == [1])
    for nothing in ["", "-1", "NoDevFiles", "9", "GPU-a"] {
        #expect(throws: GPUError.nothingGiven(given: nothing)) {
            try chosen("all", visible: nothing)
        }
    }
}

@Test("a partitioned GPU, or a part of one, is refused with what to do instead")
func parts() throws {
    let one = listing(["GPU-a", "GPU-b"], partitioned: [1])
    #expect(try chosen("0", of: one) == [0])
    #expect(throws: GPUError.partitioned(name: "1")) { try chosen("all", of: one) }
    #expect(throws: GPUError.partitioned(name: "MIG-1")) { try chosen("MIG-1", of: one) }
    #expect(throws: GPUError.partitioned(name: "MIG-1")) {
        try chosen("all", visible: "MIG-1", of: one)
    }
    #expect(GPUError.partitioned(name: "1").hint.contains("CUDA_VISIBLE_DEVICES"))
}
