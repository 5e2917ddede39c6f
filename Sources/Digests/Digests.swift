import CCrypto
import Glibc

/// A hash function of libcrypto.
public enum DigestAlgorithm: String, Hashable, Sendable {
    /// FIPS 180-4; 32 bytes.
    case sha256
    /// RFC 1321; 16 bytes. Only for archives whose publisher gives nothing better.
    case md5

    fileprivate var implementation: OpaquePointer? {
        switch self {
        case .sha256: EVP_sha256()
        case .md5: EVP_md5()
        }
    }
}

/// The hash of some bytes.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// The SHA-256 of bytes in memory.
    public static func sha256(of bytes: RawSpan) -> Digest {
        do {
            var stream = try DigestStream(.sha256)
            stream.update(bytes)
            return stream.finish()
        } catch {
            preconditionFailure("every libcrypto has SHA-256: \(error)")
        }
    }

    /// The SHA-256 of bytes in memory.
    public static func sha256(of bytes: [UInt8]) -> Digest { sha256(of: bytes.span.bytes) }

    /// The hash of a file, which is read in pieces.
    public init(
        ofFile path: String, algorithm: DigestAlgorithm = .sha256
    ) throws(DigestError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, code: errno) }
        defer { close(descriptor) }
        var stream = try DigestStream(algorithm)
        var buffer = [UInt8](repeating: 0, count: Self.fileBufferByteCount)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(path: path, code: errno) }
            guard count > 0 else { break }
            stream.update(buffer.span.extracting(0..<count).bytes)
        }
        self = stream.finish()
    }

    fileprivate init(bytes: [UInt8]) { self.bytes = bytes }

    /// Lower-case, two digits a byte.
    public var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self)
    }

    public var description: String { hexadecimal }

    private static let fileBufferByteCount = 1 << 16
}

/// A hash of bytes that arrive in pieces.
public struct DigestStream: ~Copyable {
    private let context: OpaquePointer

    /// - Throws: `.unavailable` where libcrypto's policy forbids the algorithm (MD5 under FIPS).
    public init(_ algorithm: DigestAlgorithm) throws(DigestError) {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        guard EVP_DigestInit_ex(context, algorithm.implementation, nil) == 1 else {
            EVP_MD_CTX_free(context)
            throw .unavailable(algorithm)
        }
        self.context = context
    }

    public mutating func update(_ bytes: RawSpan) {
        let status = bytes.withUnsafeBytes {
            EVP_DigestUpdate(context, $0.baseAddress, $0.count)
        }
        precondition(status == 1, "EVP_DigestUpdate failed")
    }

    public consuming func finish() -> Digest {
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let status = EVP_DigestFinal_ex(context, &bytes, &count)
        precondition(status == 1, "EVP_DigestFinal_ex failed")
        return Digest(bytes: Array(bytes[..<Int(count)]))
    }

    deinit { EVP_MD_CTX_free(context) }
}

/// Why bytes could not be hashed.
public enum DigestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operating system's error code says why.
    case unreadable(path: String, code: Int32)
    case unavailable(DigestAlgorithm)

    public var description: String {
        switch self {
        case .unreadable(let path, let code):
            "\(path) cannot be read: \(String(cString: strerror(code)))"
        case .unavailable(let algorithm):
            "this libcrypto does not offer \(algorithm.rawValue)"
        }
    }

    public var hint: String {
        switch self {
        case .unreadable: "check that the file exists and that this user may read it"
        case .unavailable: "a FIPS policy may forbid the algorithm; see openssl.cnf"
        }
    }
}
