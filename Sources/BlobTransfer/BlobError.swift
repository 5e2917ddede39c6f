import Glibc
import Wire

/// Why a blob could not be sent or stored.
public enum BlobError: Error, Hashable, Sendable {
    case storage(path: String, code: Int32)
    case noSpace(folder: String, needed: Int, available: Int)
    /// All its bytes came, and are not what was announced.
    case wrongDigest(path: String, expected: BlobDigest, found: String)
    case tooLarge(byteCount: Int, limit: Int)
    case wrongLength(offset: Int, byteCount: Int, expected: Int)
    case refused(String)
    case dataset(String)
}

extension BlobError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .storage(let path, let code): "\(path): \(String(cString: strerror(code)))"
        case .noSpace(let folder, let needed, let available):
            "no space is left in \(folder): \(needed) bytes are needed and \(available) are free"
        case .wrongDigest(let path, let expected, let found):
            "\(path) arrived damaged: its SHA-256 is \(found), and \(expected) was announced"
        case .tooLarge(let byteCount, let limit):
            "a file of \(byteCount) bytes was announced; the limit is \(limit)"
        case .wrongLength(let offset, let byteCount, let expected):
            "the chunk at \(offset) has \(byteCount) bytes instead of \(expected)"
        case .refused(let reason), .dataset(let reason): reason
        }
    }

    /// The remedy, where there is one to name.
    public var hint: String? {
        switch self {
        case .storage(_, ENOSPC), .storage(_, EDQUOT), .noSpace:
            "free some space; it is tried again by itself"
        case .storage(let path, _): "check that \(path) can be written"
        case .wrongDigest, .tooLarge, .wrongLength, .refused, .dataset: nil
        }
    }

    /// Whether the same may work later.
    public var mayPass: Bool {
        switch self {
        case .storage, .noSpace, .wrongDigest: true
        case .tooLarge, .wrongLength, .refused, .dataset: false
        }
    }
}
