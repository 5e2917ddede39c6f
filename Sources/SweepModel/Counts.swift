/// The sign that stands before a negative number in text for people.
public let minusSign = "\u{2212}"

/// A count with commas between the thousands.
public func grouped(_ count: Int) -> String {
    let digits = String(count.magnitude)
    var text = count < 0 ? minusSign : ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
        text.append(digit)
    }
    return text
}

/// A count in words: `1 trial`, `3 trials`.
public func counted(_ count: Int, _ noun: String) -> String {
    "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")"
}
