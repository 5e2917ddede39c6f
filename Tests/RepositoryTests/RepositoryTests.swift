import Foundation
import Testing

/// The repository's root, from this file's place in it.
let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

private func swiftFiles(under folder: String) -> [URL] {
    let root = repository.appendingPathComponent(folder)
    let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
    return (files?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
}

@Test("every target imports only what the architecture allows it")
func importsFollowTheArchitecture() throws {
    let files = swiftFiles(under: "Sources")
    #expect(files.count > 50)
    let root = repository.appendingPathComponent("Sources").path
    for file in files {
        let target = String(file.path.dropFirst(root.count + 1).split(separator: "/")[0])
        let source = try String(contentsOf: file, encoding: .utf8)
        for fault in brokenImports(in: source, file: file.lastPathComponent, target: target) {
            Issue.record("\(fault)")
        }
    }
}

@Test("the import check finds what it is for")
func importCheckCanFail() {
    let clock = brokenImports(in: "import Foundation\n", file: "A.swift", target: "Coordinator")
    #expect(clock.count == 1 && clock[0].contains("pass what it needs"))
    let submodule = brokenImports(
        in: "@testable import struct Glibc.stat", file: "A.swift", target: "Wire")
    #expect(submodule.count == 1)
    let yaml = brokenImports(in: "import Yams", file: "Trial.swift", target: "SweepModel")
    #expect(yaml.count == 1 && yaml[0].contains("SweepFile.swift"))
    #expect(brokenImports(in: "import X", file: "A.swift", target: "NewTarget").count == 1)
    #expect(brokenImports(in: "import SweepModel", file: "A.swift", target: "Wire").isEmpty)
}

@Test("the pure targets read no clock, no randomness of the system and no environment")
func pureTargetsArePure() throws {
    let forbidden = [
        "ContinuousClock", "SuspendingClock", "Date()", "SystemRandomNumberGenerator", ".random(",
        ".shuffled()", "randomElement()", "ProcessInfo",
    ]
    for target in ["SweepModel", "Wire", "Coordinator", "Agent", "Simulation", "Reporting"] {
        for file in swiftFiles(under: "Sources/\(target)") {
            let source = try String(contentsOf: file, encoding: .utf8)
            for word in forbidden where source.contains(word) {
                Issue.record(
                    "\(target)/\(file.lastPathComponent) uses \(word): take it as an argument")
            }
        }
    }
}

@Test("every sweep opens with its question")
func sweepsOpenWithTheirQuestion() throws {
    let folder = repository.appendingPathComponent("sweeps")
    let files = try FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: nil)
    #expect(!files.isEmpty)
    for file in files {
        let text = try String(contentsOf: file, encoding: .utf8)
        let comment = text.prefix { $0 != "\n" }
        #expect(comment.hasPrefix("# "), "\(file.lastPathComponent) opens with no comment")
        #expect(text.contains("?"), "\(file.lastPathComponent) asks nothing")
    }
}
