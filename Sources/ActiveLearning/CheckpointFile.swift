import Classifier
import Digests
import Foundation
import SweepModel

/// Why a checkpoint could not be saved or taken up.
public enum CheckpointError: Error, Hashable, Sendable {
    /// The file cannot be read or written, or is no tensor file.
    case file(ClassifierError)
    /// Written by another version of this program.
    case otherFormat(path: String, found: String, expected: String)
    /// Belongs to another trial; `differences` name the settings, this trial's value last.
    case otherConfiguration(path: String, differences: [String])
    /// Is not what was once written.
    case damaged(path: String, reason: String)
}

extension CheckpointError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .file(let error): "\(error)"
        case .otherFormat(let path, let found, let expected):
            "\(path) has the format '\(found)'; this alsweep reads \(expected)"
        case .otherConfiguration(let path, let differences):
            "\(path) is the checkpoint of another trial: " + differences.joined(separator: "; ")
        case .damaged(let path, let reason): "\(path) is damaged: \(reason)"
        }
    }

    /// Whether the file may be whole, and of use to another trial or another version.
    public var isOfOther: Bool {
        switch self {
        case .otherFormat, .otherConfiguration: true
        case .file, .damaged: false
        }
    }

    /// What to do about it; nil where the description says it.
    public var hint: String? {
        switch self {
        case .file: nil
        case .otherFormat: "finish the trial with the alsweep that wrote it, or start it anew"
        case .otherConfiguration: "name another folder, or run the configuration it was written by"
        case .damaged: "delete the file; the trial then starts anew"
        }
    }
}

/// Changes whenever a checkpoint's tensors or metadata do.
private let checkpointFormat = SealedTensors.Format(key: "alsweep_checkpoint", version: "1")

private enum MetadataKey {
    static let configuration = "configuration"
    static let results = "results"
    static let optimizerSteps = "q_optimizer_steps"
    static let bufferHead = "buffer_head"
    static let auc = "auc"
    /// Only of a trial that has changed its engine.
    static let switches = "engine_switches"
    static let platform = "platform"
}

extension ExperimentCheckpoint {
    /// Saves to one safetensors file, which replaces an older one only when it is complete and
    /// durable.
    public func write(to path: String) throws(CheckpointError) {
        var tensors = network.tensors.map { $0.renamed("network.\($0.name)") }
        tensors.append(.integers("labelled", pool.labelled))
        tensors.append(.integers("unlabelled", pool.unlabelled))
        var metadata = [
            checkpointFormat.key: checkpointFormat.version,
            MetadataKey.configuration: json(configuration),
            MetadataKey.results: json(results),
        ]
        if !switches.isEmpty { metadata[MetadataKey.switches] = json(switches) }
        metadata[MetadataKey.platform] = platform
        switch strategy {
        case .random(let generator):
            tensors.append(
                .integers("generator", generator.words.map(Int.init) + [generator.position]))
        case .none, .dqn(nil), .dqnWarm(nil): break
        case .dqn(let learner?):
            tensors += learner.tensors
            metadata.merge(learner.metadata) { first, _ in first }
        case .dqnWarm(let known?):
            tensors += known.learner.tensors
            metadata.merge(known.learner.metadata) { first, _ in first }
            metadata[MetadataKey.auc] = known.auc.map { "\($0)" }
        }
        try SealedTensors.write(tensors, metadata: metadata, to: path)
    }

    /// How many finished cycles the checkpoint at `path` says it holds; nil if it is none. Its contents
    /// are not checked: that is done when it is taken up.
    @Sendable public static func cycleCount(at path: String) -> Int? {
        guard let metadata = try? Safetensors.metadata(ofFile: path),
            metadata[checkpointFormat.key] == checkpointFormat.version,
            let results = metadata[MetadataKey.results]
        else { return nil }
        return (try? JSONDecoder().decode([CycleResult].self, from: Data(results.utf8)))?.count
    }

    /// Whether the file is a checkpoint with the contents that it was written with.
    public static func isWhole(at path: String) -> Bool {
        (try? SealedTensors(path: path, format: checkpointFormat)) != nil
    }

    /// Reads a checkpoint back and checks that it is whole and belongs to this configuration.
    ///
    /// - Parameter switchingEngine: whether the configuration's engine and precision may be others than
    ///   those that wrote it; the checkpoint then says so.
    public init(
        contentsOf path: String, for configuration: TrialConfiguration,
        switchingEngine: Bool = false
    ) throws(CheckpointError) {
        let file = try SealedTensors(path: path, format: checkpointFormat)
        let written: TrialConfiguration = try file.value(MetadataKey.configuration)
        var comparable = written
        if switchingEngine {
            comparable.studyProtocol.engine = configuration.studyProtocol.engine
            comparable.studyProtocol.precision = configuration.studyProtocol.precision
        }
        guard comparable == configuration else {
            throw .otherConfiguration(
                path: path, differences: differences(written, configuration))
        }
        let results: [CycleResult] = try file.value(MetadataKey.results)
        let pool = LabelledPool(
            labelled: try file.integers("labelled"), unlabelled: try file.integers("unlabelled"))
        guard let pool, pool.count == configuration.poolCount else {
            throw file.damaged("its lists are not those of a pool of \(configuration.poolCount)")
        }
        guard results.map(\.cycle) == Array(1...max(1, results.count)),
            results.count <= configuration.studyProtocol.cycles
        else { throw file.damaged("its results are not those of the first cycles") }
        var switches: [EngineSwitch] = []
        if file.metadata[MetadataKey.switches] != nil {
            switches = try file.value(MetadataKey.switches)
        }
        if written != configuration {
            switches.append(
                EngineSwitch(
                    cycle: results.count, engine: written.studyProtocol.engine,
                    precision: written.studyProtocol.precision))
        }
        self.init(
            configuration: configuration, results: results, switches: switches,
            network: try file.network(
                ResNet18(
                    width: configuration.studyProtocol.width,
                    classes: configuration.dataset.classCount), prefix: "network."),
            pool: pool,
            strategy: try file.strategy(of: configuration))
        platform = file.metadata[MetadataKey.platform]
    }
}

