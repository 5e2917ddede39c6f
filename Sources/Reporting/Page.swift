import SweepModel

/// Trials whose cycles the page lists; with more, a browser would choke on it.
private let maximumDetailedTrials = 1_000

extension Report {
    /// One self-contained HTML page: it loads nothing and runs nothing.
    var page: String {
        var page = HTMLWriter()
        page.open("main")
        page.element("h1", name)
        page.element(
            "p", stateOfTrials,
            attributes: completeCount < trials.count ? " class=\"incomplete\"" : "")
        if let savings = SharedCycles(trials).sentence { page.element("p", savings) }
        for remark in remarks { page.element("p", remark, attributes: " class=\"incomplete\"") }
        let (figures, matrices) = (figures, penaltyMatrices)
        writeContents(hasFigures: !figures.isEmpty, hasMatrices: !matrices.isEmpty, to: &page)
        page.element("h2", "Findings", attributes: " id=\"findings\"")
        let findings = findings
        if findings.isEmpty { page.element("p", "Nothing can be said yet.") }
        for finding in findings {
            page.element("h3", finding.title)
            page.list(finding.sentences)
        }
        write(figures, to: &page)
        for (index, results) in results.enumerated() {
            write(
                datasetBlocks(results, level: 2), identity: "dataset-\(index + 1)", to: &page)
        }
        if !matrices.isEmpty {
            page.element("h2", "Who beats whom", attributes: " id=\"penalties\"")
            for matrix in matrices { page.table(penaltyTable(matrix), link: link) }
        }
        write(earlierBlocks, identity: "earlier", to: &page)
        writeTrials(to: &page)
        writeProtocols(to: &page)
        page.close("main")
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(escapedMarkup(singleLine(name)))</title>
            <style>
            \(pageStyle)
            </style>
            </head>
            <body>
            \(page.text)</body>
            </html>

            """
    }

    private func writeContents(
        hasFigures: Bool, hasMatrices: Bool, to page: inout HTMLWriter
    ) {
        var entries = [("findings", "Findings")]
        if hasFigures { entries.append(("figures", "Figures")) }
        entries += results.enumerated().map { ("dataset-\($0 + 1)", $1.title) }
        if hasMatrices { entries.append(("penalties", "Who beats whom")) }
        if let earlier { entries.append(("earlier", "Beside \(singleLine(earlier.name))")) }
        entries += [("trials", "Trials"), ("protocol", "Protocol")]
        page.open("nav", attributes: " aria-label=\"Contents\"")
        page.raw(
            entries.map { "<a href=\"#\($0)\">\(escapedMarkup($1))</a>" }.joined(separator: "\n"))
        page.close("nav")
    }

    private func write(_ figures: [Figure], to page: inout HTMLWriter) {
        guard !figures.isEmpty else { return }
        page.element("h2", "Figures", attributes: " id=\"figures\"")
        for figure in figures {
            page.open("figure")
            page.open(
                "div",
                attributes: " class=\"scroll\" tabindex=\"0\" role=\"region\" "
                    + "aria-label=\"\(escapedMarkup(figure.title))\"")
            // On a narrow screen the row of panels scrolls instead of shrinking to nothing.
            page.open(
                "div",
                attributes: " class=\"panels\" style=\"min-width: \(250 * figure.panels.count)px\"")
            page.raw(figure.svg)
            page.close("div")
            page.close("div")
            page.element("figcaption", figure.title)
            page.close("figure")
        }
    }

    private func write(_ blocks: [Block], identity: String, to page: inout HTMLWriter) {
        for (index, block) in blocks.enumerated() {
            switch block {
            case .heading(let level, let title):
                let attributes = index == 0 ? " id=\"\(identity)\"" : ""
                page.element("h\(level)", title, attributes: attributes)
            case .paragraph(let sentence): page.element("p", sentence)
            case .list(let items): page.list(items)
            case .table(let table): page.table(table, link: link)
            }
        }
    }

    /// Where the page tells everything about a trial.
    private func link(_ trial: TrialConfiguration) -> String? {
        guard trials.count <= maximumDetailedTrials else { return nil }
        // Trials of several runs may share their name, but not their protocol.
        let number =
            protocols.count > 1 ? "-protocol\(protocolNumber(trial.studyProtocol))" : ""
        return "trial-\(trial.id)\(number)"
    }

    // MARK: Trials

    private func writeTrials(to page: inout HTMLWriter) {
        page.element("h2", "Trials", attributes: " id=\"trials\"")
        page.table(trialTable, link: link)
        guard trials.count <= maximumDetailedTrials else {
            page.element(
                "p", "The cycles of so many trials are in the CSV and JSON output.",
                attributes: " class=\"note\"")
            return
        }
        page.element("h3", "Every cycle of every trial", attributes: " class=\"cycles\"")
        for trial in trials {
            page.raw("<details id=\"\(escapedMarkup(link(trial.configuration) ?? ""))\">")
            let end = trial.finalAccuracy.map { "\(decimals($0, 2)) %" } ?? trial.state.rawValue
            page.element("summary", "\(name(of: trial)): \(end)")
            page.table(cycleTable(trial), link: link, isCaptionHidden: true)
            if let failure = trial.failure { page.element("p", "Failure: \(singleLine(failure))") }
            if let digest = trial.modelDigest {
                page.element("p", "Model file (SHA-256): \(digest)")
            }
            page.raw("</details>\n")
        }
    }

    private var trialTable: Table {
        let leading = ["trial", "state", "runs on"]
        let trailing = ["seed", "cycles", "attempts", "duration", "last"]
        let digests = ["labelled", "weights", "model"]
        let missing = trials.incompletenesses { name(of: $0) }
        return Table(
            caption:
                "Every trial, with the first digits of the SHA-256 of its last labelled set, weights "
                + "and model file; the name leads to its cycles with whole digests",
            columns: leading.map { .init(title: $0, alignment: .leading) }
                + trailing.map { .init(title: $0) }
                + digests.map { .init(title: $0, alignment: .leading) }
                // Left out where nothing is, as the table is wide without it.
                + (completeCount == trials.count
                    ? [] : [.init(title: "what is missing", alignment: .leading, isProse: true)]),
            rows: zip(trials, missing).map { trial, missing in
                let seconds = trial.cycles.reduce(0) { $0 + $1.result.seconds }
                let last = trial.cycles.last?.result
                let texts =
                    [
                        trial.state.rawValue, trial.hosts, "\(trial.configuration.seed)",
                        "\(trial.cycles.count)/\(trial.configuration.studyProtocol.cycles)",
                        "\(trial.attempts)", duration(seconds),
                        trial.finalAccuracy.map {
                            trial.marked(decimals($0, 2), cycle: trial.cycles.count)
                        } ?? missingMark,
                    ]
                    + [last?.labelledDigest, last?.weightsDigest, trial.modelDigest]
                    .map { String(($0 ?? "").prefix(Self.shownDigits)) }
                    + (completeCount == trials.count ? [] : [missing])
                return [Table.Cell(name(of: trial), trial: trial.configuration)]
                    + texts.map { Table.Cell($0) }
            },
            notes: disputeNotes(trials))
    }

    /// Of a digest: enough to tell trials apart.
    private static var shownDigits: Int { 8 }

    private func cycleTable(_ trial: TrialRecord) -> Table {
        let trailing = [
            "cycle", "labels", "correct", "of", "accuracy", "test loss", "train loss", "duration",
            "attempt",
        ]
        let leading = ["host", "labelled set (SHA-256)", "weights (SHA-256)"]
        // A second result stands below the one that counts.
        let cycles = trial.cycles.flatMap { cycle in
            [(cycle, false)]
                + trial.disputes.filter { $0.result.cycle == cycle.result.cycle }.map { ($0, true) }
        }
        return Table(
            caption: "Cycles of \(trial.id.rawValue)",
            columns: trailing.map { .init(title: $0) }
                + leading.map { .init(title: $0, alignment: .leading) },
            rows: cycles.map { cycle, isDisputing in
                let result = cycle.result
                let percent =
                    result.total > 0 ? Ratio(percent: result.correct, of: result.total) : nil
                return [
                    isDisputing ? "\(result.cycle), again\(disputeMark)" : "\(result.cycle)",
                    "\(result.labelled)", "\(result.correct)",
                    "\(result.total)", percent.map { decimals($0, 2) } ?? missingMark,
                    decimals(result.testLoss, 4), decimals(result.trainLoss, 4),
                    duration(result.seconds), "\(cycle.attempt)", cycle.host,
                    result.labelledDigest, result.weightsDigest,
                ].map { Table.Cell($0) }
            })
    }

    // MARK: Protocol

    private func writeProtocols(to page: inout HTMLWriter) {
        page.element("h2", "Protocol", attributes: " id=\"protocol\"")
        let protocols = protocols
        guard let first = protocols.first else {
            page.element("p", "There are no trials.")
            return
        }
        let all = protocols.map(\.settings)
        page.table(
            Table(
                caption:
                    "Every setting; \u{201C}study\u{201D} is the study's number for the dataset",
                columns: [.init(title: "setting", alignment: .leading)]
                    + protocols.indices.map {
                        .init(title: protocols.count > 1 ? "protocol \($0 + 1)" : "value")
                    },
                rows: first.settings.enumerated().map { index, setting in
                    [Table.Cell(setting.name)]
                        + all.map { Table.Cell($0[index].value?.description ?? "study") }
                }), link: link)
        guard !provenance.isEmpty else { return }
        page.table(
            Table(
                caption: "Where the results come from",
                columns: [
                    .init(title: "what", alignment: .leading),
                    .init(title: "value", alignment: .leading, isProse: true),
                ],
                rows: provenance.map { [Table.Cell($0.name), Table.Cell($0.value)] }), link: link)
    }
}

extension TrialRecord {
    /// The hosts of its cycles, in the order in which they took it over.
    fileprivate var hosts: String {
        cycles.map { singleLine($0.host) }
            .reduce(into: [String]()) { hosts, host in
                if !host.isEmpty, !hosts.contains(host) { hosts.append(host) }
            }
            .joined(separator: ", ")
    }
}

/// A duration as people say it: `2 h 05 min`, `3 min 20 s`, `12.3 s`.
func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return missingMark }
    if seconds < 60 { return "\(decimals(seconds, 1)) s" }
    func two(_ count: Int) -> String { count < 10 ? "0\(count)" : "\(count)" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60) min \(two(whole % 60)) s" }
    return "\(grouped(whole / 3600)) h \(two(whole % 3600 / 60)) min"
}
