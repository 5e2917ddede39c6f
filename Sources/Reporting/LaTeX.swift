extension Report {
    /// Tables for a paper that uses `booktabs` and `multirow`; not a document of its own.
    func latex(_ blocks: [Block]) -> String {
        var parts = [
            """
            % \(singleLine(name)): \(stateOfTrials)
            % Needs \\usepackage{booktabs} and \\usepackage{multirow}.
            """
        ]
        for block in blocks {
            switch block {
            case .heading(let level, let title): parts.append(heading(title, level: level))
            case .paragraph(let sentence): parts.append(escapedLaTeX(sentence))
            case .list(let items):
                let lines = items.map { "  \\item \(escapedLaTeX($0))" }
                parts.append(
                    (["\\begin{itemize}"] + lines + ["\\end{itemize}"]).joined(separator: "\n"))
            case .table(let table): parts.append(latex(table))
            }
        }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private func heading(_ title: String, level: Int) -> String {
        let command = ["section", "subsection", "subsubsection"][min(max(level, 1), 3) - 1]
        return "\\\(command)*{\(escapedLaTeX(title))}"
    }

    private func latex(_ table: Table) -> String {
        // Prose needs a width to break in; a third of the page suits what tables say.
        let alignment = table.columns.map { column in
            column.isProse ? "p{0.3\\textwidth}" : column.alignment == .leading ? "l" : "r"
        }
        var lines = [
            "\\begin{table}[htbp]", "\\centering", "\\small", "\\setlength{\\tabcolsep}{4pt}",
            "\\caption{\(escapedLaTeX(table.caption))}\\smallskip",
            "\\begin{tabular}{@{}\(alignment.joined())@{}}", "\\toprule",
            row(table.columns.map { escapedLaTeX($0.title) }),
        ]
        if table.columns.contains(where: { $0.subtitle != nil }) {
            lines.append(row(table.columns.map { escapedLaTeX($0.subtitle ?? "") }))
        }
        lines.append("\\midrule")
        for index in table.rows.indices {
            lines.append(row(table.columns.indices.map { cell(table, row: index, column: $0) }))
            // Below, as the columns of ten cycles leave no room beside.
            guard table.rows[index].contains(where: { $0.detail != nil }) else { continue }
            let details = table.rows[index].map { cell in
                cell.detail.map { "\\scriptsize \(escapedLaTeX($0))" } ?? ""
            }
            lines.append(row(details))
        }
        lines += ["\\bottomrule", "\\end{tabular}"]
        lines += table.notes.map { "\\par\\footnotesize \(escapedLaTeX($0))" }
        lines.append("\\end{table}")
        return lines.joined(separator: "\n")
    }

    private func row(_ cells: [String]) -> String { cells.joined(separator: " & ") + " \\\\" }

    private func cell(_ table: Table, row: Int, column: Int) -> String {
        let cell = table.rows[row][column]
        if row > 0, cell.continuesAbove { return "" }
        let text = cell.isBest ? "\\textbf{\(escapedLaTeX(cell.text))}" : escapedLaTeX(cell.text)
        let span = table.span(row: row, column: column)
        return span > 1 ? "\\multirow{\(span)}{*}{\(text)}" : text
    }
}

/// Text in which LaTeX finds nothing of its own.
func escapedLaTeX(_ text: String) -> String {
    var escaped = ""
    for character in singleLine(text) {
        switch character {
        case "&", "%", "$", "#", "_", "{", "}": escaped += "\\\(character)"
        case "\\": escaped += "\\textbackslash{}"
        case "~": escaped += "\\textasciitilde{}"
        case "^": escaped += "\\textasciicircum{}"
        case "<": escaped += "\\textless{}"
        case ">": escaped += "\\textgreater{}"
        case "\"": escaped += "''"
        case "\u{2020}": escaped += "$\\dagger$"
        case "\u{2026}": escaped += "\\ldots{}"
        case "±": escaped += "$\\pm$"
        case "\u{2212}": escaped += "$-$"
        case "\u{2013}": escaped += "--"
        default: escaped.append(character)
        }
    }
    return escaped
}
