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
