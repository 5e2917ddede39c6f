import Classifier
import Foundation
import Testing

/// The vectors that PyTorch computed in float64 for a small network and three SGD steps. Another
/// folder of the same shape may be named by ALSWEEP_FIXTURES.
struct OracleVectors {
    let file: Safetensors
    let network: ResNet18
    let images: [Float]
    let labels: [Int32]
    let optimizer: SGD

    init() throws {
        let path =
            if let folder = ProcessInfo.processInfo.environment["ALSWEEP_FIXTURES"] {
                folder + "/resnet18_w8_sgd.safetensors"
            } else {
                try #require(
                    Bundle.module.path(
                        forResource: "resnet18_w8_sgd", ofType: "safetensors",
                        inDirectory: "Fixtures"))
            }
        let file = try Safetensors(path: path)
        self.file = file
        func number<Number: LosslessStringConvertible>(_ key: String) throws -> Number {
            try #require(file.metadata[key].flatMap(Number.init), "metadata '\(key)'")
        }
        let bias = try #require(file.entry("initial.linear.bias"))
        network = ResNet18(width: try number("width"), classes: bias.shape[0])
        images = try file.floats("input")
        labels = try file.integers("labels").map(Int32.init)
        optimizer = SGD(
            learningRate: try number("lr"), momentum: try number("momentum"),
            weightDecay: try number("weight_decay"))
    }

    func state(_ prefix: String) throws -> NetworkState {
        try NetworkState(reading: file, network: network, prefix: prefix + ".")
    }
}

/// The largest deviation from `expected`, relative to the largest magnitude in it: single values
/// near 0 carry the rounding of the large ones that were summed up with them.
func deviation<Expected: BinaryFloatingPoint>(
    _ actual: [Float], from expected: [Expected]
) -> Double {
    guard actual.count == expected.count, !expected.isEmpty else { return .infinity }
    var largest = 0.0
    var worst = 0.0
    for (a, e) in zip(actual, expected) {
        largest = max(largest, abs(Double(e)))
        let difference = abs(Double(a) - Double(e))
        // A comparison with what is not a number is false, so it would pass unseen.
        guard difference.isFinite else { return .infinity }
        worst = max(worst, difference)
    }
    return worst / max(largest, Double(Float.leastNormalMagnitude))
}

/// The engines under test: libtorch where a plug-in is named, see `TorchPresence`.
enum EngineKind: CaseIterable {
    case oneDNN
    case openBLAS
    case torch

    static var allCases: [EngineKind] {
        TorchPresence.isNamed ? [.oneDNN, .openBLAS, .torch] : [.oneDNN, .openBLAS]
    }

    func make(_ network: ResNet18, _ state: NetworkState) throws -> any InspectableEngine {
        switch self {
        case .oneDNN: try OneDNNEngine(network, state)
        case .openBLAS: try OpenBLASEngine(network, state)
        case .torch: try TorchEngine(network, state)
        }
    }
}

extension ClassifierEngine {
    func trainStep(_ images: [Float], _ labels: [Int32], _ optimizer: SGD) throws -> Double {
        try trainStep(images: images.span, labels: labels.span, optimizer: optimizer)
    }

    /// The logits of all images, row-major.
    func logits(_ images: [Float]) throws -> [Float] {
        let count = images.count / ResNet18.imageElementCount
        var logits = [Float](repeating: .nan, count: count * network.classes)
        var span = logits.mutableSpan
        try evaluate(images: images.span, imageCount: count, logits: &span)
        return logits
    }
}

/// A small fast generator for test inputs (SplitMix64, Steele et al. 2014).
struct TestGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// In [0, 1).
    mutating func uniform() -> Float {
        Float(next() >> 40) * 0x1p-24
    }
}

extension ResNet18 {
    func initialState(seed: UInt64) -> NetworkState {
        var generator = TestGenerator(seed: seed)
        return initialState { generator.uniform() }
    }

    /// Uniform values with about the spread of normalised images, and labels.
    func randomBatch(_ count: Int, seed: UInt64) -> (images: [Float], labels: [Int32]) {
        var generator = TestGenerator(seed: seed)
        let images = (0..<count * Self.imageElementCount).map { _ in generator.uniform() * 4 - 2 }
        let labels = (0..<count).map { _ in Int32(generator.next() % UInt64(classes)) }
        return (images, labels)
    }
}

extension NetworkState {
    /// All tensors' bytes one after the other.
    var bytes: [UInt8] {
        var all: [UInt8] = []
        forEachTensorBytes { _, bytes in all += bytes }
        return all
    }
}
