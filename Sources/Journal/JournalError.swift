/// What can go wrong with a journal.
public enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    case missing(path: String)
    /// It is a file of something else, or damaged.
    case foreign(path: String, reason: String)
    case newerFormat(path: String, format: Int, supported: Int)
    case diskFull(path: String)
    /// Another program holds a lock on it.
    case busy(path: String)
    /// It cannot be opened as it must be: the file or its folder is not ours to write.
    case unwritable(path: String, reason: String)
    /// SQLite refused otherwise.
    case failed(path: String, reason: String)
    case damaged(path: String, record: Int64, reason: String)

    public var description: String {
        switch self {
        case .missing(let path): "there is no journal at \(path)"
        case .foreign(let path, let reason): "\(path) is not a journal of alsweep: \(reason)"
        case .newerFormat(let path, let format, let supported):
            "\(path) was written by format \(format); this alsweep reads up to \(supported)"
        case .diskFull(let path): "no space is left for \(path)"
        case .busy(let path): "another program keeps \(path) locked"
        case .unwritable(let path, let reason), .failed(let path, let reason):
            "\(path): \(reason)"
        case .damaged(let path, let record, let reason):
            "\(path) is damaged at record \(record): \(reason)"
        }
    }

    /// Whether trying again later can help.
    public var mayPass: Bool {
        switch self {
        case .diskFull, .busy: true
        case .missing, .foreign, .newerFormat, .unwritable, .failed, .damaged: false
        }
    }

    public var hint: String {
        switch self {
        case .missing: "give a run's folder, as in runs/quick-20260131-120000"
        case .foreign: "the file was not changed; restore it from a copy"
        case .newerFormat: "upgrade alsweep; the file was not changed"
        case .diskFull: "free some space; nothing that was acknowledged is lost"
        case .busy: "end the transaction of whoever has it open"
        case .unwritable, .failed: "check the folder's permissions and its disk"
        case .damaged:
            "the file was not changed; restore it from a copy, or keep what is before the damage with "
                + "`alsweep journal repair`"
        }
    }
}
