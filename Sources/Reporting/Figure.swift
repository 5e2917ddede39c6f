import SweepModel

/// A row of panels, one per dataset, with curves over the number of labelled images.
public struct Figure: Sendable {
    /// A curve; its style is the same in every panel.
    struct Series: Sendable {
        struct Point: Sendable {
            var labelled: Int
            var value: Double
            /// The 95 % interval, where there are several runs.
            var band: ClosedRange<Double>?
        }

        var style: Int
        var points: [Point]
    }

    struct Panel: Sendable {
        var title: String
        var series: [Series]
        /// What the reader must know of the panel's curves: which lack runs.
        var notes: [String]

        /// What the axis of values shows: all curves, and of the intervals as much as lies within the
        /// curves' own span of them. Those of two or three runs can be a hundred times as wide.
        ///
        /// - Parameter possible: the values that there can be.
        func shownValues(within possible: ClosedRange<Double>) -> ClosedRange<Double> {
            let points = series.flatMap(\.points)
            guard let low = points.map(\.value).min(), let high = points.map(\.value).max() else {
                return 0...1
            }
            let span = max(high - low, 1)
            let bands = points.compactMap(\.band)
            let lowest = max(bands.map(\.lowerBound).min() ?? low, low - span)
            let highest = min(bands.map(\.upperBound).max() ?? high, high + span)
            return (min(low, lowest)...max(high, highest)).clamped(to: possible)
        }

        /// Whether an interval reaches farther than the axis.
        func isCut(to values: ClosedRange<Double>) -> Bool {
            series.flatMap(\.points).compactMap(\.band).contains {
                $0.lowerBound < values.lowerBound || $0.upperBound > values.upperBound
            }
        }
    }

    /// What its file is called, without the ending; unique in the report.
    public let name: String
    public let title: String
    /// What it shows, in a sentence or two, for those who cannot see it.
    public let description: String
    let valueLabel: String
    /// The values that there can be.
    let possibleValues: ClosedRange<Double>
    let panels: [Panel]
    /// The curves' names and styles.
    let legend: [(style: Int, name: String)]
    let hasZeroLine: Bool
}

extension Report {
    /// Accuracy and points over random, at the fixed seeds and over time seeds, as far as there is
    /// anything to draw; one set per protocol.
    public var figures: [Figure] {
        protocols.flatMap { studyProtocol in
            [false, true].flatMap { isTimeSeeded in
                FigureValue.allCases.compactMap { value in
                    figure(value, studyProtocol: studyProtocol, timeSeeded: isTimeSeeded)
                }
            }
        }
    }

    private func figure(
        _ value: FigureValue, studyProtocol: StudyProtocol, timeSeeded: Bool
    ) -> Figure? {
        let results = results.filter { $0.studyProtocol == studyProtocol }
        let strategies = results.reduce(into: [Strategy]()) { all, results in
            for strategy in results.strategies(timeSeeded: timeSeeded)
            where !all.contains(strategy) && (value == .accuracy || strategy != .random) {
                all.append(strategy)
            }
        }
        let styles = strategyStyles
        let panels = results.map { panel($0, value, strategies, timeSeeded: timeSeeded) }
            .filter { !$0.series.isEmpty }
        guard !panels.isEmpty else { return nil }
        let number = protocols.count > 1 ? protocolNumber(studyProtocol) : nil
        let seeds = seedWords(results, timeSeeded: timeSeeded)
        let subject = value == .accuracy ? "Test accuracy" : "Percentage points over random"
        return Figure(
            name: value.rawValue + (timeSeeded ? "-time-seeds" : "")
                + (number.map { "-protocol\($0)" } ?? ""),
            title: "\(subject) by number of labelled images, \(seeds)"
                + (number.map { ", protocol \($0)" } ?? ""),
            description: panels.map { summary($0, value) }.joined(separator: " "),
            valueLabel: value == .accuracy ? "test accuracy (%)" : "points over random",
            possibleValues: value == .accuracy ? 0...100 : -100...100,
            panels: panels, legend: strategies.map { (styles.firstIndex(of: $0)!, $0.title) },
            hasZeroLine: value == .pointsOverRandom)
    }

