/// What happened, a line each, if somebody wants to read it.
struct Trace {
    /// The last so many lines are kept.
    static let lineLimit = 400

    let isOn: Bool
    private(set) var lines: [String] = []

    init(isOn: Bool) { self.isOn = isOn }

    mutating func note(_ time: Int64, _ node: String, _ text: @autoclosure () -> String) {
        guard isOn else { return }
        if lines.count >= 2 * Self.lineLimit { lines.removeFirst(Self.lineLimit) }
        let padding = String(repeating: " ", count: max(0, 12 - node.count))
        lines.append("\(clockText(time))  \(node)\(padding) \(text())")
    }
}

/// Hours, minutes, seconds and milliseconds: `12:03:04.250`.
func clockText(_ milliseconds: Int64) -> String {
    func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let seconds = milliseconds / 1_000
    return padded(seconds / 3_600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":"
        + padded(seconds % 60, 2) + "." + padded(milliseconds % 1_000, 3)
}
