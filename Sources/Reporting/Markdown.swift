extension Report {
    func markdown(_ blocks: [Block]) -> String {
        var parts: [String] = []
        for block in blocks {
            switch block {
            case .heading(let level, let title):
                parts.append(String(repeating: "#", count: level) + " " + escaped(title))
            case .paragraph(let sentence): parts.append(escaped(sentence))
            case .list(let items):
                parts.append(items.map { "- " + escaped($0) }.joined(separator: "\n"))
            case .table(let table): parts.append(markdown(table))
            }
        }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private func markdown(_ table: Table) -> String {
        let titles = table.columns.map { column in
            escaped(column.title) + (column.subtitle.map { " (\(escaped($0)))" } ?? "")
        }
        let rules = table.columns.map { $0.alignment == .leading ? ":---" : "---:" }
        var lines = [escaped(table.caption), "", row(titles), row(rules)]
        for cells in table.rows {
            lines.append(
                row(
                    cells.map { cell in
                        if cell.continuesAbove { return "″" }
                        return cell.isBest ? "**\(escaped(cell.line))**" : escaped(cell.line)
                    }))
        }
        var notes = table.notes
        if table.rows.joined().contains(where: \.continuesAbove) {
            notes.insert("″: the same labelled sets as above, and so the same network.", at: 0)
        }
        if !notes.isEmpty {
            lines.append("")
            lines += notes.map { "- " + escaped($0) }
        }
        return lines.joined(separator: "\n")
    }

    private func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }

    /// Text in which Markdown finds nothing of its own.
    private func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            if #"\`*_[]<>|#&"#.contains(character) { escaped += "\\" }
            escaped.append(character)
        }
        return escaped
    }
}
