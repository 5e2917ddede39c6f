import ArgumentParser
import SweepModel

/// The parent of the benchmarks.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what this machine does.",
        discussion: """
            Quote ratios of figures that were measured one after another, never one figure alone: other \
            programs and the processor's clock change them from minute to minute.
            """,
        subcommands: [
            BenchTrainCommand.self, BenchScoreCommand.self, BenchCollectCommand.self,
            BenchDispatchCommand.self, BenchDispatchWorkersCommand.self,
        ])
}

struct BenchTrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Training steps of the network: images a second.")

    @OptionGroup var options: ClassifierBenchOptions

    func run() throws { try options.run(.train) }
}

struct BenchScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Scoring with running statistics, as of a pool: images a second.")

    @OptionGroup var options: ClassifierBenchOptions

    func run() throws { try options.run(.score) }
}

struct ClassifierBenchOptions: ParsableArguments {
    @Option(help: EngineName.help)
    var engine = EngineName.onednn

    @Option(help: PrecisionSetting.help)
    var precision = PrecisionSetting.fixed(.float32)

    @Option(help: "Channels of the network's first stage.")
    var width = 64

    @Option(help: "Images per step.")
    var batch = 128

    @Option(help: "Threads of every process.")
    var threads = 1

    @Option(help: "Processes that run at once, as the slots of a worker do.")
    var processes = 1

    @Option(help: "How long to measure, in seconds.")
    var seconds = 10.0

    @Flag(help: "A table of the network's layers.")
    var layers = false

    @Flag(help: "One JSON value on standard output.")
    var json = false

    @Flag(help: .hidden)
    var asChild = false

    func validate() throws {
        for (name, value, range) in [
            ("--width", width, 1...512), ("--batch", batch, 1...4_096),
            ("--threads", threads, 1...1_024), ("--processes", processes, 1...1_024),
        ] where !range.contains(value) {
            throw ValidationError(
                "\(name) is \(value); it is a number from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        guard (0.1...3_600).contains(seconds) else {
            throw ValidationError("--seconds is \(seconds); it is a number from 0.1 to 3600")
        }
    }

    func run(_ work: ClassifierWork) throws {
        let workload = ClassifierWorkload(
            work: work, engine: engine, precision: precision.resolved(for: engine), width: width,
            batchSize: batch, threads: threads, seconds: seconds)
        if asChild { return try ClassifierBenchmark(workload).runAsChild() }
        let result = try ClassifierBenchmark(workload).run(processes: processes)
        if json {
            try printJSON(result)
        } else {
            print(result.summary(withLayers: layers), terminator: "")
        }
    }
}
