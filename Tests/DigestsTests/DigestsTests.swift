import Digests
import Foundation
import Testing

/// The examples of FIPS 180-4 as NIST publishes them (csrc.nist.gov, SHA256.pdf), and those of
/// RFC 1321, appendix A.5.
@Suite struct DigestsTests {
    static let sha256Examples: [(message: [UInt8], hash: String)] = [
        ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (
            Array("abc".utf8),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        ),
        (
            Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            Array(repeating: UInt8(ascii: "a"), count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ]

    static let md5Examples: [(message: String, hash: String)] = [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    ]

    @Test("SHA-256 of bytes is that of FIPS 180-4", arguments: sha256Examples.indices)
    func sha256OfBytes(_ index: Int) {
        let (message, hash) = Self.sha256Examples[index]
        #expect(Digest.sha256(of: message).hexadecimal == hash)
    }

    @Test("bytes in pieces hash as in one", arguments: [1, 55, 64, 65])
    func pieces(_ pieceCount: Int) throws {
        let (message, hash) = Self.sha256Examples[2]
        var stream = try DigestStream(.sha256)
        for start in stride(from: 0, to: message.count, by: pieceCount) {
            let end = min(start + pieceCount, message.count)
            stream.update(message.span.extracting(start..<end).bytes)
        }
        #expect(stream.finish().hexadecimal == hash)
    }

    @Test("a file hashes as its bytes, over more than one read", arguments: sha256Examples.indices)
    func sha256OfFile(_ index: Int) throws {
        let (message, hash) = Self.sha256Examples[index]
        try withFile(message) { path in
            let digest = try Digest(ofFile: path)
            #expect(digest.hexadecimal == hash)
        }
    }

    @Test("MD5 of a file is that of RFC 1321", arguments: md5Examples.indices)
    func md5OfFile(_ index: Int) throws {
        let (message, hash) = Self.md5Examples[index]
        try withFile(Array(message.utf8)) { path in
            let digest = try Digest(ofFile: path, algorithm: .md5)
            #expect(digest.hexadecimal == hash)
        }
    }

    @Test("a missing file and a folder are refused by name")
    func unreadable() throws {
        let missing = "/nonexistent/alsweep"
        let error = #expect(throws: DigestError.unreadable(path: missing, code: ENOENT)) {
            try Digest(ofFile: missing)
        }
        #expect(error?.description.contains(missing) == true)
        #expect(throws: DigestError.unreadable(path: "/", code: EISDIR)) {
            try Digest(ofFile: "/")
        }
    }

    private func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("digest-\(UUID().uuidString)")
        try Data(bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try body(file.path)
    }
}
