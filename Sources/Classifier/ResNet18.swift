/// The ResNet-18 for 32×32 images: a 3×3 stem, four stages of two basic blocks with
/// width·{1, 2, 4, 8} channels, an average pool and a linear layer (He et al. 2016,
/// arXiv:1512.03385, with the CIFAR stem).
///
/// It is described here once, as data; the engines execute the description.
public struct ResNet18: Hashable, Sendable {
    public var width: Int
    public var classes: Int

    public init(width: Int, classes: Int) {
        precondition(width > 0 && classes > 0, "a network needs channels and classes")
        self.width = width
        self.classes = classes
    }

    public static let imageChannels = 3
    public static let imageSide = 32
    /// The stride of one image in NCHW batches, in elements.
    public static let imageElementCount = imageChannels * imageSide * imageSide

    /// Added to a batch norm's variance.
    public static let epsilon: Float = 1e-5
    /// The share of a new batch in the running statistics.
    public static let statisticsMomentum: Float = 0.1

    /// A square convolution without bias; the padding keeps the side at stride 1.
    public struct Convolution: Hashable, Sendable {
        /// The layer's name in PyTorch's `state_dict`, as `layer1.0.conv1`.
        public var name: String
        public var inputChannels: Int
        public var outputChannels: Int
        /// The side of the kernel, 1 or 3.
        public var kernel: Int
        public var stride: Int
        /// The side of the input, in pixels.
        public var inputSide: Int

        public var padding: Int { kernel / 2 }
        public var outputSide: Int { inputSide / stride }
        public var fanIn: Int { inputChannels * kernel * kernel }
        public var weightShape: [Int] { [outputChannels, inputChannels, kernel, kernel] }
        /// The floating-point operations of one image, a multiply-add counted as two.
        public var operationsPerImage: Double {
            2 * Double(weightShape.reduce(1, *) * outputSide * outputSide)
        }
    }

    /// A convolution and the batch norm over its output.
    public struct Unit: Hashable, Sendable {
        public var convolution: Convolution
        /// The batch norm's name in PyTorch's `state_dict`, as `layer1.0.bn1`.
        public var normName: String
    }

    /// A basic block: relu(second(relu(first(x))) + shortcut(x)); without a shortcut unit, x
    /// itself.
    public struct Block: Hashable, Sendable {
        public var first: Unit
        public var second: Unit
        public var shortcut: Unit?
    }

    public var stem: Unit {
        Unit(
            convolution: Convolution(
                name: "conv1", inputChannels: Self.imageChannels, outputChannels: width,
                kernel: 3, stride: 1, inputSide: Self.imageSide),
            normName: "bn1")
    }

    public var blocks: [Block] {
        var blocks: [Block] = []
        var channels = width
        var side = Self.imageSide
        for stage in 0..<4 {
            for position in 0..<2 {
                let stride = stage > 0 && position == 0 ? 2 : 1
                let block = Self.block(
                    "layer\(stage + 1).\(position)", from: channels, to: width << stage,
                    stride: stride, side: side)
                blocks.append(block)
                channels = width << stage
                side /= stride
            }
        }
        return blocks
    }

    /// The units in the order of PyTorch's `state_dict`.
    public var units: [Unit] {
        [stem] + blocks.flatMap { [$0.first, $0.second] + ($0.shortcut.map { [$0] } ?? []) }
    }

    /// The length of the pooled feature vector that the linear layer sees.
    public var featureCount: Int { width * 8 }
    /// The side of the last stage's output, all of which is pooled.
    public var poolSide: Int { Self.imageSide / 8 }