    /// The strategies by the style of their curves, which is the same in all figures; random has
    /// the first.
    private var strategyStyles: [Strategy] {
        results.reduce(into: [.random]) { all, results in
            for isTimeSeeded in [false, true] {
                for strategy in results.strategies(timeSeeded: isTimeSeeded)
                where !all.contains(strategy) { all.append(strategy) }
            }
        }
    }

    private func seedWords(_ results: [DatasetResults], timeSeeded: Bool) -> String {
        if timeSeeded { return "means over time seeds with 95 % intervals" }
        let seeds = results.flatMap(\.fixedSeedResults).map(\.seed)
        guard let first = seeds.first else { return "" }
        return seeds.allSatisfy { $0 == first }
            ? "seed \(first)" : "means over fixed seeds with 95 % intervals"
    }

    private func panel(
        _ results: DatasetResults, _ value: FigureValue, _ strategies: [Strategy],
        timeSeeded: Bool
    ) -> Figure.Panel {
        let rows = results.seedResults.filter { $0.isTimeSeeded == timeSeeded }
        var panel = Figure.Panel(title: results.dataset.title, series: [], notes: [])
        let styles = strategyStyles
        for strategy in strategies {
            let style = styles.firstIndex(of: strategy)!
            let trials = rows.compactMap { row in
                row.trial(strategy).map { (trial: $0, random: row.random) }
            }
            guard !trials.isEmpty else { continue }
            // A single run is drawn as far as it got; a mean is over complete runs.
            let isSingle = trials.count == 1
            let counted = isSingle ? trials : trials.filter { $0.trial.isComplete }
            let points = stride(from: 1, through: results.studyProtocol.cycles, by: 1).compactMap {
                cycle in
                point(
                    counted.compactMap { value.value($0.trial, $0.random, cycle) },
                    labelled: results.labelled(inCycle: cycle))
            }
            if !points.isEmpty { panel.series.append(Figure.Series(style: style, points: points)) }
            let complete = trials.count { $0.trial.isComplete }
            guard complete < trials.count else { continue }
            let cycles = isSingle ? trials[0].trial.cycles.count : 0
            panel.notes.append(
                isSingle
                    ? "\(strategy.title): \(cycles) of \(results.studyProtocol.cycles) cycles"
                    : "\(strategy.title): \(complete)/\(trials.count) runs")
        }
        return panel
    }

    private func point(_ values: [Ratio], labelled: Int) -> Figure.Series.Point? {
        SampleStatistics(values).map {
            Figure.Series.Point(
                labelled: labelled, value: $0.mean.double, band: $0.interval95)
        }
    }

    private func summary(_ panel: Figure.Panel, _ value: FigureValue) -> String {
        let styles = strategyStyles
        let places = value == .accuracy ? 1 : 2
        let ends = panel.series.map { series in
            let (first, last) = (series.points[0], series.points[series.points.count - 1])
            return "\(styles[series.style].title) from \(decimals(first.value, places)) at "
                + "\(grouped(first.labelled)) labels to \(decimals(last.value, places)) at "
                + "\(grouped(last.labelled))"
        }
        return "\(panel.title): \(ends.joined(separator: "; "))."
    }
}

/// What a figure shows of a trial.
private enum FigureValue: String, CaseIterable {
    case accuracy
    case pointsOverRandom = "points-over-random"

    func value(_ trial: TrialRecord, _ random: TrialRecord?, _ cycle: Int) -> Ratio? {
        switch self {
        case .accuracy: trial.accuracy(inCycle: cycle)
        case .pointsOverRandom: random.flatMap { trial.points(over: $0, inCycle: cycle) }
        }
    }
}
