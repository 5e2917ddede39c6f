import Classifier
import Digests
import Foundation
import SweepModel

/// Why a checkpoint could not be saved or taken up.
public enum CheckpointError: Error, Hashable, Sendable {
    /// The file cannot be read or written, or is no tensor file.
    case file(ClassifierError)
    /// Written by another version of this program.
    case otherFormat(path: String, found: String)
    /// Belongs to another trial; `differences` name the settings, this trial's value last.
    case otherConfiguration(path: String, differences: [String])
    /// Is not what was once written.
    case damaged(path: String, reason: String)
}

extension CheckpointError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .file(let error): "\(error)"
        case .otherFormat(let path, let found):
            "\(path) is a checkpoint of format '\(found)'; this alsweep reads \(checkpointFormat)"
        case .otherConfiguration(let path, let differences):
            "\(path) is the checkpoint of another trial: " + differences.joined(separator: "; ")
        case .damaged(let path, let reason): "\(path) is damaged: \(reason)"
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
private let checkpointFormat = "1"

private enum MetadataKey {
    static let format = "alsweep_checkpoint"
    static let configuration = "configuration"
    static let results = "results"
    static let optimizerSteps = "q_optimizer_steps"
    static let bufferHead = "buffer_head"
    static let auc = "auc"
    static let digest = "sha256"
}

extension ExperimentCheckpoint {
    /// Saves to one safetensors file, which replaces an older one only when it is complete and
    /// durable.
    public func write(to path: String) throws(CheckpointError) {
        var tensors = network.tensors.map { $0.renamed("network.\($0.name)") }
        tensors.append(.integers("labelled", pool.labelled))
        tensors.append(.integers("unlabelled", pool.unlabelled))
        var metadata = [
            MetadataKey.format: checkpointFormat,
            MetadataKey.configuration: json(configuration),
            MetadataKey.results: json(results),
        ]
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
        metadata[MetadataKey.digest] = digest(of: tensors, metadata: metadata).hexadecimal
        do {
            try Safetensors.write(tensors, metadata: metadata, to: path)
        } catch {
            throw .file(error)
        }
    }

    /// Reads a checkpoint back and checks that it is whole and belongs to this configuration.
    public init(
        contentsOf path: String, for configuration: TrialConfiguration
    ) throws(CheckpointError) {
        let file = try CheckpointFile(path: path)
        let written: TrialConfiguration = try file.value(MetadataKey.configuration)
        guard written == configuration else {
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
        self.init(
            configuration: configuration, results: results,
            network: try file.network(of: configuration), pool: pool,
            strategy: try file.strategy(of: configuration))
    }
}

/// A checkpoint's tensors and metadata, known to be those that were written.
private struct CheckpointFile {
    let file: Safetensors
    let tensors: [String: NetworkState.Tensor]

    init(path: String) throws(CheckpointError) {
        var tensors: [NetworkState.Tensor] = []
        do {
            file = try Safetensors(path: path)
            for entry in file.entries {
                let values: NetworkState.Values =
                    entry.type == .float32
                    ? .float32(try file.floats(entry.name))
                    : .int64(try file.integers(entry.name))
                tensors.append(.init(name: entry.name, shape: entry.shape, values: values))
            }
        } catch {
            throw .file(error)
        }
        self.tensors = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        var metadata = file.metadata
        let format = metadata[MetadataKey.format] ?? "none"
        guard format == checkpointFormat else { throw .otherFormat(path: path, found: format) }
        let written = metadata.removeValue(forKey: MetadataKey.digest)
        guard written == digest(of: tensors, metadata: metadata).hexadecimal else {
            throw damaged("its contents do not have the SHA-256 they were written with")
        }
    }

    func damaged(_ reason: String) -> CheckpointError {
        .damaged(path: file.path, reason: reason)
    }

    /// Decodes a metadata string.
    func value<Value: Decodable>(_ key: String) throws(CheckpointError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data((file.metadata[key] ?? "").utf8))
        } catch {
            throw damaged("'\(key)' in its metadata cannot be read")
        }
    }

    func integers(_ name: String) throws(CheckpointError) -> [Int] {
        guard let values = tensors[name]?.integers else { throw damaged("it lacks '\(name)'") }
        return values.map(Int.init)
    }

    func floats(_ name: String) throws(CheckpointError) -> [Float] {
        guard let values = tensors[name]?.floats else { throw damaged("it lacks '\(name)'") }
        return values
    }

    func network(of configuration: TrialConfiguration) throws(CheckpointError) -> NetworkState {
        let network = ResNet18(
            width: configuration.studyProtocol.width, classes: configuration.dataset.classCount)
        do {
            return try NetworkState(reading: file, network: network, prefix: "network.")
        } catch {
            throw .file(error)
        }
    }

    func strategy(of configuration: TrialConfiguration) throws(CheckpointError) -> StrategyState {
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
            let hasAUC = file.metadata[MetadataKey.auc] != nil
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
    fileprivate static func integers(_ name: String, _ values: [Int]) -> Self {
        Self(name: name, shape: [values.count], values: .int64(values.map(Int64.init)))
    }

    fileprivate static func floats(_ name: String, _ values: [Float]) -> Self {
        Self(name: name, shape: [values.count], values: .float32(values))
    }

    fileprivate func renamed(_ name: String) -> Self {
        Self(name: name, shape: shape, values: values)
    }
}

/// SHA-256 over names and contents in the order of the names.
private func digest(of tensors: [NetworkState.Tensor], metadata: [String: String]) -> Digest {
    var parts: [UInt8] = []
    let ordered = NetworkState(tensors: tensors.sorted { $0.name < $1.name })
    ordered.forEachTensorBytes { name, bytes in
        parts += Digest.sha256(of: Array(name.utf8)).bytes + Digest.sha256(of: bytes).bytes
    }
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
        parts += Digest.sha256(of: Array(key.utf8)).bytes
        parts += Digest.sha256(of: Array(value.utf8)).bytes
    }
    return Digest.sha256(of: parts)
}

/// Keys are sorted, so that equal values make equal files.
private func json(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
        preconditionFailure("configurations and results hold finite numbers alone: \(error)")
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
