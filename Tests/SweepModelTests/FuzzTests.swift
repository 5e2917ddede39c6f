import Foundation
import Fuzzing
import Testing

@testable import SweepModel

@Test("damaged sweep files are read or told with their place; they never end the process")
func damagedSweepFiles() throws {
    let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("sweeps")
    let files = try FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: nil
    ).sorted { $0.path < $1.path }
    var generator = FuzzGenerator(seed: fuzzSeed)
    var (readCount, refusedCount) = (0, 0)
    for file in files {
        let original = try [UInt8](Data(contentsOf: file))
        for _ in 0..<fuzzRounds {
            let text = String(decoding: generator.damaged(original), as: UTF8.self)
            do throws(SweepFileError) {
                let sweep = try SweepFile.parse(text, name: "f")
                #expect(sweep.trialCount > 0)
                readCount += 1
            } catch {
                #expect(error.description.hasPrefix("f"))
                refusedCount += 1
            }
        }
    }
    #expect(readCount > 0 && refusedCount > 0)
}
