import Foundation

/// The JSON header of a safetensors file, before its claims are checked against the file.
struct SafetensorsHeader {
    let metadata: [String: String]
    let tensors: [String: Tensor]

    struct Tensor: Codable {
        var dtype: String
        var shape: [Int]
        var offsets: [Int]

        private enum CodingKeys: String, CodingKey {
            case dtype
            case shape
            case offsets = "data_offsets"
        }
    }

    private static let metadataKey = "__metadata__"
    private static let writeAgain = "the file is damaged or cut short; copy or write it again"

    init(metadata: [String: String], tensors: [String: Tensor]) {
        self.metadata = metadata
        self.tensors = tensors
    }

    /// The header's length in bytes, checked against the file's.
    static func byteCount(of file: Data, path: String) throws(ClassifierError) -> Int {
        guard file.count >= 8 else {
            throw .file(
                path: path, tensor: nil,
                problem: "is \(file.count) bytes long, too short for a tensor file",
                remedy: writeAgain)
        }
        let claimed = file.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))
        }
        guard claimed <= UInt64(Safetensors.maximumHeaderByteCount) else {
            throw .file(
                path: path, tensor: nil,
                problem: "claims a header of \(claimed) bytes; the limit is "
                    + "\(Safetensors.maximumHeaderByteCount)",
                remedy: "check that it is a safetensors file")
        }
        guard Int(claimed) <= file.count - 8 else {
            throw .file(
                path: path, tensor: nil,
                problem: "ends inside its header of \(claimed) bytes", remedy: writeAgain)
        }
        return Int(claimed)
    }

    init(json: Data, path: String) throws(ClassifierError) {
        do {
            let fields = try JSONDecoder().decode([String: Field].self, from: json)
            var metadata: [String: String] = [:]
            var tensors: [String: Tensor] = [:]
            for (name, field) in fields {
                switch field {
                case .metadata(let strings) where name == Self.metadataKey: metadata = strings
                case .tensor(let tensor) where name != Self.metadataKey: tensors[name] = tensor
                default: throw UnexpectedField(name: name)
                }
            }
            self.init(metadata: metadata, tensors: tensors)
        } catch let error as UnexpectedField {
            throw .file(
                path: path, tensor: error.name, problem: "has a malformed entry in the header",
                remedy: Self.writeAgain)
        } catch {
            throw .file(
                path: path, tensor: nil, problem: "has a header that is not the format's JSON",
                remedy: "check that it is a safetensors file")
        }
    }

    /// The tensors in the order of their bytes, which must fill the file exactly.
    func checkedEntries(
        bodyByteCount: Int, path: String
    ) throws(ClassifierError) -> [Safetensors.Entry] {
        var entries: [Safetensors.Entry] = []
        for (name, tensor) in tensors {
            entries.append(try Self.entry(name, tensor, bodyByteCount: bodyByteCount, path: path))
        }
        // Empty tensors share their place with the next one, so they come first there.
        entries.sort {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound, $0.name)
                < ($1.byteRange.lowerBound, $1.byteRange.upperBound, $1.name)
        }
        var end = 0
        for entry in entries {
            guard entry.byteRange.lowerBound == end else {
                let fault = entry.byteRange.lowerBound < end ? "overlaps" : "leaves a gap after"
                throw .file(
                    path: path, tensor: entry.name,
                    problem: "\(fault) the tensor before it at byte \(end)",
                    remedy: Self.writeAgain)
            }
            end = entry.byteRange.upperBound
        }
        guard end == bodyByteCount else {
            throw .file(
                path: path, tensor: nil,
                problem: "has \(bodyByteCount - end) bytes after its last tensor",
                remedy: Self.writeAgain)
        }
        return entries
    }

    private static func entry(
        _ name: String, _ tensor: Tensor, bodyByteCount: Int, path: String
    ) throws(ClassifierError) -> Safetensors.Entry {
        guard let type = Safetensors.ElementType(rawValue: tensor.dtype) else {
            throw .file(
                path: path, tensor: name, problem: "has the unknown element type '\(tensor.dtype)'",
                remedy: "write it as F32 or I64")
        }
        var byteCount: Int? = type.byteCount
        for side in tensor.shape {
            let (product, overflow) = (byteCount ?? 0).multipliedReportingOverflow(by: side)
            byteCount = side < 0 || overflow ? nil : byteCount.map { _ in product }
        }
        let offsets = tensor.offsets
        guard offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1] else {
            throw .file(
                path: path, tensor: name, problem: "has the impossible byte range \(offsets)",
                remedy: writeAgain)
        }
        guard offsets[1] <= bodyByteCount else {
            throw .file(
                path: path, tensor: name,
                problem: "ends at byte \(offsets[1]) of a body of \(bodyByteCount)",
                remedy: writeAgain)
        }
        guard byteCount == offsets[1] - offsets[0] else {
            throw .file(
                path: path, tensor: name,
                problem: "has \(offsets[1] - offsets[0]) bytes, which do not fit \(tensor.dtype) "
                    + "of shape \(tensor.shape)",
                remedy: writeAgain)
        }
        return Safetensors.Entry(
            name: name, type: type, shape: tensor.shape, byteRange: offsets[0]..<offsets[1])
    }
}

extension SafetensorsHeader {
    private struct UnexpectedField: Error {
        var name: String
    }

    /// A value of the header's object: strings under `__metadata__`, else a tensor.
    private enum Field: Codable {
        case metadata([String: String])
        case tensor(Tensor)

        init(from decoder: any Decoder) throws {
            if let tensor = try? Tensor(from: decoder) {
                self = .tensor(tensor)
            } else {
                self = .metadata(try [String: String](from: decoder))
            }
        }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .metadata(let strings): try strings.encode(to: encoder)
            case .tensor(let tensor): try tensor.encode(to: encoder)
            }
        }
    }

    /// The header as the format's JSON, with sorted keys so that equal tensors make equal files,
    /// padded with spaces to whole 8 bytes so that the tensors are aligned.
    func encoded() throws -> Data {
        var fields = tensors.mapValues(Field.tensor)
        if !metadata.isEmpty {
            fields[Self.metadataKey] = .metadata(metadata)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var json = try encoder.encode(fields)
        while json.count % 8 != 0 {
            json.append(UInt8(ascii: " "))
        }
        return json
    }
}
