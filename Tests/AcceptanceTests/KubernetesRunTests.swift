import Foundation
import Testing
import Yams

extension Acceptance {
    /// What the containers would run, run here.
    @Suite struct KubernetesRunTests {
        @Test("the arguments, files and keys that are rendered for Kubernetes run a sweep")
        func renderedSweep() throws {
            let folder = try TemporaryFolder()
            let path = folder.path
            try TinySweep.write(TinySweep.firstStage(epochs: 2), to: folder)
            try "workers:\n  - kubernetes: {image: example.org/alsweep:0.1, slots: 2}".write(
                toFile: path + "/lab.yaml", atomically: true, encoding: .utf8)
            #expect(try Program.run(["keys", "new", "made"], in: folder).status == 0)
            let rendered = try Program.run(
                [
                    "launch", "tiny.yaml", "--cluster", "lab.yaml", "--dry-run", "--certificate",
                    "made/server.cert",
                ], in: folder)
            try #require(rendered.status == 0, "\(rendered.errors)")
            let objects = Array(try Yams.compose_all(yaml: rendered.output))
            try mount("ConfigMap", "data", of: objects, at: path + "/sweep")
            try mount("Secret", "stringData", of: objects, at: path + "/keys")

            let port = try freePort()
            func arguments(_ part: String) throws -> [String] {
                let job = try #require(
                    objects.first { $0["metadata"]?["name"]?.string == "alsweep-tiny-\(part)" })
                let container = job["spec"]?["template"]?["spec"]?["containers"]?[0]
                let words = try #require(container?["args"]?.sequence).compactMap(\.string)
                return words.map { word in
                    if word.hasPrefix("/") { return path + word }
                    return word.replacingOccurrences(of: "//alsweep-tiny:", with: "//127.0.0.1:")
                        .replacingOccurrences(of: ":5555", with: ":\(port)")
                }
            }
            let coordinator = try Program.start(try arguments("coordinator"), in: folder)
            let worker = try Program.start(try arguments("workers"), in: folder)
            let (finished, left) = (coordinator.result(), worker.result())
            #expect(finished.status == 0, "\(finished.errors)")
            #expect(left.status == 0, "\(left.errors)")
            let collected = try Collected.read(try onlyRun(in: folder), in: folder)
            #expect(collected.trials.count == 3)
            #expect(collected.trials.allSatisfy { $0.state == "done" })
        }

        /// An object's texts as the files that a container would see.
        private func mount(
            _ kind: String, _ field: String, of objects: [Node], at folder: String
        ) throws {
            let object = try #require(objects.first { $0["kind"]?.string == kind })
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            for (name, text) in try #require(object[field]?.mapping) {
                let made = FileManager.default.createFile(
                    atPath: "\(folder)/\(name.string ?? "")",
                    contents: Data((text.string ?? "").utf8),
                    attributes: [.posixPermissions: 0o600])
                #expect(made)
            }
        }
    }
}
