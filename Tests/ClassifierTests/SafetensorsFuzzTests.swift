import Foundation
import Fuzzing
import Testing

@testable import Classifier

@Test("damaged tensor files are read or refused with their path; they never end the process")
func damagedTensorFiles() throws {
    let path = FileManager.default.temporaryDirectory.path + "/alsweep-\(UUID()).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Safetensors.write(
        [
            .init(name: "a", shape: [2, 2], values: .float32([1, 2, 3, 4])),
            .init(name: "empty", shape: [0, 3], values: .float32([])),
            .init(name: "b", shape: [3], values: .int64([1, 2, 3])),
        ], metadata: ["who": "a test"], to: path)
    let original = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    var generator = FuzzGenerator(seed: fuzzSeed)
    var (readCount, refusedCount) = (0, 0)
    for _ in 0..<(10 * fuzzRounds) {
        let damaged = Data(generator.damaged(original))
        do throws(ClassifierError) {
            let file = try Safetensors(path: "p", file: damaged)
            for entry in file.entries {
                // Every tensor that is announced can be asked for.
                _ = try? file.floats(entry.name)
                _ = try? file.integers(entry.name)
                _ = try? file.bytes(entry.name)
            }
            readCount += 1
        } catch {
            #expect("\(error)".contains("p"))
            refusedCount += 1
        }
    }
    #expect(readCount > 0 && refusedCount > 0)
}
