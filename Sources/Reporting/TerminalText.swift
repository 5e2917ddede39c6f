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
    fileprivate var terminalLines: [String] { TerminalTable(self).lines }
}

/// A table with its columns measured.
private struct TerminalTable {
    private let table: Table
    /// Whether a cell of the column has a mark, so that all of them keep room for it.
    private let isMarked: [Bool]
    /// The cells as they are shown, by row.
    private let texts: [[String]]
    private let widths: [Int]

    init(_ table: Table) {
        self.table = table
        let columns = table.columns
        let isMarked = columns.indices.map { column in table.rows.contains { $0[column].isBest } }
        self.isMarked = isMarked
        let texts = table.rows.map { cells in
            cells.enumerated().map { column, cell in
                let text = cell.continuesAbove ? dittoMark : cell.line
                guard isMarked[column] else { return text }
                return text + (cell.isBest && !cell.continuesAbove ? "*" : " ")
            }
        }
        self.texts = texts
        var widths = columns.indices.map { column in
            let header = [columns[column].title, columns[column].subtitle ?? ""]
                .map { displayWidth($0) + (isMarked[column] ? 1 : 0) }
            return texts.reduce(header.max() ?? 0) { max($0, displayWidth($1[column])) }
        }
        for column in columns.indices where columns[column].isProse {
            let others = widths.enumerated().filter { $0.offset != column }.map(\.element)
            let taken = others.reduce(0, +) + gutter.count * (columns.count - 1)
            widths[column] = min(widths[column], max(terminalColumns - taken, narrowestProse))
        }
        self.widths = widths
    }

    var lines: [String] {
        var lines = wrapped(table.caption, to: terminalColumns)
        for (index, block) in columnBlocks.enumerated() {
            if index > 0 { lines.append("") }
            lines += self.lines(of: Array(0..<table.stubCount) + Array(block))
        }
        for note in legend + table.notes { lines += wrapped(note, to: terminalColumns) }
        return lines
    }

    /// What the marks mean that this table uses.
    private var legend: [String] {
        var marks: [String] = []
        if isMarked.contains(true) { marks.append("* best of the column") }
        if table.rows.joined().contains(where: \.continuesAbove) {
            marks.append("\(dittoMark) the same labelled sets as above, and so the same network")
        }
        return marks.isEmpty ? [] : [marks.joined(separator: "; ")]
    }

    /// The columns beside the stub, broken into blocks of about equal length that fit the terminal.
    private var columnBlocks: [Range<Int>] {
        let (stubCount, columnCount) = (table.stubCount, table.columns.count)
        let count = columnCount - stubCount
        let stub = widths.prefix(stubCount).reduce(0) { $0 + $1 + gutter.count }
        guard count > 0 else { return [stubCount..<stubCount] }
        for blockCount in 1...count {
            let length = (count + blockCount - 1) / blockCount
            let blocks = stride(from: stubCount, to: columnCount, by: length)
                .map { $0..<min($0 + length, columnCount) }
            let fits = blocks.allSatisfy { block in
                let width = widths[block].reduce(0) { $0 + $1 + gutter.count } - gutter.count
                return stub + width <= terminalColumns
            }
            if fits || length == 1 { return blocks }
        }
        return [stubCount..<columnCount]
    }

    /// Header, rule and rows of some of the columns.
    private func lines(of shown: [Int]) -> [String] {
        let columns = table.columns
        func line(_ texts: [String]) -> String {
            let padded = zip(shown, texts).map { column, text in
                let padding = String(
                    repeating: " ", count: max(widths[column] - displayWidth(text), 0))
                return columns[column].alignment == .leading ? text + padding : padding + text
            }
            var line = padded.joined(separator: gutter)
            while line.utf8.last == UInt8(ascii: " ") { line.unicodeScalars.removeLast() }
            return line
        }
        func header(_ title: (Table.Column) -> String) -> String {
            line(shown.map { title(columns[$0]) + (isMarked[$0] ? " " : "") })
        }
        let width = shown.reduce(0) { $0 + widths[$1] + gutter.count } - gutter.count
        var lines = [header(\.title)]
        if shown.contains(where: { columns[$0].subtitle != nil }) {
            lines.append(header { $0.subtitle ?? "" })
        }
        lines.append(String(repeating: "-", count: min(width, terminalColumns)))
        for row in texts {
            let cells = shown.map { column in
                columns[column].isProse ? wrapped(row[column], to: widths[column]) : [row[column]]
            }
            for index in 0..<(cells.map(\.count).max() ?? 1) {
                lines.append(line(cells.map { index < $0.count ? $0[index] : "" }))
            }
        }
        return lines
    }
}
