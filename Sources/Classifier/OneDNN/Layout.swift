import COneDNN

/// Throws unless a call of oneDNN succeeded.
func check(_ status: dnnl_status_t, _ call: StaticString) throws(ClassifierError) {
    guard status == dnnl_success else {
        throw .library(call: "\(call)", status: Int(status.rawValue))
    }
}

/// The CPU as oneDNN's engine, and the stream that primitives run in, one thread's at a time.
final class Device {
    let engine: dnnl_engine_t
    let stream: dnnl_stream_t
    /// Whose engine it is, if another's.
    private let owner: Device?

    init() throws(ClassifierError) {
        var engine: dnnl_engine_t?
        try check(dnnl_engine_create(&engine, dnnl_cpu, 0), "dnnl_engine_create")
        do throws(ClassifierError) {
            stream = try Self.stream(of: engine!)
        } catch {
            dnnl_engine_destroy(engine)
            throw error
        }
        self.engine = engine!
        owner = nil
    }

    /// The same engine, whose tensors it can use, with a stream of its own.
    init(sharing owner: Device) throws(ClassifierError) {
        engine = owner.engine
        stream = try Self.stream(of: owner.engine)
        self.owner = owner
    }

    deinit {
        dnnl_stream_destroy(stream)
        if owner == nil { dnnl_engine_destroy(engine) }
    }

    private static func stream(of engine: dnnl_engine_t) throws(ClassifierError) -> dnnl_stream_t {
        var stream: dnnl_stream_t?
        try check(
            dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue),
            "dnnl_stream_create")
        return stream!
    }

    /// Waits until everything that was started has ended.
    func wait() throws(ClassifierError) {
        try check(dnnl_stream_wait(stream), "dnnl_stream_wait")
    }
}

/// The shape and element type of a tensor and the order of its elements in memory.
final class Layout {
    let handle: onednn_layout

    init(owning handle: onednn_layout) {
        self.handle = handle
    }

    /// The sides without the channels that only fill up blocks.
    var shape: [Int] {
        var sides = [Int64](repeating: 0, count: Int(DNNL_MAX_NDIMS))
        let rank = onednn_layout_shape(handle, &sides)
        return sides.prefix(Int(rank)).map(Int.init)
    }

    /// - Parameters:
    ///   - shape: as PyTorch has it: NCHW, OIHW.
    ///   - order: `dnnl_format_tag_any` leaves the choice to the primitive.
    init(
        _ shape: [Int], _ type: dnnl_data_type_t = dnnl_f32, order: dnnl_format_tag_t
    ) throws(ClassifierError) {
        var handle: onednn_layout?
        try check(
            onednn_layout_create(&handle, Int32(shape.count), shape.map(Int64.init), type, order),
            "dnnl_memory_desc_create_with_tag")
        self.handle = handle!
    }

    /// Row-major, as PyTorch has it.
    static func plain(
        _ shape: [Int], _ type: dnnl_data_type_t = dnnl_f32
    ) throws(ClassifierError) -> Layout {
        let orders = [dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd]
        return try Layout(shape, type, order: orders[shape.count - 1])
    }

    /// In the order that the primitive works best with.
    static func any(
        _ shape: [Int], _ type: dnnl_data_type_t = dnnl_f32
    ) throws(ClassifierError) -> Layout {
        try Layout(shape, type, order: dnnl_format_tag_any)
    }

    deinit {
        onednn_layout_destroy(handle)
    }

    var type: dnnl_data_type_t { onednn_layout_type(handle) }

    /// The memory a tensor takes, with the zeros that round its channels up to whole blocks.
    var byteCount: Int { onednn_layout_byte_count(handle) }

    /// Whether tensors of the two layouts can be used for each other as they are.
    func isSame(as other: Layout) -> Bool {
        onednn_layout_equal(handle, other.handle) != 0
    }
}
