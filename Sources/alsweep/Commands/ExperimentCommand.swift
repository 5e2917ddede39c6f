import ActiveLearning
import ArgumentParser
import ChildProcess
import Foundation
import SweepModel

struct ExperimentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment",
        abstract: "Run one trial here, without a coordinator.",
        discussion: """
            Settings that are not given are the study's. With --output the state after every cycle is \
            kept there, and the same command goes on where it was stopped. Trials with the same \
            folder share the classifiers of their first cycles.
            """)

    @Option(help: "cifar10, cifar100 or fashionmnist.")
    var dataset: String

    @Option(help: ArgumentHelp("One of \(Strategy.names.joined(separator: ", "))."))
    var strategy: String

    @Option(help: "Gradient steps of the Q-network after every query (dqn, dqn_warm).")
    var gradientSteps: Int?

    @Option(help: "The seed.")
    var seed: UInt64 = 0

    @Option(help: "Passes over the labelled set in every cycle.")
    var epochs: Int?

    @Option(help: "Epochs at whose start the learning rate drops, as in 20,30.")
    var milestones: String?

    @Option(help: "Images per gradient step.")
    var batchSize: Int?

    @Option(help: "SGD's learning rate before the first milestone.")
    var learningRate: Double?

    @Option(help: "Cycles.")
    var cycles: Int?

    @Option(help: "Channels of the network's first stage.")
    var width: Int?

    @Option(help: "Labels at the start.")
    var initial: Int?

    @Option(help: "Labels bought per cycle.")
    var addendum: Int?

    @Option(help: "Only the first images of the training files form the pool.")
    var poolLimit: Int?

    @Option(help: "Only the first images of the test files are evaluated.")
    var testLimit: Int?

    @Option(help: "The transform of the pool: test or train.")
    var poolTransform: String?

    @Option(help: EngineName.help)
    var engine: String?

    @Option(help: PrecisionSetting.help)
    var precision: String?

    @Flag(
        help: """
            Go on also from a checkpoint in --output that another engine or precision wrote. The numbers \
            are then those of no engine alone, and checkpoint, model and output say so.
            """)
    var switchEngine = false

    @Flag(help: "A new network in every cycle.")
    var reset = false

    @Option(help: "The only folder in which datasets are looked for.", completion: .directory)
    var data: String?

    @Option(help: "A folder for the model and the checkpoint.", completion: .directory)
    var output: String?

    @Option(help: "Threads. Default: one per core.")
    var threads: Int?

    @Option(help: "human, json or quiet.")
    var outputMode = OutputMode.human

    func run() throws {
        let configuration = try configuration()
        try LibraryEnvironment.restart(threads: threads)
        if let output { try makeFolder(output) }
        StopFlag.raiseOnTermination()
        let run = TrialRun(
            configuration: configuration, dataFolder: data,
            checkpointPath: output.map { "\($0)/\(configuration.id).checkpoint.safetensors" },
            modelPath: output.map { "\($0)/\(configuration.id).safetensors" },
            classifierFolder: output.map { "\($0)/classifiers" }, switchesEngine: switchEngine,
            keepsOthersCheckpoints: true,
            logsEpochs: outputMode != .quiet && !showsEpochs)
        var results: [CycleResult] = []
        var switches: [EngineSwitch]?
        do {
            _ = try run.run(
                onSwitches: { switches = $0 },
                onCycle: { result in
                    results.append(result)
                    show(result, of: configuration)
                }, onEpoch: { show($0, of: configuration) }, shouldStop: { StopFlag.isRaised })
        } catch .stopped {
            let next = output == nil ? "" : "; the same command goes on with its next cycle"
            let done = counted(results.count, "cycle")
            print("\nStopped after \(done)\(next)", to: &StandardError.stream)
            throw ExitCode(ExitStatusCode.stopped)
        } catch .user(let error) {
            throw CommandFailure(explaining: error)
        } catch .disk(let error) {
            throw CommandFailure(explaining: error)
        } catch .data(let error) {
            throw CommandFailure(explaining: error)
        } catch .gpuMemory(let error) {
            throw CommandFailure(explaining: error)
        } catch .other(let error) {
            throw CommandFailure(explaining: error)
        }
        if outputMode == .json {
            try printJSON(
                ExperimentOutput(
                    configuration: configuration, engineSwitches: switches, cycles: results))
        }
        if let path = run.modelPath { print("Model: \(path)", to: &StandardError.stream) }
    }

    /// The same checks as for a sweep file, by way of one.
    private func configuration() throws -> TrialConfiguration {
        // A sweep file's remedy for this one is none on a command line.
        if Learner(rawValue: strategy) != nil, gradientSteps == nil {
            throw CommandFailure(
                "strategy '\(strategy)' needs its gradient steps",
                hint: "add --gradient-steps 100, or another number",
                status: ExitStatusCode.usage)
        }
        var settings: [String] = []
        func set(_ key: String, _ value: (some CustomStringConvertible)?) {
            if let value { settings.append("\(key): \(value)") }
        }
        set("epochs", epochs)
        set("milestones", milestones.map { "[\($0)]" })
        set("batch_size", batchSize)
        set("learning_rate", learningRate)
        set("cycles", cycles)
        set("width", width)
        set("initial", initial)
        set("addendum", addendum)
        set("pool_limit", poolLimit)
        set("test_limit", testLimit)
        set("pool_transform", poolTransform)
        set("engine", engine)
        set("precision", precision)
        set("reset", reset)
        let axis = gradientSteps.map { "\(strategy): {gradient_steps: [\($0)]}" } ?? strategy
        let text = """
            name: experiment
            protocol: {\(settings.joined(separator: ", "))}
            stages:
              - {name: experiment, datasets: [\(dataset)], seeds: [\(seed)], strategies: [\(axis)]}
            """
        let sweep: Sweep
        do {
            sweep = try SweepFile.parse(text, name: "experiment")
        } catch {
            throw CommandFailure(error.message, hint: error.hint, status: ExitStatusCode.usage)
        }
        return sweep.stages[0].trials(
            of: sweep.stages[0].datasets[0],
            studyProtocol: sweep.resolvingPrecision().studyProtocol, timeSeeds: [],
            bestGradientSteps: nil)[0]
    }

    private func show(_ result: CycleResult, of configuration: TrialConfiguration) {
        guard outputMode == .human else { return }
        clearLine()
        print(
            "cycle \(result.cycle)/\(configuration.studyProtocol.cycles)  "
                + String(format: "%6.2f %%", result.accuracy)
                + "  \(result.correct)/\(result.total) correct  \(result.labelled) labels  "
                + String(format: "%.1f s", result.seconds)
                + (result.isShared == true ? ", trained before" : ""))
        if let query = result.query { print("    " + description(of: query)) }
        // Who reads through a pipe would else see nothing until the end.
        StandardOutput.flush()
    }

    /// `bought 200: hit rate 31.50 %, class entropy 2.190 nats, mean Q 0.412, AUC 0.630`.
    private func description(of query: QueryResult) -> String {
        func number(_ name: String, _ value: Double?) -> String? {
            value.map { name + String(format: " %.3f", $0) }
        }
        var parts: [String?] = [
            String(format: "hit rate %.2f %%", 100 * query.hitRate),
            number("class entropy", query.classEntropy).map { $0 + " nats" },
            number("mean Q", query.meanQ),
        ]
        if let first = query.firstLoss, let last = query.lastLoss {
            parts.append(String(format: "loss %.4f to %.4f", first, last))
        }
        parts += [number("AUC", query.auc), number("lambda", query.lambda)]
        return "bought \(query.picks.count): " + parts.compactMap { $0 }.joined(separator: ", ")
    }

    private func show(_ progress: EpochProgress, of configuration: TrialConfiguration) {
        guard showsEpochs else { return }
        clearLine()
        StandardError.stream.write(
            "cycle \(progress.cycle)/\(configuration.studyProtocol.cycles)  epoch "
                + "\(progress.epoch)/\(progress.epochCount)"
                + (progress.trainLoss.map { String(format: "  loss %.4f", $0) } ?? ""))
    }

    /// On a terminal one line is renewed; elsewhere some epochs have a line each.
    private var showsEpochs: Bool { outputMode == .human && isatty(STDERR_FILENO) == 1 }

    private func clearLine() {
        if isatty(STDERR_FILENO) == 1 { StandardError.stream.write("\r\u{1B}[K") }
    }
}

private struct ExperimentOutput: Encodable {
    var schema = 1
    var configuration: TrialConfiguration
    /// Where cycles were computed by another engine; nil in almost every trial.
    var engineSwitches: [EngineSwitch]?
    var cycles: [CycleResult]

    enum CodingKeys: String, CodingKey {
        case schema, configuration, cycles
        case engineSwitches = "engine_switches"
    }
}
