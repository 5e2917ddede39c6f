import Foundation
import Fuzzing
import SweepModel
import Testing

@testable import Journal

@Suite struct FuzzTests {
    @Test("damaged records are read or refused; the scanner and the parser never end the process")
    func records() throws {
        var generator = FuzzGenerator(seed: fuzzSeed)
        var decoder = RecordDecoder()
        var (readCount, refusedCount) = (0, 0)
        for record in journaledRecords {
            let original = encoded(record)
            for _ in 0..<fuzzRounds {
                let damaged = generator.damaged(original)
                do {
                    _ = try damaged.withUnsafeBytes {
                        try decoder.record(kind: record.kind, body: $0)
                    }
                    readCount += 1
                } catch {
                    refusedCount += 1
                }
                damaged.withUnsafeBytes { _ = try? decoder.picks($0) }
            }
        }
        #expect(readCount > 0 && refusedCount > 0)
    }

    @Test("damaged journals are read as they were written, or refused with what to do")
    func files() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/journal.sqlite"
        do {
            let journal = try Journal.write(at: path)
            try journal.append(journaledRecords, at: Date(timeIntervalSince1970: 1))
        }
        let original = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        var generator = FuzzGenerator(seed: fuzzSeed)
        var (readCount, refusedCount) = (0, 0)
        for _ in 0..<fuzzRounds {
            for end in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: path + end)
            }
            try Data(generator.damaged(original)).write(to: URL(fileURLWithPath: path))
            do throws(JournalError) {
                let read = try Journal.read(at: path).records()
                // Checksums leave nothing that was not written, in its order.
                #expect(read.map(encoded) == journaledRecords.prefix(read.count).map(encoded))
                readCount += 1
            } catch {
                #expect(!error.description.isEmpty)
                refusedCount += 1
            }
        }
        #expect(readCount > 0 && refusedCount > 0)
    }
}
