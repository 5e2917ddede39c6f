import FakePlugIn
import Foundation
import Testing

@testable import Classifier

/// What goes wrong before libtorch computes anything, with small libraries in the plug-in's place: no
/// PyTorch is needed, but a C compiler.
@Suite(
    "A plug-in that cannot be used is told with the remedy",
    .enabled(if: FakePlugIn.compiler != nil, "there is no C compiler to make a plug-in with"))
struct TorchLibraryTests {
    /// What loading such a plug-in says.
    private func refusal(_ plugIn: FakePlugIn) -> String {
        do {
            _ = try plugIn.load()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("a file that is not there")
    func missing() {
        let error = #expect(throws: ClassifierError.self) {
            try TorchLibrary(path: "/nowhere/alsweep-torch.so")
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("there is no file /nowhere/alsweep-torch.so"))
        #expect(text.contains("hint: build it with cluster/build-torch-engine.sh"))
    }

    @Test("a file that is no library")
    func noLibrary() throws {
        let plugIn = try FakePlugIn(bytes: "not a library")
        let text = refusal(plugIn)
        #expect(text.contains("\(plugIn.path) cannot be loaded:"))
        #expect(text.contains("again on this machine"))
    }

    @Test("a library of something else")
    func otherLibrary() throws {
        let plugIn = try FakePlugIn(source: "int something(void) { return 1; }")
        #expect(refusal(plugIn).contains("\(plugIn.path) is not alsweep's plug-in"))
    }

    @Test("a library whose own libraries are missing")
    func brokenLibrary() throws {
        let plugIn = try FakePlugIn(
            source:
                "int missing_function(void); int alsweep_torch(void) { return missing_function(); }"
        )
        let text = refusal(plugIn)
        #expect(text.contains("cannot be loaded:") && text.contains("missing_function"))
    }

    @Test("one of another version of the interface, of which nothing else is read")
    func otherVersion() throws {
        let plugIn = try FakePlugIn(
            source: "unsigned version = 1000; void *alsweep_torch(void) { return &version; }")
        let text = refusal(plugIn)
        #expect(text.contains("was built for version 1000 of the plug-in's interface"))
        #expect(text.contains("this alsweep has version 1"))
    }

    @Test("one that was built with a PyTorch that is too old", arguments: ["2.0.1", "1.13.0", "?"])
    func oldTorch(version: String) throws {
        let text = refusal(try FakePlugIn(torchVersion: version))
        #expect(text.contains("built with PyTorch \(version), which is too old"))
        #expect(text.contains("install PyTorch 2.1 or later"))
    }

    @Test(
        "one that can be used tells what it was built with", arguments: ["2.1.0", "2.15.0", "3.0"])
    func usable(version: String) throws {
        let library = try FakePlugIn(torchVersion: version).load()
        #expect(library.torchVersion == version)
        #expect(!library.hasCUDA)
    }

    @Test(
        "no GPU, too little of its memory, no such precision, and any other failure are told apart",
        arguments: [
            (1, "libtorch failed in 'create': the reason"),
            (2, "the GPU's memory does not suffice: the reason\nhint: run fewer trials"),
            (
                3,
                "engine torch finds no GPU: the reason\nhint: build it with cluster/build-torch-engine.sh "
                    + "against a PyTorch with CUDA; ALSWEEP_TORCH_DEVICE=cpu"
            ),
            (
                4,
                "engine torch cannot compute as asked: the reason\nhint: ask for precision float32"
            ),
        ])
    func failures(status: Int, expected: String) throws {
        let library = try FakePlugIn(createStatus: status).load()
        let network = ResNet18(width: 1, classes: 2)
        let error = #expect(throws: ClassifierError.self) {
            try TorchEngine(
                network, network.initialState(seed: 1), device: .cuda, library: library)
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.hasPrefix(expected), "\(text)")
    }

    @Test("it is looked for where the environment says, and else beside the program")
    func place() {
        let named = TorchLibrary.place(in: ["ALSWEEP_TORCH_ENGINE": "/opt/engine.so"])
        #expect(named == "/opt/engine.so")
        for environment in [[:], ["ALSWEEP_TORCH_ENGINE": ""]] {
            let beside = TorchLibrary.place(in: environment)
            #expect(beside.hasPrefix("/") && beside.hasSuffix("/alsweep-torch.so"))
            #expect(
                FileManager.default.fileExists(
                    atPath: URL(fileURLWithPath: beside).deletingLastPathComponent().path))
        }
    }

    @Test("the GPU is the default, the CPU must be asked for, and nothing else is understood")
    func device() throws {
        #expect(try TorchDevice.chosen(in: [:]) == .cuda)
        #expect(try TorchDevice.chosen(in: ["ALSWEEP_TORCH_DEVICE": "cpu"]) == .cpu)
        #expect(try TorchDevice.chosen(in: ["ALSWEEP_TORCH_DEVICE": "cuda"]) == .cuda)
        let error = #expect(throws: ClassifierError.self) {
            try TorchDevice.chosen(in: ["ALSWEEP_TORCH_DEVICE": "gpu"])
        }
        #expect(
            error.map { "\($0)" }
                == "ALSWEEP_TORCH_DEVICE is 'gpu'\nhint: it is cuda, for the first GPU that alsweep sees, "
                + "or cpu")
    }
}

extension FakePlugIn {
    /// What is loaded stays when the file is removed.
    fileprivate func load() throws -> TorchLibrary {
        try withExtendedLifetime(self) { try TorchLibrary(path: path) }
    }
}
