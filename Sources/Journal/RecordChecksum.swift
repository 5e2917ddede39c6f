import CZlib

/// The CRC-32 (RFC 1952) of a row's columns. Sequence and time are hashed too, so that a row at
/// another place does not pass.
struct RecordChecksum {
    private var remainder: UInt = 0

    var value: Int64 { Int64(remainder) }

    init(sequence: Int64, time: Double) {
        append(UInt64(bitPattern: sequence))
        append(time.bitPattern)
    }

    mutating func append(_ word: UInt64) {
        withUnsafeBytes(of: word.littleEndian) { append(part: $0) }
    }

    /// Appends a column's bytes and their count, which tells where the next one starts.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        append(part: bytes)
        append(UInt64(bytes.count))
    }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    private mutating func append(part: UnsafeRawBufferPointer) {
        // Columns are far below 4 GiB: SQLite's own limit is 1 GB.
        guard let base = part.baseAddress else { return }
        remainder = crc32(
            remainder, base.assumingMemoryBound(to: UInt8.self), UInt32(part.count))
    }
}
