import ArgumentParser
import CProcessor
import ChildProcess
import Classifier
import Foundation
import SweepModel
import Synchronization

enum ClassifierWork: String, Codable {
    case train, score
}

/// What is measured.
struct ClassifierWorkload: Codable {
    var work: ClassifierWork
    var engine: EngineName
    var precision: SweepModel.Precision
    var width: Int
    var batchSize: Int
    var threads: Int
    var seconds: Double

    /// Floating-point operations of one image.
    var operationsPerImage: Double {
        network.operationsPerImage * (work == .train ? 3 : 1)
    }

    var network: ResNet18 { ResNet18(width: width, classes: 10) }
}

/// Measures training steps or scoring in processes of their own, which start at the same moment,
/// as the trials of a worker run.
struct ClassifierBenchmark {
    /// Steps before the measurement, in which the libraries make their kernels.
    private static let warmUpCount = 2
    private static let profiledCount = 3
    private static let classes = 10
    /// Of an engine that holds images: more than fit a processor's or GPU's cache.
    private static let heldCount = 10_000
    private static let padding = 4
    private static let optimizer = SGD(learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4)

    let workload: ClassifierWorkload

    init(_ workload: ClassifierWorkload) {
        self.workload = workload
    }

    /// What one process measured.
    struct Measurement: Codable {
        var images: Int
        var seconds: Double
        /// Of all its threads' cores, in operations a second.
        var peakFloat32: Double
        var peakBFloat16: Double
        /// What it is called and, on a GPU, how much of its memory was taken; nil for the CPU's engines.
        var device: String?
        var devicePeakMemoryBytes: Int?
        var peakMemoryBytes: Int
        var profile: [ProfileEntry]
    }

    /// The seconds of one step in one kind of work.
    struct ProfileEntry: Codable {
        var kind: String
        var layer: String?
        var seconds: Double
    }

    /// - Throws: what a child said when it could not go on.
    func run(processes: Int) throws -> ClassifierBenchmarkResult {
        var children: [BenchmarkChild] = []
        for _ in 0..<processes {
            let child = try BenchmarkChild(workload)
            // Processes that share a GPU measure its peak one after the other.
            if workload.engine == .torch { try child.waitUntilReady() }
            children.append(child)
        }
        if workload.engine != .torch { for child in children { try child.waitUntilReady() } }
        for child in children { child.start() }
        let measurements = try children.map { try $0.measurement() }
        return ClassifierBenchmarkResult(workload, measurements)
    }

    /// Measures in this process: says when it is ready, waits for a line, runs, and prints a
    /// measurement.
    func runAsChild() throws {
        let step = try makeStep()
        for _ in 0..<Self.warmUpCount { try step.run() }
        let peaks = try peaks(step)
        writeBytes("ready\n", to: STDOUT_FILENO)
        guard readLine() != nil else { return }

        var images = 0
        let clock = ContinuousClock()
        let start = clock.now
        repeat {
            try step.run()
            images += step.imageCount
        } while clock.now - start < .seconds(workload.seconds)
        let elapsed = (clock.now - start) / .seconds(1)

        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let measurement = Measurement(
            images: images, seconds: elapsed, peakFloat32: peaks.float32,
            peakBFloat16: peaks.bfloat16, device: try step.torch?.deviceName,
            devicePeakMemoryBytes: try step.torch?.peakMemory(),
            peakMemoryBytes: usage.ru_maxrss * 1_024, profile: try profile(step))
        let line = String(decoding: try JSONEncoder().encode(measurement), as: UTF8.self)
        writeBytes(line + "\n", to: STDOUT_FILENO)
    }

    private struct Step {
        let engine: any ClassifierEngine
        /// Images of one run.
        let imageCount: Int
        let run: () throws -> Void

        var torch: TorchEngine? { engine as? TorchEngine }
    }

    private func makeStep() throws -> Step {
        let network = workload.network
        var generator = SystemRandomNumberGenerator()
        let state = network.initialState { Float.random(in: 0..<1, using: &generator) }
        let engine = try workload.engine.make(network, state, workload.precision)
        if let holder = engine as? any ImageHoldingEngine {
            return try makeStep(holder, &generator)
        }
        let images = (0..<workload.batchSize * ResNet18.imageElementCount).map { _ in
            Float.random(in: -2...2, using: &generator)
        }
        switch workload.work {
        case .train:
            let labels = (0..<workload.batchSize).map { Int32($0 % Self.classes) }
            return Step(engine: engine, imageCount: workload.batchSize) {
                _ = try engine.trainStep(
                    images: images.span, labels: labels.span, optimizer: Self.optimizer)
            }
        case .score:
            // Lives as long as this process, which does nothing else.
            let logits = UnsafeMutableBufferPointer<Float>.allocate(
                capacity: workload.batchSize * Self.classes)
            logits.initialize(repeating: 0)
            return Step(engine: engine, imageCount: workload.batchSize) {
                var target = logits.mutableSpan
                try engine.evaluate(
                    images: images.span, imageCount: workload.batchSize, logits: &target)
            }
        }
    }

