/// A machine's monotonic clock: it has an origin and a rate of its own, and it may jump.
///
/// A real monotonic clock does not jump back. Here it does, because a program that survives this
/// does not depend on more than it needs.
struct NodeClock {
    private var anchor: Int64
    private var reading: Int64
    /// Parts in a million that it gains, or loses if negative.
    private let driftPerMillion: Int64

    init(at time: Int64, reading: Int64, driftPerMillion: Int64) {
        anchor = time
        self.reading = reading
        self.driftPerMillion = driftPerMillion
    }

    func milliseconds(at time: Int64) -> Int64 {
        reading + elapsed(time - anchor)
    }

    /// When, in the simulation's time, it will show `milliseconds` if it does not jump.
    func time(of milliseconds: Int64, notBefore time: Int64) -> Int64 {
        let wait = milliseconds - self.milliseconds(at: time)
        guard wait > 0 else { return time }
        // Rounded up, so that the clock shows it then.
        return time + wait * 1_000_000 / (1_000_000 + driftPerMillion) + 1
    }

    mutating func jump(by milliseconds: Int64, at time: Int64) {
        reading = self.milliseconds(at: time) + milliseconds
        anchor = time
    }

    private func elapsed(_ span: Int64) -> Int64 { span + span * driftPerMillion / 1_000_000 }
}
