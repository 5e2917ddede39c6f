import Foundation
import Logging

/// Appends log lines to a file: time, level, message, then the metadata.
struct FileLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    private let handle: FileHandle?

    /// A log that cannot be written is no reason to stop a sweep.
    init(path: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        handle = descriptor >= 0 ? FileHandle(fileDescriptor: descriptor) : nil
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
            .sorted { $0.key < $1.key }
            .map { " \($0.key)=\($0.value)" }
        let time = Date().formatted(.iso8601)
        let line = "\(time) \(event.level) \(event.message)\(fields.joined())\n"
        try? handle?.write(contentsOf: Data(line.utf8))
    }
}