    /// What a trial does: images are held by the engine, an epoch of training is begun in runs of
    /// batches and waited for at its end, and a pool is scored in large parts.
    private func makeStep(
        _ holder: any ImageHoldingEngine, _ generator: inout SystemRandomNumberGenerator
    ) throws -> Step {
        var pixels = [UInt8](repeating: 0, count: Self.heldCount * ResNet18.imageElementCount)
        // A draw for every eight bytes of the first image's size; the others are it, shifted.
        for start in stride(from: 0, to: ResNet18.imageElementCount, by: 8) {
            let word = generator.next()
            for byte in 0..<8 {
                pixels[start + byte] = UInt8(truncatingIfNeeded: word >> (8 * byte))
            }
        }
        pixels.withUnsafeMutableBytes { all in
            let length = ResNet18.imageElementCount
            for image in 1..<Self.heldCount {
                let shift = image * 7 % length
                let target = all.baseAddress! + image * length
                target.copyMemory(from: all.baseAddress! + shift, byteCount: length - shift)
                (target + length - shift).copyMemory(from: all.baseAddress!, byteCount: shift)
            }
        }
        let values = (0..<3).flatMap { _ in (0..<256).map { Float($0) / 64 - 2 } }
        let held = try holder.hold(
            pixels: pixels.span, channels: ResNet18.imageChannels, values: values,
            padding: Self.padding)
        let batch = workload.batchSize
        func views(_ count: Int) -> [ImageView] {
            (0..<count).map { _ in
                ImageView(
                    image: Int.random(in: 0..<Self.heldCount, using: &generator),
                    isFlipped: Bool.random(using: &generator),
                    column: Int.random(in: 0...2 * Self.padding, using: &generator),
                    row: Int.random(in: 0...2 * Self.padding, using: &generator))
            }
        }
        switch workload.work {
        case .train:
            let steps = holder.batchesPerRun
            let all = views(steps * batch)
            let labels = all.indices.map { Int32($0 % Self.classes) }
            return Step(engine: holder, imageCount: all.count) {
                try holder.train(
                    on: held, all, labels: labels, batchSize: batch, optimizer: Self.optimizer)
                _ = try holder.losses(stepCount: steps)
            }
        case .score:
            let all = views(max(batch, holder.scoredImagesPerRun))
            return Step(engine: holder, imageCount: all.count) {
                _ = try holder.evaluate(held, all, withFeatures: false)
            }
        }
    }

    /// What the cores of all threads reach at the same time, or the device of libtorch in a large product of
    /// matrices.
    private func peaks(_ step: Step) throws -> (float32: Double, bfloat16: Double) {
        if let torch = step.torch {
            let peak = try torch.matrixPeak()
            return workload.precision == .bfloat16 ? (0, peak) : (peak, 0)
        }
        func total(_ measure: @escaping @Sendable () -> Double) -> Double {
            let sum = Mutex(0.0)
            DispatchQueue.concurrentPerform(iterations: workload.threads) { _ in
                let rate = measure()
                sum.withLock { $0 += rate }
            }
            return sum.withLock { $0 }
        }
        return (total { processor_peak_float32() }, total { processor_peak_bfloat16() })
    }

    /// Empty where the engine does not tell where its time goes.
    private func profile(_ step: Step) throws -> [ProfileEntry] {
        guard let engine = step.engine as? any ProfiledEngine else { return [] }
        let profile = Profile()
        engine.profile = profile
        let start = Profile.threadSeconds
        for _ in 0..<Self.profiledCount { try step.run() }
        let total = Profile.threadSeconds - start
        engine.profile = nil
        func average(_ seconds: Double) -> Double { seconds / Double(Self.profiledCount) }
        var entries = profile.labelledSeconds.map {
            ProfileEntry(
                kind: $0.key.kind.rawValue, layer: $0.key.layer, seconds: average($0.value))
        }
        entries.sort { ($0.kind, $0.layer ?? "") < ($1.kind, $1.layer ?? "") }
        let rest = total - profile.labelledSeconds.values.reduce(0, +)
        entries.append(
            ProfileEntry(kind: StepKind.other.rawValue, layer: nil, seconds: average(max(0, rest))))
        return entries
    }
}

/// A measuring process, seen from the one that started it.
private final class BenchmarkChild {
    private let process: ChildProcess
    private var received: [UInt8] = []
    private static let readyLine = Array("ready\n".utf8)

    init(_ workload: ClassifierWorkload) throws {
        process = try ChildProcess(
            program: ChildProcess.itself,
            arguments: [
                "bench", workload.work.rawValue, "--as-child",
                "--engine", workload.engine.rawValue,
                "--precision", workload.precision.rawValue, "--width", String(workload.width),
                "--batch", String(workload.batchSize), "--threads", String(workload.threads),
                "--seconds", String(workload.seconds),
            ],
            environment: LibraryEnvironment.variables(threads: workload.threads))
    }

    func waitUntilReady() throws {
        while received.count < Self.readyLine.count {
            guard receive() else { throw failure(process.wait()) }
        }
    }

    func start() { process.say("go") }

    func measurement() throws -> ClassifierBenchmark.Measurement {
        while receive() {}
        let end = process.wait()
        guard end == .exited(EXIT_SUCCESS) else { throw failure(end) }
        return try JSONDecoder().decode(
            ClassifierBenchmark.Measurement.self,
            from: Data(received.dropFirst(Self.readyLine.count)))
    }

    /// A child that ended itself has said on standard error why.
    private func failure(_ end: ProcessEnd) -> any Error {
        if case .exited(let status) = end, status != EXIT_SUCCESS { return ExitCode(status) }
        return CommandFailure(
            "a measuring process ended too early: it \(end)",
            hint: "look for memory that ran out, or for who ended it")
    }

    /// - Returns: false at the end of its output.
    private func receive() -> Bool {
        var descriptor = pollfd(fd: process.output, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, -1) >= 0 else { return true }
        guard let bytes = process.readOutput() else { return false }
        received += bytes
        return true
    }
}
