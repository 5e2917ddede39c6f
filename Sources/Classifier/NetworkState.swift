/// A network's parameters and running statistics on the host, named and laid out as in PyTorch's
/// `state_dict`, in its order.
public struct NetworkState: Hashable, Sendable {
    public enum Values: Hashable, Sendable {
        case float32([Float])
        case int64([Int64])

        public var count: Int {
            switch self {
            case .float32(let values): values.count
            case .int64(let values): values.count
            }
        }
    }

    /// A named tensor, row-major.
    public struct Tensor: Hashable, Sendable {
        public let name: String
        public let shape: [Int]
        public let values: Values

        public init(name: String, shape: [Int], values: Values) {
            precondition(
                shape.reduce(1, *) == values.count, "a tensor's shape is as long as its values")
            self.name = name
            self.shape = shape
            self.values = values
        }

        /// The values of a float tensor.
        public var floats: [Float]? {
            if case .float32(let values) = values { values } else { nil }
        }

        /// The values of an integer tensor.
        public var integers: [Int64]? {
            if case .int64(let values) = values { values } else { nil }
        }
    }

    public let tensors: [Tensor]

    public init(tensors: [Tensor] = []) {
        self.tensors = tensors
    }

    public subscript(name: String) -> Tensor? {
        tensors.first { $0.name == name }
    }

    /// Calls `body` with the little-endian bytes of every tensor in order, for digests and for
    /// comparing two states bit for bit.
    public func forEachTensorBytes(_ body: (_ name: String, _ bytes: [UInt8]) -> Void) {
        for tensor in tensors {
            body(tensor.name, tensor.littleEndianBytes)
        }
    }

    /// Throws unless the state has exactly the network's tensors, shapes and element types.
    public func check(against network: ResNet18) throws(ClassifierError) {
        let entries = network.entries
        for (tensor, entry) in zip(tensors, entries) {
            guard tensor.name == entry.name else {
                throw .state(tensor: tensor.name, problem: "expected '\(entry.name)' in its place")
            }
            guard tensor.shape == entry.shape else {
                throw .state(
                    tensor: tensor.name,
                    problem: "has shape \(tensor.shape); this network needs \(entry.shape)")
            }
            guard (entry.role == .batchCount) == (tensor.integers != nil) else {
                throw .state(tensor: tensor.name, problem: "has the wrong element type")
            }
        }
        guard tensors.count == entries.count else {
            let name =
                tensors.count < entries.count
                ? entries[tensors.count].name : tensors[entries.count].name
            throw .state(
                tensor: name,
                problem: "the state has \(tensors.count) tensors; this network has \(entries.count)"
            )
        }
    }
}

extension NetworkState.Tensor {
    /// The values as they lie in a tensor file.
    var littleEndianBytes: [UInt8] {
        switch values {
        // Closures: a key path of two parts is followed anew for every value, which takes seconds.
        case .float32(let values): Self.bytes(of: values.map { $0.bitPattern.littleEndian })
        case .int64(let values): Self.bytes(of: values.map { $0.littleEndian })
        }
    }

    private static func bytes<Word: FixedWidthInteger>(of words: [Word]) -> [UInt8] {
        words.withUnsafeBytes { Array($0) }
    }
}
