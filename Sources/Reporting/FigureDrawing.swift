import SweepModel

/// Sizes in pixels of a figure at its natural width.
private enum Layout {
    static let plotWidth = 286.0
    static let plotHeight = 230.0
    static let left = 62.0
    static let gap = 52.0
    static let right = 16.0
    static let top = 30.0
    static let bottom = 46.0
    static let noteHeight = 14.0
    static let legendRow = 15.0
    static let legendSample = 30.0
    /// Around a legend beside the panels.
    static let legendGap = 14.0
    static let letterWidth = 6.9
    static let maximumNotes = 4
}

/// Colours that stay apart for colour-blind readers (Okabe & Ito 2008), on white; markers and
/// dashes tell the curves apart in grey.
struct CurveStyle: Hashable {
    static let colours = [
        "#1a1a1a", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#9a6a00", "#56b4e9", "#7a4fb5",
    ]
    static let dashes = ["7 3", "", "2 2.5", "9 3 2 3", "5 2", "12 3 2 3 2 3", "14 4", "1 4"]

    let index: Int
    /// A second round of the colours gets other markers and dashes.
    private var round: Int { index / Self.colours.count }
    var colour: String { Self.colours[index % Self.colours.count] }
    var className: String { "curve\(index % Self.colours.count)" }
    var dash: String { Self.dashes[(index + 3 * round) % Self.dashes.count] }
    var marker: Int { (index + 5 * round) % 8 }
}

extension Figure {
    /// The figure as an SVG document for a white background; a page may restyle its classes.
    public var svg: String {
        var drawing = FigureDrawing(self)
        drawing.draw()
        return drawing.document
    }
}

private struct FigureDrawing {
    private let figure: Figure
    private let valueScale: [AxisScale]
    private let labelScale: [AxisScale]
    /// Of every panel, what is written below it.
    private let notes: [[String]]
    private var width: Double
    private var height: Double
    private var elements: [String] = []

    init(_ figure: Figure) {
        self.figure = figure
        let bottom = Layout.top + Layout.plotHeight
        valueScale = figure.panels.map { panel in
            var values = panel.shownValues(within: figure.possibleValues)
            if figure.hasZeroLine { values = min(values.lowerBound, 0)...max(values.upperBound, 0) }
            return AxisScale(
                values, from: bottom, to: Layout.top, maximumTicks: 8, isExtended: true)
        }
        labelScale = figure.panels.enumerated().map { index, panel in
            let labels = panel.series.flatMap { $0.points.map { Double($0.labelled) } }
            let start = Layout.left + Double(index) * (Layout.plotWidth + Layout.gap)
            return AxisScale(
                (labels.min() ?? 0)...(labels.max() ?? 1), from: start,
                to: start + Layout.plotWidth, maximumTicks: 5, isExtended: false)
        }
        let count = Double(figure.panels.count)
        width =
            Layout.left + count * Layout.plotWidth + (count - 1) * Layout.gap + Layout.right
        notes = zip(figure.panels, valueScale).map { panel, scale in
            panel.notes
                + (panel.isCut(to: scale.values) ? ["95 % intervals reach beyond the frame"] : [])
        }
        let noteCount = notes.map { min($0.count, Layout.maximumNotes) }.max() ?? 0
        height = bottom + Layout.bottom + Double(noteCount) * Layout.noteHeight
    }

    mutating func draw() {
        for index in figure.panels.indices { drawPanel(index) }
        drawValueLabel()
        drawLegend()
    }

