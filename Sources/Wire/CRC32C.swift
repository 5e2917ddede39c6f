/// CRC-32C, the Castagnoli checksum of iSCSI (RFC 3720, section 12.1 and appendix B.4): reflected
/// polynomial 0x82F63B78, initial value and final complement all ones.
///
/// It guards against damage, not against an adversary; CURVE authenticates what crosses a network.
public struct CRC32C: Sendable {
    private var remainder: UInt32 = 0xFFFF_FFFF

    /// The checksum of nothing yet.
    public init() {}

    /// The checksum of every byte so far.
    public var value: UInt32 { ~remainder }

    /// The checksum of `bytes` alone.
    public static func checksum(of bytes: [UInt8]) -> UInt32 {
        var checksum = CRC32C()
        checksum.update(with: bytes.span)
        return checksum.value
    }

    /// Appends `bytes`, eight at a time.
    public mutating func update(with bytes: Span<UInt8>) {
        let tables = Self.tables.span
        var remainder = remainder
        var index = 0
        let blockEnd = bytes.count & ~7
        while index < blockEnd {
            let low = remainder ^ Self.littleEndianWord(bytes, at: index)
            let high = Self.littleEndianWord(bytes, at: index + 4)
            remainder =
                tables[1792 + Int(low & 0xFF)] ^ tables[1536 + Int((low >> 8) & 0xFF)]
                ^ tables[1280 + Int((low >> 16) & 0xFF)] ^ tables[1024 + Int(low >> 24)]
                ^ tables[768 + Int(high & 0xFF)] ^ tables[512 + Int((high >> 8) & 0xFF)]
                ^ tables[256 + Int((high >> 16) & 0xFF)] ^ tables[Int(high >> 24)]
            index += 8
        }
        while index < bytes.count {
            remainder = (remainder >> 8) ^ tables[Int((remainder ^ UInt32(bytes[index])) & 0xFF)]
            index += 1
        }
        self.remainder = remainder
    }

    /// Appends `word` as four bytes, least significant first.
    public mutating func update(withLittleEndian word: UInt32) {
        for byte in word.littleEndianBytes {
            remainder = (remainder >> 8) ^ Self.tables[Int((remainder ^ UInt32(byte)) & 0xFF)]
        }
    }

    /// Eight tables of 256: entry `256·k + b` is the remainder of byte `b` followed by `k` zeros.
    private static let tables: [UInt32] = {
        let polynomial: UInt32 = 0x82F6_3B78
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 {
                remainder = (remainder >> 1) ^ (remainder & 1 == 1 ? polynomial : 0)
            }
            tables[byte] = remainder
        }
        for entry in 256..<(8 * 256) {
            let shorter = tables[entry - 256]
            tables[entry] = (shorter >> 8) ^ tables[Int(shorter & 0xFF)]
        }
        return tables
    }()

    private static func littleEndianWord(_ bytes: Span<UInt8>, at index: Int) -> UInt32 {
        UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]) << 16
            | UInt32(bytes[index + 3]) << 24
    }
}

extension UInt32 {
    /// Its four bytes, least significant first.
    var littleEndianBytes: [UInt8] {
        [
            UInt8(truncatingIfNeeded: self), UInt8(truncatingIfNeeded: self >> 8),
            UInt8(truncatingIfNeeded: self >> 16), UInt8(truncatingIfNeeded: self >> 24),
        ]
    }
}
