import Glibc

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
