import Datasets
import Glibc

/// Why a dataset could not be fetched.
public enum FetchError: Error, Hashable, Sendable {
    /// The server answered, but not with the file.
    case refused(url: String, status: Int)
    /// No server answered, or the connection broke off again and again; `reason` is libcurl's.
    case unreachable(url: String, reason: String)
    /// The server offers or sends a file of another length.
    case wrongLength(url: String, expected: Int, found: Int)
    /// The file arrived in full, but is not the published one. It was removed.
    case wrongFile(url: String, DatasetError)
    /// An archive that is there already, or has come, cannot be used.
    case unusable(DatasetError)
    /// Another process fetches into the same folder.
    case busy(folder: String)
    /// The operating system's error code says why.
    case storage(path: String, code: Int32)
    case noSpace(folder: String, needed: Int, available: Int)
    /// It was asked to stop; what has arrived is kept.
    case stopped
}

extension FetchError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let url, let status): "\(url): the server answered with status \(status)"
        case .unreachable(let url, let reason): "\(url) cannot be downloaded: \(reason)"
        case .wrongLength(let url, let expected, let found):
            "\(url) is of another length: \(found) bytes, and the published file has \(expected)"
        case .wrongFile(let url, let error): "\(url) is not used: \(error)"
        case .unusable(let error): error.description
        case .busy(let folder): "another process is fetching into \(folder)"
        case .storage(let path, let code):
            "\(path) cannot be written: \(String(cString: strerror(code)))"
        case .noSpace(let folder, let needed, let available):
            "\(folder) has \(available) bytes of space left; \(needed) are needed"
        case .stopped: "stopped"
        }
    }

    /// What to do about it.
    public var hint: String {
        switch self {
        case .refused, .unreachable:
            """
            check the address and the network, or name another server with --mirror; what has \
            arrived is kept and taken up by the same command
            """
        case .wrongLength, .wrongFile:
            "the server has another file; name another one with --mirror"
        case .unusable(let error): error.hint
        case .busy: "wait for it, or stop it"
        case .storage, .noSpace:
            "free some space or check the folder's permissions, or name another with --data"
        case .stopped: "the same command goes on where it was"
        }
    }
}
