import Digests

/// Which images of the pool are labelled, and in which order they became so.
struct LabelledPool: Hashable, Sendable {
    /// Pool indices in the order in which their labels were bought.
    private(set) var labelled: [Int]
    /// The other indices; labelling removes some and keeps the order of the rest.
    private(set) var unlabelled: [Int]

    /// The initial set as CPython draws it: `random.shuffle(list(range(count)))`, the first ones
    /// labelled.
    init(count: Int, initialCount: Int, generator: inout CPythonRandom) {
        precondition(initialCount <= count, "the pool is smaller than the initial set")
        var indices = Array(0..<count)
        generator.shuffle(&indices)
        labelled = Array(indices[..<initialCount])
        unlabelled = Array(indices[initialCount...])
    }

    /// Continues from saved lists; nil unless each index of the pool is in exactly one.
    init?(labelled: [Int], unlabelled: [Int]) {
        let count = labelled.count + unlabelled.count
        var isSeen = [Bool](repeating: false, count: count)
        for index in labelled + unlabelled {
            guard isSeen.indices.contains(index), !isSeen[index] else { return nil }
            isSeen[index] = true
        }
        self.labelled = labelled
        self.unlabelled = unlabelled
    }

    var count: Int { labelled.count + unlabelled.count }

    /// What training depends on: the set, not its history.
    var sortedLabelled: [Int] { labelled.sorted() }

    /// Moves picks to the end of the labelled list.
    mutating func label(_ picks: [Int]) {
        var isPicked = [Bool](repeating: false, count: count)
        for pick in picks { isPicked[pick] = true }
        let rest = unlabelled.filter { !isPicked[$0] }
        precondition(
            rest.count == unlabelled.count - picks.count, "a pick is twice there or labelled before"
        )
        labelled += picks
        unlabelled = rest
    }
}

/// SHA-256 of indices as little-endian UInt32.
func digest(ofIndices indices: [Int]) -> Digest {
    Digest.sha256(
        of: indices.flatMap { index in
            (0..<4).map { UInt8(truncatingIfNeeded: UInt32(index) >> (8 * $0)) }
        })
}
