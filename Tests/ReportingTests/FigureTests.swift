import Foundation
import FoundationXML
import SweepModel
import Testing

@testable import Reporting

/// The attributes of every element of an XML document, by name; nil if it is not well-formed.
private func parsedElements(_ document: String) -> [(name: String, attributes: [String: String])]? {
    final class Collector: NSObject, XMLParserDelegate {
        var found: [(name: String, attributes: [String: String])] = []

        func parser(
            _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?,
            qualifiedName: String?, attributes: [String: String]
        ) {
            found.append((elementName, attributes))
        }
    }
    let collector = Collector()
    let parser = XMLParser(data: Data(document.utf8))
    parser.delegate = collector
    return parser.parse() ? collector.found : nil
}

private func coordinates(_ points: String?) -> [(x: Double, y: Double)] {
    (points ?? "").split(separator: " ").map { pair in
        let numbers = pair.split(separator: ",").map { Double($0) ?? .nan }
        return (numbers[0], numbers[1])
    }
}

@Test("the study's two figures are drawn, and the means over its time seeds")
func publishedFigures() throws {
    let figures = Report(record: try publishedRuns()).figures
    #expect(figures.map(\.name) == ["accuracy", "points-over-random", "accuracy-time-seeds"])
    for figure in figures {
        let elements = try #require(parsedElements(figure.svg), "\(figure.name) is not well-formed")
        let frames = elements.filter { $0.attributes["class"] == "frame" }
        #expect(frames.count == 3)
        #expect(Set(frames.compactMap { $0.attributes["y"] }).count == 1, "panels form one row")
        #expect(elements.count { $0.attributes["class"] == "legend" } == 1)
    }
    let curves = try #require(parsedElements(figures[0].svg)).filter { $0.name == "polyline" }
    #expect(curves.count == 18)
    let bands = try #require(parsedElements(figures[2].svg)).filter {
        $0.attributes["fill-opacity"] == "0.16"
    }
    #expect(bands.count == 3)
}

@Test("points of a figure lie where their values are on its axes")
func figureCoordinates() throws {
    let figures = Report(record: try publishedRuns()).figures
    let drawn = try #require(parsedElements(figures[1].svg))
    let zero = try #require(drawn.first { $0.attributes["class"] == "zero" })
    let zeroY = try #require(Double(zero.attributes["y1"] ?? ""))
    let curve = coordinates(drawn.first { $0.name == "polyline" }?.attributes["points"])
    #expect(curve.count == 10)
    // CIFAR-10, 100 steps: 0.00, −3.11, −9.04 points in the first three cycles.
    #expect(abs(curve[0].y - zeroY) < 0.01)
    let scale = (curve[2].y - zeroY) / 9.04
    #expect(scale > 0)
    #expect(abs((curve[1].y - zeroY) / scale - 3.11) < 0.01)
    #expect(abs((curve[9].y - zeroY) / scale + 1.81) < 0.01)
    let steps = zip(curve.dropFirst(), curve).map { $0.x - $1.x }
    #expect(steps.allSatisfy { abs($0 - steps[0]) < 0.02 && $0 > 0 })
}

@Test(
    "axes have round ticks that enclose their values",
    arguments: [
        (46.15...89.82, true, [40.0, 50, 60, 70, 80, 90], 0),
        (-9.04...2.7, true, [-10, -8, -6, -4, -2, 0, 2, 4], 0),
        (-0.44...2.64, true, [-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3], 1),
        (1000...10000, false, [2000, 4000, 6000, 8000, 10000], 0),
        (50...50, true, [50, 50.2], 1),
    ] as [(ClosedRange<Double>, Bool, [Double], Int)])
func axisTicks(values: ClosedRange<Double>, isExtended: Bool, ticks: [Double], places: Int) {
    let scale = AxisScale(
        values, from: 100, to: 0, maximumTicks: isExtended ? 8 : 5, isExtended: isExtended)
    #expect(zip(scale.ticks, ticks).allSatisfy { abs($0 - $1) < 1e-9 }, "\(scale.ticks)")
    #expect(scale.ticks.count == ticks.count)
    #expect(scale.places == places)
    #expect(scale.position(values.lowerBound) <= 100)
    #expect(scale.position(values.upperBound) >= 0)
}

@Test("intervals of two runs, wide as they are, leave the curves legible and accuracies possible")
func wideIntervals() throws {
    let trials = [1: [5000, 6000, 8000], 2: [5200, 6100, 7000]].map { seed, correct in
        trialRecord(seed: seed, isTimeSeeded: true, correct: correct)
    }
    let figure = try #require(Report(record: sweepRecord(trials)).figures.first)
    let panel = figure.panels[0]
    // The intervals of the means 51, 60.5 and 75 % are 12.7 standard errors wide on either side.
    #expect(panel.series[0].points[2].band!.upperBound > 130)
    #expect(panel.shownValues(within: 0...100) == 27...99)
    let elements = try #require(parsedElements(figure.svg))
    let clip = try #require(elements.first { $0.name == "clipPath" }?.attributes["id"])
    let band = try #require(elements.first { $0.attributes["fill-opacity"] == "0.16" })
    #expect(band.attributes["clip-path"] == "url(#\(clip))")
    #expect(figure.svg.contains(">95 % intervals reach beyond the frame</text>"))
    let scale = AxisScale(
        panel.shownValues(within: 0...100), from: 100, to: 0, maximumTicks: 8, isExtended: true)
    #expect(scale.values == 20...100)
    // Those of five runs are as they were.
    let published = Report(record: try publishedRuns()).figures
    #expect(!published.contains { $0.svg.contains("clipPath") })
}

