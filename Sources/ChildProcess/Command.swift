import Foundation
import Glibc

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
}

/// A command that is being run. It is asked for its end, and never waited for.
public final class CommandRun {
    private static let maximumOutput = 1 << 20
    /// What is killed ends at once, unless it hangs in the kernel.
    private static let killDelayMs = 200

    private let process: ChildProcess
    private let deadline: Int64
    private let inputPath: String?
    private var output: [UInt8] = []
    private var hasTold = false
    /// Whether its process has ended, as far as it was looked.
    private var hasEnded = false

    /// - Parameter folder: where its input is kept while it runs; nil for a command without any.
    public init(_ command: Command, folder: String? = nil, at now: Int64) throws {
        deadline = now + command.timeoutMs
        var source = "/dev/null"
        if let input = command.input, let folder {
            source = "\(folder)/\(UUID().uuidString)"
            let data = Data(input.utf8)
            guard
                FileManager.default.createFile(
                    atPath: source, contents: data, attributes: [.posixPermissions: 0o600])
            else { throw CocoaError(.fileWriteUnknown) }
            inputPath = source
        } else {
            precondition(command.input == nil, "a command's input is kept in a folder")
            inputPath = nil
        }
        // What it says of a failure stands among its output.
        process = try ChildProcess(
            program: "/bin/sh",
            arguments: [
                "-c", "source=$1; shift; exec \"$@\" 2>&1 <\"$source\"", "sh", source,
            ] + command.words)
    }

    deinit {
        kill()
        for _ in 0..<Self.killDelayMs where !isGone { usleep(1_000) }
    }

    /// Its result, once, when it has ended, or has had its time and is killed.
    public func poll(at now: Int64) -> CommandResult? {
        guard !hasTold else { return nil }
        while let bytes = process.readOutput(), !bytes.isEmpty {
            if output.count < Self.maximumOutput { output += bytes }
        }
        if let end = process.poll() {
            // What it wrote last may have come since.
            while let bytes = process.readOutput(), !bytes.isEmpty { output += bytes }
            hasEnded = true
            hasTold = true
            removeInput()
            let status: Int32? = if case .exited(let status) = end { status } else { nil }
            return CommandResult(status: status, output: text)
        }
        guard now >= deadline else { return nil }
        kill()
        return CommandResult(status: nil, output: text)
    }

    private var text: String { String(decoding: output, as: UTF8.self) }

    /// Ends it, without a result and without waiting for it.
    public func kill() {
        hasTold = true
        removeInput()
        if !isGone { process.kill(SIGKILL) }
    }

    /// Whether its process has ended.
    public var isGone: Bool {
        if !hasEnded, process.poll() != nil { hasEnded = true }
        return hasEnded
    }

    private func removeInput() {
        if let inputPath { try? FileManager.default.removeItem(atPath: inputPath) }
    }
}
