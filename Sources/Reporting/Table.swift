import SweepModel

/// A table as a reader sees it, before a format gives it letters.
struct Table {
    struct Column {
        enum Alignment { case leading, trailing }

        var title: String
        /// A second header line: the number of labels below the cycle.
        var subtitle: String?
        var alignment = Alignment.trailing
        /// Whether long text may be broken into lines.
        var isProse = false
    }

    struct Cell {
        var text: String
        /// What follows the text, or stands below it where columns are narrow: `± 1.981`.
        var detail: String?
        /// The best of its column.
        var isBest = false
        /// Shows the same thing as the cell above it, and is drawn as one with it.
        var continuesAbove = false
        /// The trial behind the number, where it is one trial's.
        var trial: TrialConfiguration?

        init(
            _ text: String, detail: String? = nil, isBest: Bool = false,
            continuesAbove: Bool = false,
            trial: TrialConfiguration? = nil
        ) {
            self.text = text
            self.detail = detail
            self.isBest = isBest
            self.continuesAbove = continuesAbove
            self.trial = trial
        }

        /// Text and detail in one line.
        var line: String { detail.map { "\(text) \($0)" } ?? text }
    }

    var caption: String
    var columns: [Column]
    /// The leading columns that name the row, and are repeated where the table is broken.
    var stubCount = 1
    var rows: [[Cell]]
    /// Sentences below the table.
    var notes: [String] = []

    /// The number of cells, from a row down, that are drawn as one.
    func span(row: Int, column: Int) -> Int {
        var end = row + 1
        while end < rows.count, rows[end][column].continuesAbove { end += 1 }
        return end - row
    }

    /// Marks the cells of a column that attain the best value; none if all of several do.
    mutating func markBest<Value: Comparable>(
        column: Int, values: [Value?], by areInIncreasingOrder: (Value, Value) -> Bool
    ) {
        let present = values.compactMap { $0 }
        guard present.count > 1, let best = present.max(by: areInIncreasingOrder),
            present.contains(where: { $0 != best })
        else { return }
        for (row, value) in values.enumerated() where value == best {
            rows[row][column].isBest = true
        }
    }
}

/// A part of a report, in reading order.
enum Block {
    case heading(level: Int, String)
    case paragraph(String)
    case list([String])
    case table(Table)
}