    var document: String {
        let identity = "figure-\(figure.name)"
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(text(width)) \(text(height))" \
            width="\(Int(width.rounded(.up)))" height="\(Int(height.rounded(.up)))" role="img" \
            aria-labelledby="\(identity)-title \(identity)-description" \
            font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="11.5">
            <title id="\(identity)-title">\(escapedMarkup(figure.title))</title>
            <desc id="\(identity)-description">\(escapedMarkup(figure.description))</desc>
            <rect class="paper" width="\(text(width))" height="\(text(height))" fill="#ffffff"/>
            \(elements.joined(separator: "\n"))
            </svg>

            """
    }

    // MARK: Panels

    private mutating func drawPanel(_ index: Int) {
        let panel = figure.panels[index]
        let (x, y) = (labelScale[index], valueScale[index])
        drawGrid(x, y)
        label(
            panel.title, x: (x.start + x.end) / 2, y: Layout.top - 11, anchor: "middle",
            attributes: " font-size=\"13.5\" font-weight=\"bold\"")
        if figure.hasZeroLine {
            line(
                x.start, y.position(0), x.end, y.position(0), className: "zero",
                attributes: "stroke=\"#1a1a1a\" stroke-width=\"1.3\"")
        }
        let clip = panel.isCut(to: y.values) ? "figure-\(figure.name)-panel\(index)" : nil
        if let clip {
            elements.append(
                "<clipPath id=\"\(clip)\"><rect x=\"\(text(x.start))\" y=\"\(text(y.end))\" "
                    + "width=\"\(text(x.end - x.start))\" height=\"\(text(y.start - y.end))\"/></clipPath>"
            )
        }
        for series in panel.series { drawBand(series, x, y, clip: clip) }
        for series in panel.series { drawCurve(series, x, y) }
        label(
            "labelled images", x: (x.start + x.end) / 2, y: y.start + 35, anchor: "middle")
        let notes = notes[index]
        for (row, note) in notes.prefix(Layout.maximumNotes).enumerated() {
            let isLast = row == Layout.maximumNotes - 1 && notes.count > Layout.maximumNotes
            let text = isLast ? "and \(notes.count - row) more" : note
            label(
                text, x: x.start, y: y.start + 49 + Double(row) * Layout.noteHeight,
                anchor: "start", attributes: " font-size=\"10.5\" font-style=\"italic\"")
        }
    }

    private mutating func drawGrid(_ x: AxisScale, _ y: AxisScale) {
        let grid = "stroke=\"#9a9a9a\" stroke-width=\"0.7\" stroke-dasharray=\"1 3\""
        for tick in x.ticks {
            let position = x.position(tick)
            line(position, y.start, position, y.end, className: "grid", attributes: grid)
            label(grouped(Int(tick)), x: position, y: y.start + 17, anchor: "middle")
        }
        for tick in y.ticks {
            let position = y.position(tick)
            line(x.start, position, x.end, position, className: "grid", attributes: grid)
            label(decimals(tick, y.places), x: x.start - 6, y: position + 4, anchor: "end")
        }
        elements.append(
            "<rect class=\"frame\" x=\"\(text(x.start))\" y=\"\(text(y.end))\" "
                + "width=\"\(text(x.end - x.start))\" height=\"\(text(y.start - y.end))\" "
                + "fill=\"none\" stroke=\"#555555\" stroke-width=\"0.9\"/>")
    }

    private mutating func drawBand(
        _ series: Figure.Series, _ x: AxisScale, _ y: AxisScale, clip: String?
    ) {
        let points = series.points.compactMap { point in
            point.band.map { (x.position(Double(point.labelled)), $0) }
        }
        guard points.count > 1 else { return }
        let upper = points.map { "\(text($0.0)),\(text(y.position($0.1.upperBound)))" }
        let lower = points.reversed().map { "\(text($0.0)),\(text(y.position($0.1.lowerBound)))" }
        let style = CurveStyle(index: series.style)
        elements.append(
            "<polygon class=\"\(style.className) solid band\" fill=\"\(style.colour)\" "
                + "fill-opacity=\"0.16\" stroke=\"none\"\(clip.map { " clip-path=\"url(#\($0))\"" } ?? "") "
                + "points=\"\((upper + lower).joined(separator: " "))\"/>"
        )
    }

    private mutating func drawCurve(_ series: Figure.Series, _ x: AxisScale, _ y: AxisScale) {
        let style = CurveStyle(index: series.style)
        let positions = series.points.map {
            (x.position(Double($0.labelled)), y.position($0.value))
        }
        let points = positions.map { "\(text($0.0)),\(text($0.1))" }.joined(separator: " ")
        let dash = style.dash.isEmpty ? "" : " stroke-dasharray=\"\(style.dash)\""
        elements.append(
            "<polyline class=\"\(style.className)\" fill=\"none\" stroke=\"\(style.colour)\" "
                + "stroke-width=\"1.6\" stroke-linejoin=\"round\"\(dash) points=\"\(points)\"/>")
        for (px, py) in positions { drawMarker(style, px, py) }
    }

    /// One of eight shapes; every other one is hollow.
    private mutating func drawMarker(_ style: CurveStyle, _ x: Double, _ y: Double) {
        let outlines: [[(Double, Double)]] = [
            [], [(-3, -3), (3, -3), (3, 3), (-3, 3)], [(0, -4), (3.7, 2.8), (-3.7, 2.8)],
            [(0, -4.2), (4.2, 0), (0, 4.2), (-4.2, 0)], [(0, 4), (3.7, -2.8), (-3.7, -2.8)], [],
            [(-4, 0), (2.8, -3.7), (2.8, 3.7)], [(4, 0), (-2.8, 3.7), (-2.8, -3.7)],
        ]
        let isHollow = style.marker % 2 == 1
        let fill = isHollow ? "#ffffff" : style.colour
        let paint =
            "class=\"\(style.className) \(isHollow ? "hollow" : "solid")\" fill=\"\(fill)\" "
            + "stroke=\"\(style.colour)\" stroke-width=\"1.2\""
        let outline = outlines[style.marker]
        if outline.isEmpty {
            elements.append("<circle \(paint) cx=\"\(text(x))\" cy=\"\(text(y))\" r=\"3\"/>")
            return
        }
        let points = outline.map { "\(text(x + $0.0)),\(text(y + $0.1))" }
        elements.append("<polygon \(paint) points=\"\(points.joined(separator: " "))\"/>")
    }

    private mutating func drawValueLabel() {
        let middle = Layout.top + Layout.plotHeight / 2
        label(
            figure.valueLabel, x: 16, y: middle, anchor: "middle",
            attributes: " transform=\"rotate(-90 16 \(text(middle)))\"")
    }

    // MARK: Legend

    /// The size of the legend's box.
    private static func legendSize(_ figure: Figure) -> (width: Double, height: Double) {
        let longest = figure.legend.map { displayWidth($0.name) }.max() ?? 0
        return (
            width: Layout.legendSample + 14 + Double(longest) * Layout.letterWidth,
            height: Double(figure.legend.count) * Layout.legendRow + 8
        )
    }

    /// Where the legend hides nothing: the lower right of the first panel if it can be, else another
    /// place in a panel; nil if there is none.
    private func legendPlace(_ size: (width: Double, height: Double)) -> (x: Double, y: Double)? {
        let margin = 6.0
        for index in figure.panels.indices {
            let (x, y) = (labelScale[index], valueScale[index])
            let (left, right) = (x.start + margin, x.end - size.width - margin)
            let (top, bottom) = (y.end + margin, y.start - size.height - margin)
            guard left <= right, top <= bottom else { continue }
            let middle = ((left + right) / 2, (top + bottom) / 2)
            for place in [
                (right, bottom), (left, top), (right, top), (left, bottom), (middle.0, bottom),
                (middle.0, top), (right, middle.1), (left, middle.1), middle,
            ] where hiddenPoints(index, place, size) == 0 { return place }
        }
        return nil
    }

    /// In a panel where it hides nothing, else to the right of the last one.
    private mutating func drawLegend() {
        guard !figure.legend.isEmpty else { return }
        let size = Self.legendSize(figure)
        var best = (x: width - Layout.right + Layout.legendGap, y: Layout.top)
        if let place = legendPlace(size) {
            best = place
        } else {
            width = best.x + size.width + Layout.legendGap
            height = max(height, best.y + size.height + Layout.legendGap)
        }
        elements.append(
            "<rect class=\"legend\" x=\"\(text(best.x))\" y=\"\(text(best.y))\" "
                + "width=\"\(text(size.width))\" height=\"\(text(size.height))\" rx=\"3\" "
                + "fill=\"#ffffff\" fill-opacity=\"0.88\" stroke=\"#bbbbbb\" stroke-width=\"0.7\"/>"
        )
        for (row, entry) in figure.legend.enumerated() {
            let style = CurveStyle(index: entry.style)
            let y = best.y + 4 + (Double(row) + 0.5) * Layout.legendRow
            let (start, end) = (best.x + 6, best.x + 6 + Layout.legendSample)
            let dash = style.dash.isEmpty ? "" : " stroke-dasharray=\"\(style.dash)\""
            line(
                start, y, end, y, className: style.className,
                attributes: "stroke=\"\(style.colour)\" stroke-width=\"1.6\"\(dash)")
            drawMarker(style, (start + end) / 2, y)
            label(entry.name, x: end + 6, y: y + 4, anchor: "start")
        }
    }

    /// How many of a panel's markers, and of positions on its curves between them, a box covers.
    private func hiddenPoints(
        _ index: Int, _ corner: (Double, Double), _ size: (width: Double, height: Double)
    ) -> Int {
        let (x, y) = (labelScale[index], valueScale[index])
        let samplesPerSegment = 16
        // A marker reaches so far from its point, its line's half width included.
        let reach = 6.0
        func isHidden(_ px: Double, _ py: Double) -> Bool {
            px > corner.0 - reach && px < corner.0 + size.width + reach
                && py > corner.1 - reach && py < corner.1 + size.height + reach
        }
        return figure.panels[index].series.reduce(0) { hidden, series in
            let ends = series.points.map { (x.position(Double($0.labelled)), y.position($0.value)) }
            let markers = ends.count { isHidden($0.0, $0.1) }
            return hidden + markers
                + zip(ends, ends.dropFirst()).reduce(0) { sum, segment in
                    sum
                        + (1..<samplesPerSegment).count { sample in
                            let fraction = Double(sample) / Double(samplesPerSegment)
                            return isHidden(
                                segment.0.0 + fraction * (segment.1.0 - segment.0.0),
                                segment.0.1 + fraction * (segment.1.1 - segment.0.1))
                        }
                }
        }
    }

    // MARK: Elements

    private mutating func label(
        _ content: String, x: Double, y: Double, anchor: String, attributes: String = ""
    ) {
        elements.append(
            "<text class=\"ink\" x=\"\(text(x))\" y=\"\(text(y))\" text-anchor=\"\(anchor)\" "
                + "fill=\"#1a1a1a\"\(attributes)>\(escapedMarkup(content))</text>")
    }

    private mutating func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, className: String,
        attributes: String
    ) {
        elements.append(
            "<line class=\"\(className)\" x1=\"\(text(x1))\" y1=\"\(text(y1))\" "
                + "x2=\"\(text(x2))\" y2=\"\(text(y2))\" \(attributes)/>")
    }

    private func text(_ coordinate: Double) -> String { decimals(coordinate, 2, minus: "-") }
}
