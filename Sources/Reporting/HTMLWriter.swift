import SweepModel

/// Writes HTML; text is escaped, what is called raw is not.
struct HTMLWriter {
    private(set) var text = ""

    mutating func raw(_ markup: String) { text += markup }

    mutating func open(_ name: String, attributes: String = "") {
        text += "<\(name)\(attributes)>\n"
    }

    mutating func close(_ name: String) { text += "</\(name)>\n" }

    mutating func element(_ name: String, _ content: String, attributes: String = "") {
        text += "<\(name)\(attributes)>\(escapedMarkup(content))</\(name)>\n"
    }

    mutating func list(_ items: [String]) {
        guard !items.isEmpty else { return }
        open("ul")
        for item in items { element("li", item) }
        close("ul")
    }

    /// A table in a region that scrolls where the screen is narrow, with its notes below.
    ///
    /// - Parameter link: the identity of the element that tells about a trial, if there is one.
    mutating func table(
        _ table: Table, link: (TrialConfiguration) -> String?, isCaptionHidden: Bool = false
    ) {
        open(
            "div",
            attributes: " class=\"scroll\" tabindex=\"0\" role=\"region\" "
                + "aria-label=\"\(escapedMarkup(table.caption))\"")
        open("table")
        element("caption", table.caption, attributes: isCaptionHidden ? " class=\"hidden\"" : "")
        header(table)
        open("tbody")
        for (row, cells) in table.rows.enumerated() {
            text += "<tr>"
            for (column, cell) in cells.enumerated() {
                self.cell(cell, table, row: row, column: column, link: link)
            }
            text += "</tr>\n"
        }
        close("tbody")
        close("table")
        close("div")
        for note in table.notes { element("p", note, attributes: " class=\"note\"") }
    }

    private mutating func header(_ table: Table) {
        text += "<thead><tr>"
        for column in table.columns {
            let style = column.alignment == .leading ? " class=\"leading\"" : ""
            let subtitle = column.subtitle.map { "<small>\(escapedMarkup($0))</small>" } ?? ""
            // A header cell must not be empty; one above row names says nothing a reader misses.
            let name = column.title.isEmpty ? "td" : "th"
            let scope = column.title.isEmpty ? "" : " scope=\"col\""
            text += "<\(name)\(scope)\(style)>\(escapedMarkup(column.title))\(subtitle)</\(name)>"
        }
        text += "</tr></thead>\n"
    }

    private mutating func cell(
        _ cell: Table.Cell, _ table: Table, row: Int, column: Int,
        link: (TrialConfiguration) -> String?
    ) {
        if row > 0, cell.continuesAbove || column == 0 && cell.text.isEmpty { return }
        let span =
            column == 0 ? nameSpan(table, row: row) : table.span(row: row, column: column)
        let detail = cell.detail.map { " <small>\(escapedMarkup($0))</small>" } ?? ""
        let content = escapedMarkup(cell.text) + detail
        var classes: [String] = []
        if table.columns[column].alignment == .leading { classes.append("leading") }
        if table.columns[column].isProse { classes.append("prose") }
        if span > 1 { classes.append(column > 0 ? "shared" : "group") }
        if cell.isBest { classes.append("best") }
        let style = classes.isEmpty ? "" : " class=\"\(classes.joined(separator: " "))\""
        let rows = span > 1 ? " rowspan=\"\(span)\"" : ""
        guard column == 0 else {
            text += "<td\(style)\(rows)>"
            text += cell.isBest ? "<strong>\(content)</strong></td>" : "\(content)</td>"
            return
        }
        let target = cell.trial.flatMap(link).map(escapedMarkup)
        let linked = target.map { "<a href=\"#\($0)\">\(content)</a>" } ?? content
        text += "<th scope=\"row\"\(style)\(rows)>\(linked)</th>"
    }

    /// The rows that a row's name stands for: its own and those below without a name.
    private func nameSpan(_ table: Table, row: Int) -> Int {
        1 + table.rows[(row + 1)...].prefix { $0[0].text.isEmpty }.count
    }
}
