import Testing

@testable import Wire

@Suite("CRC-32C")
struct CRC32CTests {
    /// A published input and its checksum.
    struct Vector: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        let checksum: UInt32

        var testDescription: String { name }
    }

    /// The five examples of RFC 3720, appendix B.4 (which prints the bytes in wire order), and the
    /// check value of the Rocksoft catalogue.
    static let vectors = [
        Vector(name: "check value", bytes: Array("123456789".utf8), checksum: 0xE306_9283),
        Vector(name: "32 zeros", bytes: Array(repeating: 0, count: 32), checksum: 0x8A91_36AA),
        Vector(name: "32 ones", bytes: Array(repeating: 0xFF, count: 32), checksum: 0x62A8_AB43),
        Vector(name: "ascending", bytes: Array(0...31), checksum: 0x46DD_794E),
        Vector(name: "descending", bytes: Array((0...31).reversed()), checksum: 0x113F_DB5C),
        Vector(
            name: "SCSI Read (10)",
            bytes: [
                0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
                0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
            ], checksum: 0xD996_3A56),
    ]

    @Test("published inputs have their published checksums", arguments: vectors)
    func publishedVector(_ vector: Vector) {
        #expect(CRC32C.checksum(of: vector.bytes) == vector.checksum)
    }

    @Test("the checksum of nothing is zero")
    func empty() {
        #expect(CRC32C.checksum(of: []) == 0)
    }

    @Test("eight bytes at a time agree with the definition, bit by bit, at every length")
    func slicing() {
        var generator = SeededGenerator(seed: 1)
        for byteCount in 0...70 {
            let bytes = generator.bytes(count: byteCount)
            #expect(CRC32C.checksum(of: bytes) == Self.bitwise(bytes), "\(byteCount) bytes")
        }
    }

    @Test("cutting the input in two does not change the checksum")
    func continued() {
        let bytes: [UInt8] = SeededGenerator.bytes(count: 61, seed: 2)
        for cut in 0...bytes.count {
            var checksum = CRC32C()
            checksum.update(with: Array(bytes[..<cut]).span)
            checksum.update(with: Array(bytes[cut...]).span)
            #expect(checksum.value == CRC32C.checksum(of: bytes), "cut at \(cut)")
        }
    }

    @Test("a word counts as its bytes, least significant first")
    func word() {
        var checksum = CRC32C()
        checksum.update(withLittleEndian: 0x3433_3231)
        checksum.update(with: Array("56789".utf8).span)
        #expect(checksum.value == 0xE306_9283)
    }

    /// The definition in RFC 3720, section 12.1, without tables.
    private static func bitwise(_ bytes: [UInt8]) -> UInt32 {
        var remainder: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 {
                remainder = (remainder >> 1) ^ (remainder & 1 == 1 ? 0x82F6_3B78 : 0)
            }
        }
        return ~remainder
    }
}
