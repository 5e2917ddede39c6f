/// The columns that a text takes in a terminal: two for East Asian wide characters and emoji.
func displayWidth(_ text: String) -> Int {
    // Nearly every cell is ASCII, where a byte is a column.
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.reduce(0) { $0 + displayWidth($1) }
}

private func displayWidth(_ character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    // Latin letters, ± and the minus sign: one column each, and by far the most.
    let isSingle = character.unicodeScalars.count == 1
    if isSingle, 0xAE...0x2FF ~= first.value || first.value == 0x2212 { return 1 }
    if isSingle, 0x20...0x7E ~= first.value { return 1 }
    if character.unicodeScalars.contains(where: \.properties.isEmojiPresentation) { return 2 }
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: return wideRanges.contains { $0.contains(first.value) } ? 2 : 1
    }
}

/// Unicode's East Asian Width property, classes W and F, in coarse ranges.
private let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
    0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
    0x1F900...0x1F9FF, 0x20000...0x3FFFD,
]

/// A text from outside (a host name, a failure) as one line without control characters, which
/// could move a terminal's cursor.
func singleLine(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    if isPlain { return text }
    var line = ""
    for scalar in text.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .format: line.append(" ")
        default: line.unicodeScalars.append(scalar)
        }
    }
    return line.split(separator: " ").joined(separator: " ")
}

/// Breaks a text into lines of at most `width` columns, at spaces where there are any.
func wrapped(_ text: String, to width: Int) -> [String] {
    guard displayWidth(text) > width else { return [text] }
    var lines: [String] = []
    var line = ""
    var lineWidth = 0
    for word in text.split(separator: " ") {
        let wordWidth = displayWidth(String(word))
        if lineWidth > 0, lineWidth + 1 + wordWidth <= width {
            line += " " + word
            lineWidth += 1 + wordWidth
            continue
        }
        if lineWidth > 0 { lines.append(line) }
        let pieces = wordWidth <= width ? [String(word)] : broken(String(word), to: width)
        lines += pieces.dropLast()
        line = pieces[pieces.count - 1]
        lineWidth = displayWidth(line)
    }
    if lineWidth > 0 { lines.append(line) }
    return lines
}

/// A word that is wider than a line, in pieces; at least one character each.
private func broken(_ word: String, to width: Int) -> [String] {
    var pieces = [""]
    var pieceWidth = 0
    for character in word {
        let characterWidth = displayWidth(String(character))
        if pieceWidth > 0, pieceWidth + characterWidth > width {
            pieces.append("")
            pieceWidth = 0
        }
        pieces[pieces.count - 1].append(character)
        pieceWidth += characterWidth
    }
    return pieces
}
