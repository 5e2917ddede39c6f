import ArgumentParser
import Foundation

/// For `TorchExamination`, in a process of its own.
struct ExamineTorchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "examine-torch", abstract: "What the engine torch can do here.",
        shouldDisplay: false)

    func run() throws {
        let found = try TorchExamination()
        print(String(decoding: try JSONEncoder().encode(found), as: UTF8.self))
    }
}
