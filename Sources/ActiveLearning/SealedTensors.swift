import Classifier
import Digests
import Foundation

/// A safetensors file with the SHA-256 of its contents, known to hold what was once written.
struct SealedTensors {
    /// What a file says it is.
    struct Format {
        /// The metadata's key that has the version.
        let key: String
        let version: String
    }

    private static let digestKey = "sha256"

    private let file: Safetensors
    let tensors: [String: NetworkState.Tensor]

    var metadata: [String: String] { file.metadata }

    /// Writes to a file that replaces an older one only when it is complete and durable.
    ///
    /// - Parameter metadata: with the format's key and version.
    static func write(
        _ tensors: [NetworkState.Tensor], metadata: [String: String], to path: String
    ) throws(CheckpointError) {
        var metadata = metadata
        metadata[digestKey] = digest(of: tensors, metadata: metadata).hexadecimal
        do {
            try Safetensors.write(tensors, metadata: metadata, to: path)
        } catch {
            throw .file(error)
        }
    }

    init(path: String, format: Format) throws(CheckpointError) {
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
        let version = metadata[format.key] ?? "none"
        guard version == format.version else {
            throw .otherFormat(path: path, found: version, expected: format.version)
        }
        let written = metadata.removeValue(forKey: Self.digestKey)
        guard written == Self.digest(of: tensors, metadata: metadata).hexadecimal else {
            throw damaged("its contents do not have the SHA-256 they were written with")
        }
    }

    func damaged(_ reason: String) -> CheckpointError {
        .damaged(path: file.path, reason: reason)
    }

    /// Decodes a metadata string.
    func value<Value: Decodable>(_ key: String) throws(CheckpointError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data((metadata[key] ?? "").utf8))
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

    /// - Parameter prefix: comes before PyTorch's names in the file.
    func network(_ network: ResNet18, prefix: String) throws(CheckpointError) -> NetworkState {
        do {
            return try NetworkState(reading: file, network: network, prefix: prefix)
        } catch {
            throw .file(error)
        }
    }

    /// SHA-256 over names and contents in the order of the names.
    private static func digest(
        of tensors: [NetworkState.Tensor], metadata: [String: String]
    ) -> Digest {
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
}

/// Keys are sorted, so that equal values make equal files.
func json(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
        preconditionFailure("configurations and results hold finite numbers alone: \(error)")
    }
}
