import COneDNN

/// What is done to a convolution's result before it is stored, and who owns the scratchpad.
final class Attributes {
    let handle: dnnl_primitive_attr_t

    /// - Parameters:
    ///   - sum: adds what the destination held before.
    ///   - relu: then replaces negative values by 0.
    init(sum: Bool = false, relu: Bool = false) throws(ClassifierError) {
        var handle: dnnl_primitive_attr_t?
        try check(dnnl_primitive_attr_create(&handle), "dnnl_primitive_attr_create")
        self.handle = handle!
        try check(
            dnnl_primitive_attr_set_scratchpad_mode(handle, dnnl_scratchpad_mode_user),
            "dnnl_primitive_attr_set_scratchpad_mode")
        guard sum || relu else { return }
        var operations: dnnl_post_ops_t?
        try check(dnnl_post_ops_create(&operations), "dnnl_post_ops_create")
        defer { dnnl_post_ops_destroy(operations) }
        if sum {
            try check(onednn_append_sum(operations), "dnnl_post_ops_append_sum")
        }
        if relu {
            try check(
                onednn_append_eltwise(operations, dnnl_eltwise_relu),
                "dnnl_post_ops_append_eltwise")
        }
        try check(
            dnnl_primitive_attr_set_post_ops(handle, operations),
            "dnnl_primitive_attr_set_post_ops")
    }

    deinit {
        dnnl_primitive_attr_destroy(handle)
    }
}

/// A chosen implementation of one operation and the layouts that it wants.
final class PrimitiveDescription {
    let handle: dnnl_primitive_desc_t

    /// - Parameter create: one of the shim's functions; it stores the description that it made.
    init(
        _ call: StaticString,
        _ create: (UnsafeMutablePointer<dnnl_primitive_desc_t?>) -> dnnl_status_t
    ) throws(ClassifierError) {
        var handle: dnnl_primitive_desc_t?
        try check(create(&handle), call)
        self.handle = handle!
    }

    deinit {
        dnnl_primitive_desc_destroy(handle)
    }

    /// The name of the implementation, as `jit:avx2`.
    var implementation: String { String(cString: onednn_implementation(handle)) }

    /// The layout of an argument; one of 0 bytes where the operation has no such argument.
    func layout(_ argument: dnnl_query_t) throws(ClassifierError) -> Layout {
        var layout: onednn_layout?
        try check(onednn_layout_of(&layout, handle, argument), "dnnl_primitive_desc_query_md")
        return Layout(owning: layout!)
    }
}

/// An operation ready to run on fixed tensors.
final class Primitive {
    private let handle: dnnl_primitive_t
    private let arguments: [dnnl_exec_arg_t]
    /// oneDNN does not keep the tensors alive, so this does.
    private let tensors: [Memory]

    init(
        _ description: PrimitiveDescription, _ tensors: [(role: Int32, memory: Memory)]
    ) throws(ClassifierError) {
        var handle: dnnl_primitive_t?
        try check(dnnl_primitive_create(&handle, description.handle), "dnnl_primitive_create")
        self.handle = handle!
        self.tensors = tensors.map(\.memory)
        arguments = tensors.map { dnnl_exec_arg_t(arg: $0.role, memory: $0.memory.handle) }
    }

    deinit {
        dnnl_primitive_destroy(handle)
    }

    func run(_ device: Device) throws(ClassifierError) {
        let status = arguments.withUnsafeBufferPointer {
            dnnl_primitive_execute(handle, device.stream, Int32($0.count), $0.baseAddress)
        }
        try check(status, "dnnl_primitive_execute")
    }
}
