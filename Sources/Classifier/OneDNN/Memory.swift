import COneDNN

/// A tensor in oneDNN's sense: a layout and the address of its elements. It does not own them.
final class Memory {
    let layout: Layout
    let handle: dnnl_memory_t
    /// Where the elements are: nil until `bind`.
    private(set) var address: UnsafeMutableRawPointer?

    init(_ layout: Layout, _ device: Device) throws(ClassifierError) {
        self.layout = layout
        var handle: dnnl_memory_t?
        try check(
            onednn_memory_create(&handle, layout.handle, device.engine, nil), "dnnl_memory_create")
        self.handle = handle!
    }

    deinit {
        dnnl_memory_destroy(handle)
    }

    func bind(to address: UnsafeMutableRawPointer) throws(ClassifierError) {
        try check(
            dnnl_memory_set_data_handle(handle, address), "dnnl_memory_set_data_handle")
        self.address = address
    }

    /// The elements of a float32 tensor in the layout's order.
    var floats: UnsafeMutableBufferPointer<Float> {
        precondition(layout.type == dnnl_f32)
        return elements()
    }

    /// The first element of a float32 tensor.
    var floatAddress: UnsafeMutablePointer<Float> { floats.baseAddress! }

    /// The elements of a bfloat16 tensor in the layout's order.
    var bfloats: UnsafeMutableBufferPointer<BFloat16> {
        precondition(layout.type == dnnl_bf16)
        return elements()
    }

    private func elements<Element: ActivationElement>() -> UnsafeMutableBufferPointer<Element> {
        let count = layout.byteCount / MemoryLayout<Element>.stride
        return UnsafeMutableBufferPointer(
            start: address!.bindMemory(to: Element.self, capacity: count), count: count)
    }

    /// Replaces the elements of a float32 tensor in plain order.
    func fill(from values: Span<Float>) {
        precondition(values.count == floats.count, "a plain tensor is filled whole")
        values.withUnsafeBufferPointer {
            floats.baseAddress!.update(from: $0.baseAddress!, count: $0.count)
        }
    }
}
