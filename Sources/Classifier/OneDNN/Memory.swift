import COneDNN
import Glibc

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
        let count = layout.byteCount / MemoryLayout<Float>.stride
        return UnsafeMutableBufferPointer(
            start: address!.bindMemory(to: Float.self, capacity: count), count: count)
    }

    /// Replaces the elements of a float32 tensor in plain order.
    func fill(from values: Span<Float>) {
        precondition(values.count == floats.count, "a plain tensor is filled whole")
        values.withUnsafeBufferPointer {
            floats.baseAddress!.update(from: $0.baseAddress!, count: $0.count)
        }
    }
}

/// Memory of its own, aligned to pages that the kernel may make huge.
struct PageBuffer: ~Copyable {
    let address: UnsafeMutableRawPointer
    let byteCount: Int

    private static let alignment = 1 << 21

    /// All zeros.
    init(byteCount: Int) {
        let rounded = (max(byteCount, 1) + Self.alignment - 1) / Self.alignment * Self.alignment
        address = .allocate(byteCount: rounded, alignment: Self.alignment)
        self.byteCount = rounded
        // Only speed depends on it, so a kernel that refuses is fine.
        _ = madvise(address, rounded, MADV_HUGEPAGE)
        address.initializeMemory(as: UInt8.self, repeating: 0, count: rounded)
    }

    deinit {
        address.deallocate()
    }

    var floats: UnsafeMutableBufferPointer<Float> {
        let count = byteCount / MemoryLayout<Float>.stride
        return UnsafeMutableBufferPointer(
            start: address.bindMemory(to: Float.self, capacity: count), count: count)
    }
}

/// Where the tensors of all programs of an engine live, one program at a time.
final class Arena {
    private var buffer = PageBuffer(byteCount: 0)
    /// Grows by one whenever the tensors move.
    private(set) var generation = 0

    var address: UnsafeMutableRawPointer { buffer.address }

    /// Makes room for a program; what other programs left is lost.
    func reserve(byteCount: Int) {
        guard byteCount > buffer.byteCount else { return }
        buffer = PageBuffer(byteCount: 0)
        buffer = PageBuffer(byteCount: byteCount)
        generation += 1
    }
}

/// Hands out places in an arena while a program is being built, so that tensors that are never
/// needed at the same time share memory.
struct ArenaPlan {
    private(set) var byteCount = 0
    private var free: [Range<Int>] = []

    /// Vector loads never straddle two cache lines from here.
    private static let alignment = 64

    mutating func acquire(byteCount: Int) -> Range<Int> {
        let rounded = (max(byteCount, 1) + Self.alignment - 1) / Self.alignment * Self.alignment
        let fitting = free.indices.filter { free[$0].count >= rounded }
        if let best = fitting.min(by: { free[$0].count < free[$1].count }) {
            let start = free[best].lowerBound
            free[best] = start + rounded..<free[best].upperBound
            if free[best].isEmpty { free.remove(at: best) }
            return start..<start + rounded
        }
        // A free end of the arena is extended.
        let start = free.last.flatMap { $0.upperBound == self.byteCount ? $0.lowerBound : nil }
        if start != nil { free.removeLast() }
        let place = (start ?? self.byteCount)..<(start ?? self.byteCount) + rounded
        self.byteCount = place.upperBound
        return place
    }

    mutating func release(_ place: Range<Int>) {
        let index = free.firstIndex { $0.lowerBound > place.lowerBound } ?? free.count
        free.insert(place, at: index)
        if index + 1 < free.count && free[index].upperBound == free[index + 1].lowerBound {
            free[index] = free[index].lowerBound..<free[index + 1].upperBound
            free.remove(at: index + 1)
        }
        if index > 0 && free[index - 1].upperBound == free[index].lowerBound {
            free[index - 1] = free[index - 1].lowerBound..<free[index].upperBound
            free.remove(at: index)
        }
    }
}
