import ChildProcess
import Foundation
import Testing

/// A folder that goes with the test.
struct TemporaryFolder: ~Copyable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "alsweep-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Tests of real processes, one after the other: they share the cores.
@Suite(.serialized) enum Acceptance {}

/// The program under test, as the build made it beside the tests.
enum Program {
    static let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("alsweep").path

    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Starts it in the folder; its standard error goes to a file there, and what it would keep in
    /// the user's folders too.
    ///
    /// - Parameters:
    ///   - environment: variables that differ from the tests', as `NAME=VALUE`.
    ///   - place: a command that runs another one elsewhere, as `nsenter` does; empty is here.
    static func start(
        _ arguments: [String], in folder: borrowing TemporaryFolder, environment: [String] = [],
        place: [String] = []
    ) throws -> Running {
        let log = "\(folder.path)/\(UUID().uuidString).err"
        // env -C changes the folder and becomes the program.
        let words =
            place + [
                "/usr/bin/env", "-C", folder.path, "XDG_CACHE_HOME=\(folder.path)/cache",
                "XDG_DATA_HOME=\(folder.path)/share",
            ] + environment + [path] + arguments
        let process = try ChildProcess(
            program: words[0], arguments: Array(words.dropFirst()), log: log)
        return Running(process, log: log)
    }

    static func run(
        _ arguments: [String], in folder: borrowing TemporaryFolder, environment: [String] = []
    ) throws -> Result {
        try start(arguments, in: folder, environment: environment).result()
    }

    final class Running {
        private let process: ChildProcess
        private let log: String
        private var output: [UInt8] = []
        private var status: ProcessEnd?

        init(_ process: consuming ChildProcess, log: String) {
            self.process = process
            self.log = log
        }

        deinit { if status == nil { process.kill(SIGKILL) } }

        var identifier: pid_t { process.identifier }

        var errors: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

        func signal(_ number: Int32) { process.kill(number) }

        var hasEnded: Bool {
            while let bytes = process.readOutput(), !bytes.isEmpty { output += bytes }
            if status == nil { status = process.poll() }
            return status != nil
        }

        /// Waits for its end.
        func result() -> Result {
            if !wait(upToSeconds: 200, until: { self.hasEnded }) {
                signal(SIGKILL)
                status = process.wait()
            }
            while let bytes = process.readOutput(), !bytes.isEmpty { output += bytes }
            let number: Int32 = if case .exited(let status) = status { status } else { -1 }
            return Result(
                status: number, output: String(decoding: output, as: UTF8.self), errors: errors)
        }

        /// Waits until a file is there, or the program has ended.
        func waitForFile(_ path: String) throws {
            try #require(
                wait(upToSeconds: 120) {
                    FileManager.default.fileExists(atPath: path) || self.hasEnded
                }, "\(path) was never written")
        }

        /// Waits until its standard error holds a text.
        func waitForErrors(containing text: String) throws {
            try #require(
                wait(upToSeconds: 120) { self.errors.contains(text) || self.hasEnded }
                    && errors.contains(text), "'\(text)' never came:\n\(errors)")
        }
    }
}

/// Waits until a condition holds, looking again after short pauses, up to a deadline.
func wait(upToSeconds seconds: Double, until holds: () -> Bool) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while !holds() {
        if Date() > deadline { return false }
        usleep(20_000)
    }
    return true
}

/// Processes whose command line holds a text: those that a killed process left behind.
func processes(holding text: String) -> [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { identifier in
        guard identifier != getpid(),
            let line = FileManager.default.contents(atPath: "/proc/\(identifier)/cmdline")
        else { return false }
        return String(decoding: line, as: UTF8.self).contains(text)
    }
}

/// The processes that a process has started.
func children(of parent: pid_t) -> [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { identifier in
        guard let data = FileManager.default.contents(atPath: "/proc/\(identifier)/stat"),
            let rest = String(decoding: data, as: UTF8.self).split(separator: ")").last
        else { return false }
        // After the name: the state, and the parent.
        let fields = rest.split(separator: " ")
        return fields.count > 1 && pid_t(fields[1]) == parent
    }
}
