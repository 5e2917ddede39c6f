import Classifier
import Foundation
import Testing

@Suite("Tensor files are whole or refused")
struct SafetensorsTests {
    /// A new folder for one test.
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.path + "/tensors-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func write(_ header: String, body: [UInt8], to path: String) throws {
        var file = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
        file.append(contentsOf: header.utf8)
        file.append(contentsOf: body)
        try file.write(to: URL(fileURLWithPath: path))
    }

    @Test("a network is read as it was written, bit for bit")
    func network() throws {
        try inFolder { folder in
            let network = ResNet18(width: 8, classes: 37)
            let state = network.initialState(seed: 1)
            let path = folder + "/network.safetensors"
            try state.write(network, to: path)
            let (readNetwork, readState) = try NetworkState.read(path: path)
            #expect(readNetwork == network)
            #expect(readState.bytes == state.bytes)
            #expect(readState == state)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)

            let first = try Data(contentsOf: URL(fileURLWithPath: path))
            try state.write(network, to: path)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == first)
        }
    }

    @Test("special values, empty tensors and metadata survive")
    func specialValues() throws {
        try inFolder { folder in
            let path = folder + "/values.safetensors"
            let floats: [Float] = [.nan, -.infinity, -0.0, .leastNonzeroMagnitude]
            try Safetensors.write(
                [
                    .init(name: "f/ü\"", shape: [2, 2], values: .float32(floats)),
                    .init(name: "empty", shape: [0, 3], values: .float32([])),
                    .init(name: "i", shape: [2], values: .int64([.min, .max])),
                ], metadata: ["who": "a \"test\""], to: path)
            let file = try Safetensors(path: path)
            #expect(
                try file.floats("f/ü\"", shape: [2, 2]).map(\.bitPattern)
                    == floats.map(\.bitPattern))
            #expect(try file.floats("empty", shape: [0, 3]) == [])
            #expect(try file.integers("i") == [.min, .max])
            #expect(file.metadata == ["who": "a \"test\""])
            // Every tensor is aligned to its elements.
            #expect(file.entry("i")?.byteRange == 0..<16)
        }
    }

    @Test("another program's file gives bytes, types and shapes")
    func foreignFile() throws {
        try inFolder { folder in
            let path = folder + "/foreign.safetensors"
            try write(
                #"{"a":{"dtype":"U8","shape":[3],"data_offsets":[2,5]},"#
                    + #""h":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}   "#,
                body: [1, 2, 3, 4, 5], to: path)
            let file = try Safetensors(path: path)
            #expect(try file.bytes("a") == [3, 4, 5])
            #expect(file.entries.map(\.name) == ["h", "a"])
            #expect(file.entry("h")?.type == .bfloat16)
        }
    }

    /// A header for a body of 8 bytes, the tensor it is wrong about, and what the error must say.
    static let badHeaders: [(header: String, tensor: String?, problem: String)] = [
        ("{", nil, "not the format's JSON"),
        ("[]", nil, "not the format's JSON"),
        ("", nil, "not the format's JSON"),
        (#"{"t":{"dtype":"F32","shape":[2]}}"#, nil, "not the format's JSON"),
        (#"{"t":{"a":"b"}}"#, "t", "malformed"),
        (
            #"{"__metadata__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            "__metadata__", "malformed"
        ),
        (#"{"t":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}"#, "t", "element type 'F31'"),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "t", "do not fit"),
        (#"{"t":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, "t", "do not fit"),
        (#"{"t":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}"#, "t", "do not fit"),
        (
            #"{"t":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, "t",
            "do not fit"
        ),
        (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}"#, "t", "ends at byte 9"),
        (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, "t", "byte range"),
        (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "t", "byte range"),
        (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}}"#, "t", "byte range"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "t", "gap"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, nil, "4 bytes after"),
        (
            #"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
                + #""u":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "u", "overlaps"
        ),
        (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,1e30]}}"#, nil, "JSON"),
    ]

    @Test("a header that lies is refused with the tensor's name", arguments: badHeaders)
    func badHeader(header: String, tensor: String?, problem: String) throws {
        try inFolder { folder in
            let path = folder + "/bad.safetensors"
            try write(header, body: Array(repeating: 0, count: 8), to: path)
            let error = #expect(throws: ClassifierError.self) { try Safetensors(path: path) }
            guard case .file(let errorPath, let name, let text, let remedy) = error else {
                Issue.record("\(error as Any) is no file error")
                return
            }
            #expect(errorPath == path)
            #expect(name == tensor)
            #expect(text.contains(problem), "\(text)")
            #expect(!remedy.isEmpty)
        }
    }

    @Test("a file cut short anywhere is refused")
    func truncation() throws {
        try inFolder { folder in
            let path = folder + "/whole.safetensors"
            try Safetensors.write(
                [.init(name: "t", shape: [4], values: .float32([1, 2, 3, 4]))], metadata: [:],
                to: path)
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            for length in 0..<whole.count {
                try whole.prefix(length).write(to: URL(fileURLWithPath: path))
                #expect(throws: ClassifierError.self, "\(length) bytes") {
                    try Safetensors(path: path)
                }
            }
        }
    }

    @Test("a header larger than the limit is refused before it is read")
    func hugeHeader() throws {
        try inFolder { folder in
            let path = folder + "/huge.safetensors"
            for length in [100_000_001, UInt64.max] {
                var file = withUnsafeBytes(of: length.littleEndian) { Data($0) }
                file.append(contentsOf: "{}".utf8)
                try file.write(to: URL(fileURLWithPath: path))
                let error = #expect(throws: ClassifierError.self) { try Safetensors(path: path) }
                #expect(error.map { "\($0)".contains("the limit is 100000000") } == true)
            }
        }
    }

    @Test("asking for a missing tensor, another type or shape names file, tensor and remedy")
    func wrongQuestions() throws {
        try inFolder { folder in
            let path = folder + "/t.safetensors"
            try Safetensors.write(
                [.init(name: "t", shape: [2], values: .float32([1, 2]))], metadata: [:], to: path)
            let file = try Safetensors(path: path)
            for (ask, words) in [
                ({ _ = try file.floats("u") }, ["'u'", "not in the file"]),
                ({ _ = try file.integers("t") }, ["'t'", "F32", "I64"]),
                ({ _ = try file.floats("t", shape: [2, 1]) }, ["'t'", "[2]", "[2, 1]"]),
            ] as [(() throws -> Void, [String])] {
                let error = #expect(throws: ClassifierError.self) { try ask() }
                let text = error.map { "\($0)" } ?? ""
                #expect((words + [path, "hint: "]).allSatisfy(text.contains), "\(text)")
            }
            #expect(throws: ClassifierError.self) { try NetworkState.read(path: path) }
            for (path, problem) in [
                (folder + "/none", "cannot be read: No such file"), (folder, "is a folder"),
                ("/dev/null", "is not a regular file"),
            ] {
                let error = #expect(throws: ClassifierError.self) { try Safetensors(path: path) }
                #expect(error.map { "\($0)".contains(problem) } == true)
            }
        }
    }

    @Test("a state that PyTorch wrote, without metadata of ours, tells its width and classes")
    func foreignState() throws {
        try inFolder { folder in
            let network = ResNet18(width: 8, classes: 7)
            let state = network.initialState(seed: 5)
            let path = folder + "/foreign.safetensors"
            try Safetensors.write(state.tensors.reversed(), metadata: ["format": "pt"], to: path)
            let (readNetwork, readState) = try NetworkState.read(path: path)
            #expect(readNetwork == network && readState == state)

            let lacking = state.tensors.filter { $0.name != "layer3.1.bn2.running_var" }
            try Safetensors.write(lacking, metadata: [:], to: path)
            let error = #expect(throws: ClassifierError.self) { try NetworkState.read(path: path) }
            #expect(error.map { "\($0)" }?.contains("layer3.1.bn2.running_var") ?? false)
        }
    }

    @Test("a file that cannot be written leaves the old one and no rest")
    func failedWrite() throws {
        try inFolder { folder in
            #expect(throws: ClassifierError.self) {
                try Safetensors.write([], metadata: [:], to: folder + "/no/such/folder")
            }
            let path = folder + "/taken"
            try FileManager.default.createDirectory(
                atPath: path + "/inside", withIntermediateDirectories: true)
            #expect(throws: ClassifierError.self) {
                try Safetensors.write([], metadata: [:], to: path)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["taken"])
        }
    }
}
