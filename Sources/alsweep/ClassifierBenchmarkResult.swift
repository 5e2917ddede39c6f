import Classifier
import Foundation
import SweepModel

/// What all processes measured together.
struct ClassifierBenchmarkResult: Encodable {
    struct Layer: Encodable {
        var name: String
        /// As in `64→128, 3×3, stride 2, 32×32`.
        var shape: String
        var forwardMs: Double
        var inputGradientMs: Double
        var weightGradientMs: Double
        var normMs: Double
        /// Of its convolutions.
        var gflops: Double

        enum CodingKeys: String, CodingKey {
            case name, shape, gflops
            case forwardMs = "forward_ms"
            case inputGradientMs = "input_gradient_ms"
            case weightGradientMs = "weight_gradient_ms"
            case normMs = "norm_ms"
        }
    }

    var schema = 1
    var work: ClassifierWork
    var engine: EngineName
    var precision: SweepModel.Precision
    var width: Int
    var batchSize: Int
    var threads: Int
    var processes: Int
    /// Of all processes.
    var imagesPerSecond: Double
    var gflops: Double
    /// In the precision, measured just before: of all processes' cores in registers, or of the device of
    /// libtorch in a large product of matrices.
    var peakGflops: Double
    var shareOfPeak: Double
    /// The share of a step's time that is not spent in convolutions; nil where the engine does not tell.
    var outsideConvolutions: Double?
    /// The largest process's.
    var peakMemoryBytes: Int
    /// Of the engine torch: the device's name, and the memory that all processes took of a GPU.
    var device: String?
    var devicePeakMemoryBytes: Int?
    /// The share of a step's time by kind of work, of the first process; empty where the engine does not
    /// tell.
    var profile: [String: Double]
    /// Of the first process; empty where the engine does not tell.
    var layers: [Layer]

    enum CodingKeys: String, CodingKey {
        case schema, work, engine, precision, width, threads, processes, gflops, profile, layers
        case device
        case devicePeakMemoryBytes = "device_peak_memory_bytes"
        case batchSize = "batch_size"
        case imagesPerSecond = "images_per_second"
        case peakGflops = "peak_gflops"
        case shareOfPeak = "share_of_peak"
        case outsideConvolutions = "outside_convolutions"
        case peakMemoryBytes = "peak_memory_bytes"
    }

    init(_ workload: ClassifierWorkload, _ measurements: [ClassifierBenchmark.Measurement]) {
        work = workload.work
        engine = workload.engine
        precision = workload.precision
        width = workload.width
        batchSize = workload.batchSize
        threads = workload.threads
        processes = measurements.count
        imagesPerSecond = measurements.reduce(0) { $0 + Double($1.images) / $1.seconds }
        gflops = imagesPerSecond * workload.operationsPerImage / 1e9
        let peaks = measurements.map {
            workload.precision == .bfloat16 ? $0.peakBFloat16 : $0.peakFloat32
        }
        // Each process has cores of its own; the device of libtorch is everybody's.
        let peak = workload.engine == .torch ? peaks.max() ?? 0 : peaks.reduce(0, +)
        peakGflops = peak / 1e9
        shareOfPeak = peak > 0 ? gflops / peakGflops : 0
        peakMemoryBytes = measurements.map(\.peakMemoryBytes).max() ?? 0

        device = measurements[0].device
        let deviceMemory = measurements.compactMap(\.devicePeakMemoryBytes).reduce(0, +)
        devicePeakMemoryBytes = deviceMemory > 0 ? deviceMemory : nil

        let entries = measurements[0].profile
        guard !entries.isEmpty else {
            profile = [:]
            layers = []
            return
        }
        let total = entries.reduce(0) { $0 + $1.seconds }
        let shares = entries.reduce(into: [String: Double]()) { shares, entry in
            shares[entry.kind, default: 0] += entry.seconds / total
        }
        profile = shares
        outsideConvolutions = StepKind.allCases.filter { !$0.isConvolution }
            .reduce(0) { $0 + (shares[$1.rawValue] ?? 0) }
        layers = workload.network.units.map { unit in
            Layer(unit.convolution, entries, workload)
        }
    }

