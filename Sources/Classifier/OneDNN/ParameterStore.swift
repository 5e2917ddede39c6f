import COneDNN

/// The trained parameters with their gradients and the optimiser's momentum, each kind in one
/// block of memory, so that the optimiser is one loop over three arrays.
///
/// Convolution weights are kept in the layout that the forward convolution wants, with the zeros
/// that fill up its blocks; they stay zero, for their gradients are.
final class ParameterStore {
    /// One parameter's tensors.
    struct Slot {
        let entry: ResNet18.Entry
        let value: Memory
        let gradient: Memory
    }

    private let device: Device
    private let values: PageBuffer
    private let gradients: PageBuffer
    private let velocity: PageBuffer
    private let slots: [Slot]
    private let indices: [String: Int]
    private let elementCount: Int

    private static let alignment = 64

    /// - Parameter weightLayout: the layout to keep a convolution's weights in.
    init(
        _ network: ResNet18, _ device: Device,
        weightLayout: (ResNet18.Convolution) throws(ClassifierError) -> Layout
    ) throws(ClassifierError) {
        var layouts: [String: Layout] = [:]
        for unit in network.units {
            layouts[unit.convolution.name + ".weight"] = try weightLayout(unit.convolution)
        }
        var slots: [Slot] = []
        var offsets: [Int] = []
        var end = 0
        for entry in network.entries where entry.isTrained {
            let layout =
                if let chosen = layouts[entry.name] {
                    chosen
                } else { try Layout.plain(Self.shape(of: entry)) }
            slots.append(
                Slot(
                    entry: entry, value: try Memory(layout, device),
                    gradient: try Memory(layout, device)))
            offsets.append(end)
            end += (layout.byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
        }
        self.device = device
        values = PageBuffer(byteCount: end)
        gradients = PageBuffer(byteCount: end)
        velocity = PageBuffer(byteCount: end)
        for (slot, offset) in zip(slots, offsets) {
            try slot.value.bind(to: values.address + offset)
            try slot.gradient.bind(to: gradients.address + offset)
        }
        self.slots = slots
        elementCount = end / MemoryLayout<Float>.stride
        indices = Dictionary(
            uniqueKeysWithValues: slots.enumerated().map { ($0.element.entry.name, $0.offset) })
    }

    /// oneDNN wants the linear layer's weights like a 1×1 convolution's over the pooled features.
    private static func shape(of entry: ResNet18.Entry) -> [Int] {
        entry.shape.count == 2 ? entry.shape + [1, 1] : entry.shape
    }

    subscript(name: String) -> Slot { slots[indices[name]!] }

    func load(_ state: NetworkState) throws(ClassifierError) {
        for slot in slots {
            try write(state[slot.entry.name]!.floats!, to: slot.value, device)
        }
        clearVelocity()
    }

    func clearVelocity() {
        velocity.floats.update(repeating: 0)
    }

    /// A parameter's values in PyTorch's layout.
    func values(_ name: String) throws(ClassifierError) -> [Float] {
        let slot = self[name]
        return try read(slot.value, count: slot.entry.elementCount, device)
    }

    /// The last step's gradients in PyTorch's layouts.
    func gradientTensors() throws(ClassifierError) -> [NetworkState.Tensor] {
        var tensors: [NetworkState.Tensor] = []
        for slot in slots {
            let values = try read(slot.gradient, count: slot.entry.elementCount, device)
            tensors.append(
                .init(name: slot.entry.name, shape: slot.entry.shape, values: .float32(values)))
        }
        return tensors
    }

    func update(_ optimizer: SGD) {
        optimizer.update(
            parameters: values.floats, velocity: velocity.floats, gradients: gradients.floats,
            count: elementCount)
    }
}

/// Runs one reorder at once, outside any program.
private func reorder(_ from: Memory, _ to: Memory, _ device: Device) throws(ClassifierError) {
    let description = try PrimitiveDescription("dnnl_reorder_primitive_desc_create") {
        onednn_reorder($0, device.engine, from.layout.handle, to.layout.handle, nil)
    }
    try Primitive(description, [(DNNL_ARG_FROM, from), (DNNL_ARG_TO, to)]).run(device)
    try device.wait()
}

/// Stores row-major values in a parameter's tensor.
func write(_ values: [Float], to memory: Memory, _ device: Device) throws(ClassifierError) {
    let plain = try Memory(.plain(memory.layout.shape), device)
    precondition(plain.layout.byteCount == values.count * MemoryLayout<Float>.stride)
    var values = values
    try values.withUnsafeMutableBufferPointer { (buffer) throws(ClassifierError) in
        try plain.bind(to: buffer.baseAddress!)
        try reorder(plain, memory, device)
    }
}

/// A parameter's tensor as row-major values.
func read(_ memory: Memory, count: Int, _ device: Device) throws(ClassifierError) -> [Float] {
    let plain = try Memory(.plain(memory.layout.shape), device)
    var values = [Float](repeating: 0, count: count)
    precondition(plain.layout.byteCount == count * MemoryLayout<Float>.stride)
    try values.withUnsafeMutableBufferPointer { (buffer) throws(ClassifierError) in
        try plain.bind(to: buffer.baseAddress!)
        try reorder(memory, plain, device)
    }
    return values
}
