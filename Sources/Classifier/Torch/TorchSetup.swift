import CTorchEngine
import Glibc

extension TorchLibrary {
    /// Makes an engine of the network's description, whose parameters are still to be written.
    func makeEngine(
        _ network: ResNet18, _ precision: Precision, _ device: TorchDevice, _ isDeterministic: Bool
    ) throws(ClassifierError) -> OpaquePointer {
        let names = CStrings()
        let units = network.units.map { unit in
            let convolution = unit.convolution
            return alsweep_torch_unit(
                convolution: names.add(convolution.name), norm: names.add(unit.normName),
                input_channels: Int32(convolution.inputChannels),
                output_channels: Int32(convolution.outputChannels),
                kernel: Int32(convolution.kernel), stride: Int32(convolution.stride))
        }
        let blocks = network.torchBlocks
        var engine: OpaquePointer?
        let status = units.withUnsafeBufferPointer { units in
            blocks.withUnsafeBufferPointer { blocks in
                var setup = alsweep_torch_setup(
                    units: units.baseAddress, unit_count: Int32(units.count),
                    blocks: blocks.baseAddress, block_count: Int32(blocks.count),
                    linear: names.add("linear"), feature_count: Int32(network.featureCount),
                    class_count: Int32(network.classes),
                    image_channels: Int32(ResNet18.imageChannels),
                    image_side: Int32(ResNet18.imageSide), epsilon: ResNet18.epsilon,
                    statistics_momentum: ResNet18.statisticsMomentum, device: device.number,
                    precision: precision.torchNumber, is_deterministic: isDeterministic ? 1 : 0)
                return plugIn.create(&setup, &engine)
            }
        }
        withExtendedLifetime(names) {}
        try check(status, "create")
        guard let engine else { throw .plugIn(call: "create", problem: "it made no engine") }
        return engine
    }
}

extension ResNet18 {
    /// The blocks by the places of their units in `units`.
    fileprivate var torchBlocks: [alsweep_torch_block] {
        var place: Int32 = 1
        return blocks.map { block in
            defer { place += block.shortcut == nil ? 2 : 3 }
            return alsweep_torch_block(
                first: place, second: place + 1, shortcut: block.shortcut == nil ? -1 : place + 2)
        }
    }
}

extension SGD {
    var forPlugIn: alsweep_torch_sgd {
        alsweep_torch_sgd(
            learning_rate: learningRate, momentum: momentum, weight_decay: weightDecay)
    }
}

extension ImageView {
    var forPlugIn: alsweep_torch_view {
        alsweep_torch_view(
            image: Int32(image), is_flipped: isFlipped ? 1 : 0, column: Int32(column),
            row: Int32(row))
    }
}

/// What C is given to call back; its context is this object, which must live as long as the call.
final class RectifierObserver {
    private let body: ((String, [Float]) -> Void)?

    init(_ body: ((String, [Float]) -> Void)?) {
        self.body = body
    }

    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    /// nil where nobody wants to be told.
    var function: alsweep_torch_observer? {
        guard body != nil else { return nil }
        return { context, norm, values, count in
            let observer = Unmanaged<RectifierObserver>.fromOpaque(context!).takeUnretainedValue()
            let output = UnsafeBufferPointer(start: values, count: Int(count))
            observer.body?(String(cString: norm!), Array(output))
        }
    }
}

/// Strings for C, freed with this object.
private final class CStrings {
    private var all: [UnsafeMutablePointer<CChar>] = []

    func add(_ text: String) -> UnsafePointer<CChar> {
        let copy = strdup(text)!
        all.append(copy)
        return UnsafePointer(copy)
    }

    deinit {
        for string in all { free(string) }
    }
}

/// Overwrites all of a span.
func copy(_ values: [Float], to target: inout MutableSpan<Float>) {
    precondition(values.count == target.count)
    for index in values.indices { target[index] = values[index] }
}