    /// For a person.
    func summary(withLayers: Bool) -> String {
        let counts =
            "\(processes) \(processes == 1 ? "process" : "processes") of \(threads) "
            + "\(threads == 1 ? "thread" : "threads")"
        var lines = [
            "\(work == .train ? "Training" : "Scoring"): \(engine.rawValue), "
                + "\(precision.rawValue), width \(width), batch \(batchSize), \(counts)",
            String(
                format: "  %.1f images/s   %.1f GFLOP/s   %@", imagesPerSecond, gflops,
                peakGflops > 0
                    ? String(
                        format: "%.0f %% of the %.1f that \(peakSource)", 100 * shareOfPeak,
                        peakGflops) : "(no peak in this precision)"),
            "  "
                + (outsideConvolutions.map {
                    String(format: "%.1f %% of the time outside convolutions   ", 100 * $0)
                } ?? "") + gibibytes(peakMemoryBytes) + " at most a process"
                + (devicePeakMemoryBytes.map { "   " + gibibytes($0) + " of the GPU" } ?? ""),
        ]
        for (kind, share) in profile.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            lines.append(String(format: "  %6.2f %%  %@", 100 * share, kind))
        }
        if withLayers, !layers.isEmpty { lines += layerTable }
        return lines.joined(separator: "\n") + "\n"
    }

    private var peakSource: String {
        device.map { "\($0) reaches in a large product" } ?? "these cores reach in registers"
    }

    private func gibibytes(_ bytes: Int) -> String {
        String(format: "%.2f GiB", Double(bytes) / 1_073_741_824)
    }

    private var layerTable: [String] {
        func pad(_ text: String, _ count: Int) -> String {
            text.padding(toLength: max(count, text.count), withPad: " ", startingAt: 0)
        }
        let nameWidth = layers.map(\.name.count).max() ?? 0
        let shapeWidth = layers.map(\.shape.count).max() ?? 0
        let head =
            pad("layer", nameWidth) + "  " + pad("", shapeWidth)
            + "   forward  input gr.  weight gr.     norm  GFLOP/s"
        return ["", "Milliseconds a step:", head]
            + layers.map { layer in
                pad(layer.name, nameWidth) + "  " + pad(layer.shape, shapeWidth)
                    + String(
                        format: "  %8.3f   %8.3f    %8.3f %8.3f  %7.1f", layer.forwardMs,
                        layer.inputGradientMs, layer.weightGradientMs, layer.normMs, layer.gflops)
            }
    }
}

extension ClassifierBenchmarkResult.Layer {
    init(
        _ convolution: ResNet18.Convolution, _ entries: [ClassifierBenchmark.ProfileEntry],
        _ workload: ClassifierWorkload
    ) {
        func milliseconds(_ kind: StepKind) -> Double {
            1e3
                * (entries.first { $0.kind == kind.rawValue && $0.layer == convolution.name }?
                    .seconds ?? 0)
        }
        name = convolution.name
        shape =
            "\(convolution.inputChannels)→\(convolution.outputChannels), "
            + "\(convolution.kernel)×\(convolution.kernel), stride \(convolution.stride), "
            + "\(convolution.inputSide)×\(convolution.inputSide)"
        forwardMs = milliseconds(.convolution)
        inputGradientMs = milliseconds(.convolutionData)
        weightGradientMs = milliseconds(.convolutionWeights)
        normMs = milliseconds(.norm) + milliseconds(.normGradient)
        let passes = [forwardMs, inputGradientMs, weightGradientMs].count { $0 > 0 }
        let duration = forwardMs + inputGradientMs + weightGradientMs
        gflops =
            duration > 0
            ? Double(passes * workload.batchSize) * convolution.operationsPerImage / duration / 1e6
            : 0
    }
}
