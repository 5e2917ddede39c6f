import Classifier
import Foundation
import Testing

private let profiledWidths = ProcessInfo.processInfo.environment["ALSWEEP_PROFILE"].map {
    $0.split(separator: ",").compactMap { Int($0) }
}

/// Prints where the time goes, on request:
/// `ALSWEEP_PROFILE=64 OMP_NUM_THREADS=1 swift test --filter ProfileTests`.
/// The value lists the widths. Times are the calling thread's CPU time, so that other programs
/// disturb them little; the best of several steps is shown.
@Suite("A profile by kind of work", .enabled(if: profiledWidths != nil), .serialized)
struct ProfileTests {
    private let batch = 128
    private let repetitions = 5

    @Test("a training step and a scoring pass", arguments: profiledWidths ?? [])
    func profile(width: Int) throws {
        let network = ResNet18(width: width, classes: 10)
        let engine = try OneDNNEngine(network, network.initialState(seed: 1))
        let (images, labels) = network.randomBatch(batch, seed: 1)
        let optimizer = SGD(learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4)
        try report("training", width, engine, flops: 3 * network.flopsPerImage) {
            _ = try engine.trainStep(images, labels, optimizer)
        }
        try report("scoring", width, engine, flops: network.flopsPerImage) {
            _ = try engine.logits(images)
        }
        let other = try OpenBLASEngine(network, network.initialState(seed: 1))
        try report("training, OpenBLAS", width, other, flops: 3 * network.flopsPerImage) {
            _ = try other.trainStep(images, labels, optimizer)
        }
        try report("scoring, OpenBLAS", width, other, flops: network.flopsPerImage) {
            _ = try other.logits(images)
        }
    }

    private func report(
        _ what: String, _ width: Int, _ engine: any InspectableEngine, flops: Double,
        _ body: () throws -> Void
    ) throws {
        try body()
        var best: (seconds: Double, profile: Profile)?
        for _ in 0..<repetitions {
            let profile = Profile()
            engine.profile = profile
            let start = Profile.threadSeconds
            try body()
            let seconds = Profile.threadSeconds - start
            if seconds < best?.seconds ?? .infinity { best = (seconds, profile) }
        }
        engine.profile = nil
        guard let best else { return }
        let rate = Double(batch) / best.seconds
        print(
            String(
                format: "width %d, %@: %.1f images/s, %.1f GFLOP/s", width, what, rate,
                rate * flops / 1e9))
        for kind in StepKind.allCases {
            guard let duration = best.profile.seconds[kind] else { continue }
            print(
                String(
                    format: "  %6.2f %%  %8.2f ms  %@", 100 * duration / best.seconds,
                    1e3 * duration, kind.rawValue))
        }
    }
}

extension ResNet18 {
    /// Of the forward pass's convolutions and linear layer, counting a multiply-add as two. A
    /// training step takes three times as many, less the stem's input gradient.
    fileprivate var flopsPerImage: Double {
        let convolutions = units.map(\.convolution).map {
            Double($0.weightShape.reduce(1, *) * $0.outputSide * $0.outputSide)
        }
        return 2 * (convolutions.reduce(0, +) + Double(classes * featureCount))
    }
}
