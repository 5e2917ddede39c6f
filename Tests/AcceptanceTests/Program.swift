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

/// The program under test, as the build made it beside the tests.
enum Program {
    static let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("alsweep").path

    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Starts it; standard output and error go to files in the folder.
    static func start(_ arguments: [String], in folder: borrowing TemporaryFolder) throws -> Running {
        let identifier = UUID().uuidString
        let output = "\(folder.path)/\(identifier).out"
        let errors = "\(folder.path)/\(identifier).err"
        for file in [output, errors] { try Data().write(to: URL(fileURLWithPath: file)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: errors)
        try process.run()
        return Running(process: process, outputPath: output, errorPath: errors)
    }

    static func run(_ arguments: [String], in folder: borrowing TemporaryFolder) throws -> Result {
        try start(arguments, in: folder).result()
    }

    final class Running {
        let process: Process
        private let outputPath: String
        private let errorPath: String

        init(process: Process, outputPath: String, errorPath: String) {
            self.process = process
            self.outputPath = outputPath
            self.errorPath = errorPath
        }

        deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

        var errors: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }

        func signal(_ number: Int32) { kill(process.processIdentifier, number) }

        /// Waits for its end.
        func result() -> Result {
            let hasEnded = wait(upToSeconds: 300) { !self.process.isRunning }
            if !hasEnded { signal(SIGKILL) }
            process.waitUntilExit()
            return Result(
                status: hasEnded ? process.terminationStatus : -1,
                output: (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "",
                errors: errors)
        }

        /// Waits until its standard error holds a text.
        func waitForErrors(containing text: String) throws {
            try #require(
                wait(upToSeconds: 120) { self.errors.contains(text) || !self.process.isRunning }
                    && errors.contains(text), "'\(text)' never came:\n\(errors)")
        }
    }
}

/// Waits until a condition holds, looking again after short pauses, up to a deadline.
func wait(upToSeconds seconds: Double, until holds: () -> Bool) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while !holds() {
        if Date() > deadline { return false }
        RunLoop.current.run(until: Date(timeIntervalSinceNow: 0.02))
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
