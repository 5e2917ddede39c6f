/// The columns that text for a terminal stays within, where its words allow.
private let terminalColumns = 100
/// What stands between two columns of a table.
private let gutter = "  "
/// The columns that prose in a table is never squeezed below.
private let narrowestProse = 20
/// What stands where a cell shows the same thing as the one above.
private let dittoMark = "\""

extension Report {
    /// Blocks as plain text: no colours, no letters beyond what every terminal shows in one column.
    func text(_ blocks: [Block]) -> String {
        var lines: [String] = []
        for (index, block) in blocks.enumerated() {
            if index > 0, !follows(blocks[index - 1], block) { lines.append("") }
            switch block {
            case .heading(let level, let title):
                lines.append(level < 3 ? title : title + ":")
                guard level < 3 else { continue }
                let underline = level == 1 ? "=" : "-"
                lines.append(String(repeating: underline, count: displayWidth(title)))
            case .paragraph(let sentence):
                lines += wrapped(sentence, to: terminalColumns)
            case .list(let items):
                for item in items {
                    for (row, line) in wrapped(item, to: terminalColumns - 2).enumerated() {
                        lines.append((row == 0 ? "- " : "  ") + line)
                    }
                }
            case .table(let table):
                lines += table.terminalLines
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

/// Whether a block stands right below the one before, as a list does below its heading.
private func follows(_ previous: Block, _ block: Block) -> Bool {
    if case .heading(let level, _) = previous, level == 3, case .list = block { return true }
    return false
}

extension Table {
    fileprivate var terminalLines: [String] {
        var lines = wrapped(caption, to: terminalColumns)
        let widths = columnWidths
        for (index, block) in columnBlocks(widths: widths).enumerated() {
            if index > 0 { lines.append("") }
            lines += terminalLines(columns: block, widths: widths)
        }
        for note in legend + notes { lines += wrapped(note, to: terminalColumns) }
        return lines
    }

    /// What the marks mean that this table uses.
    private var legend: [String] {
        let cells = rows.joined()
        var marks: [String] = []
        if cells.contains(where: \.isBest) { marks.append("* best of the column") }
        if cells.contains(where: \.continuesAbove) {
            marks.append("\(dittoMark) the same labelled sets as above, and so the same network")
        }
        return marks.isEmpty ? [] : [marks.joined(separator: "; ")]
    }

    private func text(of cell: Cell, column: Int) -> String {
        let text = cell.continuesAbove ? dittoMark : cell.line
        guard rows.contains(where: { $0[column].isBest }) else { return text }
        return text + (cell.isBest && !cell.continuesAbove ? "*" : " ")
    }

    private var columnWidths: [Int] {
        var widths = columns.indices.map { column in
            let titles = [columns[column].title, columns[column].subtitle ?? ""]
            return (titles + rows.map { text(of: $0[column], column: column) })
                .map(displayWidth).max() ?? 0
        }
        for column in columns.indices where columns[column].isProse {
            let others = widths.enumerated().filter { $0.offset != column }.map(\.element)
            let taken = others.reduce(0, +) + gutter.count * (columns.count - 1)
            widths[column] = min(widths[column], max(terminalColumns - taken, narrowestProse))
        }
        return widths
    }

    /// The columns beside the stub, broken into blocks of about equal length that fit the terminal.
    private func columnBlocks(widths: [Int]) -> [Range<Int>] {
        let count = columns.count - stubCount
        let stub = widths.prefix(stubCount).reduce(0) { $0 + $1 + gutter.count }
        guard count > 0 else { return [stubCount..<stubCount] }
        for blockCount in 1...count {
            let length = (count + blockCount - 1) / blockCount
            let blocks = stride(from: stubCount, to: columns.count, by: length)
                .map { $0..<min($0 + length, columns.count) }
            let fits = blocks.allSatisfy { block in
                let width = widths[block].reduce(0) { $0 + $1 + gutter.count } - gutter.count
                return stub + width <= terminalColumns
            }
            if fits || length == 1 { return blocks }
        }
        return [stubCount..<columns.count]
    }

    private func terminalLines(columns block: Range<Int>, widths: [Int]) -> [String] {
        let shown = Array(0..<stubCount) + Array(block)
        func line(_ texts: [String]) -> String {
            let padded = zip(shown, texts).map { column, text in
                let padding = String(
                    repeating: " ", count: max(widths[column] - displayWidth(text), 0))
                return columns[column].alignment == .leading ? text + padding : padding + text
            }
            let joined = padded.joined(separator: gutter)
            return String(joined.reversed().drop { $0 == " " }.reversed())
        }
        func header(_ texts: [String]) -> String {
            // A column with a mark keeps room for it, so that digits stand below digits.
            line(
                zip(shown, texts).map { column, text in
                    rows.contains { $0[column].isBest } ? text + " " : text
                })
        }
        let width =
            shown.reduce(0) { $0 + widths[$1] + gutter.count } - gutter.count
        var lines = [header(shown.map { columns[$0].title })]
        if shown.contains(where: { columns[$0].subtitle != nil }) {
            lines.append(header(shown.map { columns[$0].subtitle ?? "" }))
        }
        lines.append(String(repeating: "-", count: min(width, terminalColumns)))
        for row in rows {
            let cells = shown.map { column in
                let text = text(of: row[column], column: column)
                return columns[column].isProse ? wrapped(text, to: widths[column]) : [text]
            }
            for index in 0..<(cells.map(\.count).max() ?? 1) {
                lines.append(line(cells.map { index < $0.count ? $0[index] : "" }))
            }
        }
        return lines
    }
}