extension SealedTensors {
    fileprivate func strategy(of configuration: TrialConfiguration) throws(CheckpointError)
        -> StrategyState
    {
        switch configuration.strategy {
        case .random:
            let values = try integers("generator")
            let words = values.dropLast().compactMap(UInt32.init(exactly:))
            guard let generator = CPythonRandom(words: words, position: values.last ?? -1) else {
                throw damaged("'generator' is no state of the Mersenne Twister")
            }
            return .random(generator)
        case .dqn:
            guard tensors["buffer.states"] != nil else { return .dqn(nil) }
            return .dqn(try learner(classCount: configuration.dataset.classCount))
        case .dqnWarm:
            guard tensors["buffer.states"] != nil else { return .dqnWarm(nil) }
            let hasAUC = metadata[MetadataKey.auc] != nil
            return .dqnWarm(
                WarmDQNState(
                    learner: try learner(classCount: configuration.dataset.classCount),
                    auc: hasAUC ? try value(MetadataKey.auc) : nil))
        case .entropy, .leastConfidence, .margin, .kCenter, .badge: return .none
        }
    }

    private func learner(classCount: Int) throws(CheckpointError) -> DQNState {
        let length = ClassifierStates.length(ofClasses: classCount)
        var parameters: [Float] = []
        for name in QNetwork.tensorNames { parameters += try floats("q.\(name)") }
        let optimizer = Adam(
            stepCount: try value(MetadataKey.optimizerSteps), means: try floats("adam.means"),
            squares: try floats("adam.squares"))
        let actions = try integers("buffer.actions").compactMap(UInt8.init(exactly:))
        let buffer = ReplayBuffer(
            stateLength: length, states: try floats("buffer.states"), actions: actions,
            rewards: try floats("buffer.rewards"), head: try value(MetadataKey.bufferHead))
        guard parameters.count == QNetwork.parameterCount(stateLength: length), let optimizer,
            optimizer.means.count == parameters.count, let buffer
        else { throw damaged("its Q-network, optimiser and buffer do not fit together") }
        return DQNState(
            network: QNetwork(stateLength: length, parameters: parameters), optimizer: optimizer,
            buffer: buffer)
    }
}

extension DQNState {
    fileprivate var metadata: [String: String] {
        [
            MetadataKey.optimizerSteps: "\(optimizer.stepCount)",
            MetadataKey.bufferHead: "\(buffer.head)",
        ]
    }

    fileprivate var tensors: [NetworkState.Tensor] {
        network.tensors.map { $0.renamed("q.\($0.name)") } + [
            .floats("adam.means", optimizer.means), .floats("adam.squares", optimizer.squares),
            NetworkState.Tensor(
                name: "buffer.states", shape: [buffer.count, buffer.stateLength],
                values: .float32(buffer.states)),
            .integers("buffer.actions", buffer.actions.map(Int.init)),
            .floats("buffer.rewards", buffer.rewards),
        ]
    }
}

extension NetworkState.Tensor {
    static func integers(_ name: String, _ values: [Int]) -> Self {
        Self(name: name, shape: [values.count], values: .int64(values.map(Int64.init)))
    }

    static func floats(_ name: String, _ values: [Float]) -> Self {
        Self(name: name, shape: [values.count], values: .float32(values))
    }

    func renamed(_ name: String) -> Self {
        Self(name: name, shape: shape, values: values)
    }
}

/// The settings in which two configurations differ, in the order of their names.
private func differences(_ written: TrialConfiguration, _ given: TrialConfiguration) -> [String] {
    func settings(_ configuration: TrialConfiguration) -> [String: String] {
        guard
            let object = try? JSONSerialization.jsonObject(with: Data(json(configuration).utf8)),
            var settings = object as? [String: Any]
        else { preconditionFailure("a configuration is a JSON object") }
        settings["strategy"] = configuration.strategy.label
        let study = settings.removeValue(forKey: "protocol") as? [String: Any] ?? [:]
        return settings.merging(study) { first, _ in first }.mapValues { "\($0)" }
    }
    let (written, given) = (settings(written), settings(given))
    let names = Set(written.keys).union(given.keys).sorted()
    return names.filter { written[$0] != given[$0] }.map { name in
        "\(name) is \(written[name] ?? "not set"), here \(given[name] ?? "not set")"
    }
}