@Test("a curve that lacks runs or cycles says so in its panel, and the mean leaves them out")
func incompleteFigure() throws {
    var trials = (1...5).map {
        trialRecord(seed: $0, isTimeSeeded: true, correct: [1000, 2000, 3000])
    }
    trials[4] = trialRecord(
        seed: 5, isTimeSeeded: true, state: .failed, correct: [9000, 9000])
    trials.append(trialRecord(.random, state: .running, correct: [1000, 1500]))
    let figures = Report(record: sweepRecord(trials)).figures
    #expect(figures.map(\.name) == ["accuracy", "accuracy-time-seeds"])
    #expect(figures[0].svg.contains(">random: 2 of 3 cycles</text>"))
    #expect(figures[1].svg.contains(">DQN (100 step): 4/5 runs</text>"))
    #expect(figures[1].description.contains("from 10.0 at 1,000 labels to 30.0 at 3,000"))
}

@Test("protocols have figures of their own, with names and titles that tell them apart")
func figuresOfProtocols() {
    let record = sweepRecord([trialRecord(correct: [10, 20, 30])])
    let other = sweepRecord([trialRecord(correct: [20, 30, 40]) { $0.epochs = 20 }])
    let figures = Report(records: [record, other]).figures
    #expect(figures.map(\.name) == ["accuracy-protocol1", "accuracy-protocol2"])
    #expect(figures[1].title.hasSuffix("seed 0, protocol 2"))
}

@Test("curves differ in colour, dash and marker")
func curveStyles() {
    let styles = (0..<8).map { CurveStyle(index: $0) }
    #expect(Set(styles.map(\.colour)).count == 8)
    #expect(Set(styles.map(\.dash)).count == 8)
    #expect(Set(styles.map(\.marker)).count == 8)
    let many = (0..<24).map { CurveStyle(index: $0) }
    #expect(Set(many.map { "\($0.colour) \($0.dash) \($0.marker)" }).count == 24)
}

@Test("a strategy keeps its style in every figure")
func stylesAcrossFigures() throws {
    let figures = Report(record: try publishedRuns()).figures
    let names = figures.map { figure in
        Dictionary(uniqueKeysWithValues: figure.legend.map { ($0.name, $0.style) })
    }
    #expect(names[0]["random"] == 0)
    #expect(names[0]["DQN (200 step)"] == names[2]["DQN (200 step)"])
    #expect(names[0]["DQN (200 step)"] != names[0]["DQN (100 step)"])
}

@Test("markup has no character of its own left in text from outside")
func escapedText() throws {
    let hostile = "<script>alert('&\"')</script>\u{1}]]>\u{FFFF}"
    let escaped = escapedMarkup(hostile)
    #expect(!escaped.contains("<"))
    #expect(!escaped.contains("'"))
    #expect(parsedElements("<p title=\"\(escaped)\">\(escaped)</p>")?.count == 1)
}

/// The legend's box and the markers of the curves, which are drawn before it.
private func legendAndMarkers(
    _ figure: Figure
) throws -> (x: ClosedRange<Double>, y: ClosedRange<Double>, markers: [(x: Double, y: Double)]) {
    let elements = try #require(parsedElements(figure.svg))
    let place = try #require(elements.firstIndex { $0.attributes["class"] == "legend" })
    let box = try ["x", "y", "width", "height"].map {
        try #require(Double(elements[place].attributes[$0] ?? ""))
    }
    let markers = elements[..<place].flatMap { element -> [(x: Double, y: Double)] in
        let style = element.attributes["class"] ?? ""
        guard style.contains("solid") || style.contains("hollow"), !style.contains("band")
        else { return [] }
        if let x = Double(element.attributes["cx"] ?? ""),
            let y = Double(element.attributes["cy"] ?? "")
        {
            return [(x, y)]
        }
        return coordinates(element.attributes["points"])
    }
    return (box[0]...box[0] + box[2], box[1]...box[1] + box[3], markers)
}

@Test("the legend covers no marker, beside the panels where there is no room in one")
func legendCoversNothing() throws {
    // Curves of 16 strategies all over the panel.
    let crowded = (1...16).map { steps in
        trialRecord(
            .dqn(gradientSteps: steps), cycles: 10,
            correct: (0..<10).map { 500 + (steps * 613 + $0 * 3_571) % 9_000 })
    }
    let figures =
        Report(record: try publishedRuns()).figures + Report(record: sweepRecord(crowded)).figures
    for figure in figures {
        let (x, y, markers) = try legendAndMarkers(figure)
        #expect(markers.count >= 30)
        #expect(!markers.contains { x.contains($0.x) && y.contains($0.y) }, "\(figure.name)")
        let document = try #require(parsedElements(figure.svg)?.first?.attributes)
        #expect(x.upperBound <= Double(document["width"] ?? "") ?? 0)
        #expect(y.upperBound <= Double(document["height"] ?? "") ?? 0)
    }
}
