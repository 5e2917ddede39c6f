/// The trained parameters with their gradients and the optimiser's momentum, each kind in one
/// block of memory. Convolution weights are channels-last, `(out, kernel, kernel, in)`.
final class FlatParameters {
    private let entries: [ResNet18.Entry]
    private let ranges: [String: Range<Int>]
    private let elementCount: Int
    private let values: PageBuffer
    private let gradients: PageBuffer
    private let velocity: PageBuffer

    init(_ network: ResNet18) {
        entries = network.entries.filter(\.isTrained)
        var ranges: [String: Range<Int>] = [:]
        var end = 0
        for entry in entries {
            ranges[entry.name] = end..<end + entry.elementCount
            // Rounded up to whole cache lines.
            end += (entry.elementCount + 15) / 16 * 16
        }
        self.ranges = ranges
        elementCount = end
        values = PageBuffer(byteCount: end * MemoryLayout<Float>.stride)
        gradients = PageBuffer(byteCount: end * MemoryLayout<Float>.stride)
        velocity = PageBuffer(byteCount: end * MemoryLayout<Float>.stride)
    }

    /// A parameter as it lies in memory.
    subscript(name: String) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(rebasing: values.floats[ranges[name]!])
    }

    func gradient(_ name: String) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(rebasing: gradients.floats[ranges[name]!])
    }

    func load(_ state: NetworkState) {
        for entry in entries {
            let floats = state[entry.name]!.floats!
            var target = self[entry.name].mutableSpan
            moveChannelsLast(
                floats.span, channels: entry.channels, pixels: entry.pixels, to: &target)
        }
        clearVelocity()
    }

    func clearVelocity() {
        velocity.floats.update(repeating: 0)
    }

    /// A parameter's values in PyTorch's layout.
    func plainValues(_ entry: ResNet18.Entry) -> [Float] {
        movedChannelsFirst(
            self[entry.name].span, channels: entry.channels, pixels: entry.pixels)
    }

    /// The last step's gradients in PyTorch's layouts.
    func gradientTensors() -> [NetworkState.Tensor] {
        entries.map { entry in
            let values = movedChannelsFirst(
                gradient(entry.name).span, channels: entry.channels, pixels: entry.pixels)
            return .init(name: entry.name, shape: entry.shape, values: .float32(values))
        }
    }

    func update(_ optimizer: SGD) {
        optimizer.update(
            parameters: values.floats, velocity: velocity.floats, gradients: gradients.floats,
            count: elementCount)
    }
}

extension ResNet18.Entry {
    /// The channels that come before the pixels of a convolution's kernel; 1 where there are none.
    fileprivate var channels: Int { shape.count == 4 ? shape[1] : 1 }
    fileprivate var pixels: Int { shape.count == 4 ? shape[2] * shape[3] : 1 }
}

/// Memory for floats that grows to the largest size asked for and is then reused.
final class FloatBuffer {
    private var pages = PageBuffer(byteCount: 0)

    /// The first `count` floats; what they hold is undefined after the buffer has grown.
    func floats(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        let byteCount = count * MemoryLayout<Float>.stride
        if byteCount > pages.byteCount {
            pages = PageBuffer(byteCount: byteCount)
        }
        return UnsafeMutableBufferPointer(rebasing: pages.floats[..<count])
    }
}
