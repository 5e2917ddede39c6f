import ChildProcess
import Foundation

/// A program to be run for its words and its status.
public struct Command: Hashable, Sendable {
    /// The program, looked up in the search path, and its arguments.
    public var words: [String]
    /// What it reads on its standard input; nil is nothing.
    public var input: String?
    /// After so long it is killed.
    public var timeoutMs: Int64

    public init(_ words: [String], input: String? = nil, timeoutMs: Int64 = 30_000) {
        self.words = words
        self.input = input
        self.timeoutMs = timeoutMs
    }
}

/// How a command went.
public struct CommandResult: Hashable, Sendable {
    /// nil if it was killed, or took too long.
    public var status: Int32?
    /// What it wrote, standard error included.
    public var output: String

    public init(status: Int32?, output: String) {
        self.status = status
        self.output = output
    }

    public var isSuccess: Bool { status == 0 }

    /// The values of the lines that a script of ours wrote: `alsweep:NAME VALUE`.
    func values(_ name: String) -> [String] {
        output.split(separator: "\n").compactMap { line in
            let prefix = "alsweep:\(name) "
            return line.hasPrefix(prefix) ? String(line.dropFirst(prefix.count)) : nil
        }
    }

    /// The last line that says something, as an explanation.
    var lastLine: String {
        let lines = output.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("alsweep:") }
        let text = lines.last.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
        if !text.isEmpty { return text }
        return status.map { "it ended with status \($0)" } ?? "it did not answer in time"
    }
}

/// A command that is being run. It is asked for its end, and never waited for.
final class CommandRun {
    private static let maximumOutput = 1 << 20

    private let process: ChildProcess
    private let deadline: Int64
    private let inputPath: String?
    private var output: [UInt8] = []
    private var hasEnded = false

    /// - Parameter folder: where its input is kept while it runs.
    init(_ command: Command, folder: String, at now: Int64) throws {
        deadline = now + command.timeoutMs
        var source = "/dev/null"
        if let input = command.input {
            source = "\(folder)/\(UUID().uuidString)"
            let data = Data(input.utf8)
            guard
                FileManager.default.createFile(
                    atPath: source, contents: data, attributes: [.posixPermissions: 0o600])
            else { throw CocoaError(.fileWriteUnknown) }
            inputPath = source
        } else {
            inputPath = nil
        }
        // What it says of a failure stands among its output.
        process = try ChildProcess(
            program: "/bin/sh",
            arguments: [
                "-c", "source=$1; shift; exec \"$@\" 2>&1 <\"$source\"", "sh", source,
            ] + command.words)
    }

    deinit { kill() }

    /// Its result if it has ended.
    func poll(at now: Int64) -> CommandResult? {
        while let bytes = process.readOutput(), !bytes.isEmpty {
            if output.count < Self.maximumOutput { output += bytes }
        }
        if let end = process.poll() {
            // What it wrote last may have come since.
            while let bytes = process.readOutput(), !bytes.isEmpty { output += bytes }
            hasEnded = true
            removeInput()
            let status: Int32? = if case .exited(let status) = end { status } else { nil }
            return CommandResult(status: status, output: text)
        }
        guard now >= deadline else { return nil }
        kill()
        return CommandResult(status: nil, output: text)
    }

    private var text: String { String(decoding: output, as: UTF8.self) }

    func kill() {
        guard !hasEnded else { return }
        hasEnded = true
        process.kill(SIGKILL)
        _ = process.wait()
        removeInput()
    }

    private func removeInput() {
        if let inputPath { try? FileManager.default.removeItem(atPath: inputPath) }
    }
}