    private static func block(
        _ name: String, from inputChannels: Int, to outputChannels: Int, stride: Int, side: Int
    ) -> Block {
        func unit(
            _ convolution: String, _ norm: String, from: Int, kernel: Int, stride: Int, side: Int
        ) -> Unit {
            Unit(
                convolution: Convolution(
                    name: "\(name).\(convolution)", inputChannels: from,
                    outputChannels: outputChannels, kernel: kernel, stride: stride,
                    inputSide: side),
                normName: "\(name).\(norm)")
        }
        let changesShape = stride != 1 || inputChannels != outputChannels
        return Block(
            first: unit("conv1", "bn1", from: inputChannels, kernel: 3, stride: stride, side: side),
            second: unit(
                "conv2", "bn2", from: outputChannels, kernel: 3, stride: 1, side: side / stride),
            shortcut: changesShape
                ? unit(
                    "shortcut.0", "shortcut.1", from: inputChannels, kernel: 1, stride: stride,
                    side: side) : nil)
    }
}

extension ResNet18 {
    /// One entry of PyTorch's `state_dict`.
    public struct Entry: Hashable, Sendable {
        public enum Role: Hashable, Sendable {
            /// Starts uniform in ±1/√fanIn.
            case weight(fanIn: Int)
            /// A batch norm's factor; starts at 1.
            case scale
            /// A batch norm's summand; starts at 0.
            case shift
            case runningMean
            case runningVariance
            case batchCount
        }

        public var name: String
        public var shape: [Int]
        public var role: Role

        public var elementCount: Int { shape.reduce(1, *) }
        /// Whether the optimiser changes it.
        public var isTrained: Bool {
            switch role {
            case .weight, .scale, .shift: true
            case .runningMean, .runningVariance, .batchCount: false
            }
        }
    }

    /// The floating-point operations of one image's forward pass in convolutions and the linear
    /// layer, a multiply-add counted as two. A training step takes three times as many, the stem's
    /// input gradient counted although it is never computed.
    public var operationsPerImage: Double {
        units.map(\.convolution.operationsPerImage).reduce(0, +)
            + 2 * Double(classes * featureCount)
    }

    /// The entries of PyTorch's `state_dict`, in its order.
    public var entries: [Entry] {
        units.flatMap(Self.entries(of:)) + [
            Entry(
                name: "linear.weight", shape: [classes, featureCount],
                role: .weight(fanIn: featureCount)),
            Entry(name: "linear.bias", shape: [classes], role: .weight(fanIn: featureCount)),
        ]
    }

    /// The number of trained values: 11,173,962 at width 64 with 10 classes.
    public var parameterCount: Int {
        entries.filter(\.isTrained).reduce(0) { $0 + $1.elementCount }
    }

    private static func entries(of unit: Unit) -> [Entry] {
        let channels = [unit.convolution.outputChannels]
        let norm = unit.normName
        return [
            Entry(
                name: unit.convolution.name + ".weight", shape: unit.convolution.weightShape,
                role: .weight(fanIn: unit.convolution.fanIn)),
            Entry(name: norm + ".weight", shape: channels, role: .scale),
            Entry(name: norm + ".bias", shape: channels, role: .shift),
            Entry(name: norm + ".running_mean", shape: channels, role: .runningMean),
            Entry(name: norm + ".running_var", shape: channels, role: .runningVariance),
            Entry(name: norm + ".num_batches_tracked", shape: [], role: .batchCount),
        ]
    }

    /// A new network: convolution and linear weights and the linear bias uniform in ±1/√fan_in,
    /// batch norms 1 and 0 with running statistics 0 and 1.
    ///
    /// - Parameter uniform: the next draw in [0, 1); called once for each value of the weights and
    ///   the bias, in the order of `entries` and row-major inside one.
    public func initialState(uniform: () -> Float) -> NetworkState {
        NetworkState(
            tensors: entries.map { entry in
                let values: NetworkState.Values
                switch entry.role {
                case .weight(let fanIn):
                    let bound = 1 / Float(fanIn).squareRoot()
                    values = .float32(
                        (0..<entry.elementCount).map { _ in (2 * uniform() - 1) * bound })
                case .scale, .runningVariance:
                    values = .float32(Array(repeating: 1, count: entry.elementCount))
                case .shift, .runningMean:
                    values = .float32(Array(repeating: 0, count: entry.elementCount))
                case .batchCount:
                    values = .int64([0])
                }
                return NetworkState.Tensor(name: entry.name, shape: entry.shape, values: values)
            })
    }
}
