import SweepModel

/// The coordinator's disk with the journal on it.
struct SimulatedDisk {
    private(set) var records: [Record] = []
    /// Of the last commit, which failed: a crash decides whether it had reached the disk.
    private var uncertain: [Record] = []
    var isFull = false

    /// - Returns: whether all are on disk; a commit that failed may be there nonetheless.
    mutating func commit(_ records: [Record], fails: Bool) -> Bool {
        if isFull || fails {
            uncertain = records
            return false
        }
        uncertain = []
        self.records += records
        return true
    }

    /// The machine stops in a commit.
    mutating func tear(_ records: [Record]) { uncertain = records }

    /// What a commit that did not return left behind: nothing, all, or (after a repair of the file)
    /// the first of its records.
    mutating func crash(_ draws: inout Draws) {
        let count = draws.pick([0, uncertain.count, draws.below(uncertain.count + 1)])
        records += uncertain.prefix(count)
        uncertain = []
    }

    /// `alsweep extend`, `cancel` and the like, while no coordinator runs.
    mutating func change(_ records: [Record]) { self.records += records }
}
