import Foundation
import Fuzzing
import SweepModel
import Testing

@testable import Launchers

@Test("damaged cluster files are read or told with their place; they never end the process")
func damagedClusterFiles() throws {
    let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("cluster")
    let files = try FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "yaml" }.sorted { $0.path < $1.path }
    #expect(files.count >= 3)
    var generator = FuzzGenerator(seed: fuzzSeed)
    var (readCount, refusedCount) = (0, 0)
    for file in files {
        let original = try [UInt8](Data(contentsOf: file))
        for _ in 0..<fuzzRounds {
            let text = String(decoding: generator.damaged(original), as: UTF8.self)
            do throws(SweepFileError) {
                _ = try ClusterFile.parse(text, name: "f")
                readCount += 1
            } catch {
                #expect(error.description.hasPrefix("f"))
                refusedCount += 1
            }
        }
    }
    #expect(readCount > 0 && refusedCount > 0)
}
