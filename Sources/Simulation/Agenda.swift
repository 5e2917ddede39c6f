import HeapModule

/// What will happen, by the time at which it does; what falls on the same instant happens in the
/// order in which it was planned.
struct Agenda<Occurrence> {
    private struct Entry: Comparable {
        let time: Int64
        let sequence: UInt64
        /// In `occurrences`: entries move often and should be small.
        let place: Int

        static func < (first: Entry, second: Entry) -> Bool {
            (first.time, first.sequence) < (second.time, second.sequence)
        }
    }

    private var heap = Heap<Entry>()
    private var occurrences: [Occurrence?] = []
    private var free: [Int] = []
    private var sequence: UInt64 = 0

    mutating func plan(_ occurrence: Occurrence, at time: Int64) {
        let place: Int
        if let reused = free.popLast() {
            place = reused
            occurrences[place] = occurrence
        } else {
            place = occurrences.count
            occurrences.append(occurrence)
        }
        sequence += 1
        heap.insert(Entry(time: time, sequence: sequence, place: place))
    }

    mutating func next() -> (time: Int64, occurrence: Occurrence)? {
        guard let entry = heap.popMin() else { return nil }
        free.append(entry.place)
        return (entry.time, occurrences[entry.place].take()!)
    }
}
