import Foundation
import SweepModel
import Testing

@testable import Reporting

/// What a page consists of, as far as the tests ask.
private struct PageMarkup {
    var unbalanced: [String] = []
    var identities: [String] = []
    var references: [String] = []
    var names: [String: Int] = [:]
    /// Start tags in order.
    var tags: [String] = []

    /// Scans tags; text of a page has no `<` of its own, because it is escaped.
    init(_ page: String) {
        let empty = ["meta", "!doctype", "rect", "line", "circle", "polygon", "polyline"]
        var open: [String] = []
        for part in page.split(separator: "<").dropFirst() {
            let tag = part.prefix { $0 != ">" }
            let name = tag.prefix { !$0.isWhitespace && $0 != "/" }.lowercased()
            if tag.hasPrefix("/") {
                let closed = tag.dropFirst().lowercased()
                if open.popLast() != closed { unbalanced.append(closed) }
                continue
            }
            tags.append(String(tag))
            names[name, default: 0] += 1
            identities += values(of: " id", in: tag)
            references += values(of: " href", in: tag) + values(of: " src", in: tag)
            if !empty.contains(name) { open.append(name) }
        }
        unbalanced += open
    }

    private func values(of attribute: String, in tag: Substring) -> [String] {
        guard let start = tag.range(of: attribute + "=\"")?.upperBound else { return [] }
        return [String(tag[start...].prefix { $0 != "\"" })]
    }
}

@Test("the page is balanced, self-contained and its links lead somewhere")
func selfContainedPage() throws {
    let page = Report(record: try publishedRuns()).render(.html)
    let markup = PageMarkup(page)
    #expect(markup.unbalanced == [])
    #expect(Set(markup.identities).count == markup.identities.count, "identities are unique")
    let identities = Set(markup.identities)
    #expect(!markup.references.isEmpty)
    for reference in Set(markup.references) {
        #expect(reference.hasPrefix("#"), "\(reference) is loaded from elsewhere")
        #expect(identities.contains(String(reference.dropFirst())), "\(reference) leads nowhere")
    }
    for name in ["script", "link", "iframe", "img", "object"] { #expect(markup.names[name] == nil) }
    #expect(!page.contains("@import") && !page.contains("url("))
}

@Test("tables of the page have captions and headers, figures have descriptions")
func accessiblePage() throws {
    let markup = PageMarkup(Report(record: try publishedRuns()).render(.html))
    #expect(markup.names["table"] ?? 0 > 20)
    #expect(markup.names["caption"] == markup.names["table"])
    let headers = markup.tags.filter { $0.hasPrefix("th") && !$0.hasPrefix("thead") }
    #expect(headers.allSatisfy { $0.contains("scope=") })
    let figures = markup.tags.filter { $0.hasPrefix("svg") }
    #expect(figures.count == 3)
    #expect(figures.allSatisfy { $0.contains("role=\"img\"") && $0.contains("aria-labelledby=") })
    #expect(markup.names["desc"] == 3)
    #expect(markup.tags.contains { $0.hasPrefix("html lang=\"en\"") })
}

@Test("the page draws shared cells as one and names every trial, host, attempt and digest")
func traceablePage() throws {
    var record = try publishedRuns()
    for cycle in record.trials[2].cycles.indices {
        record.trials[2].cycles[cycle].host = "gpu-node-7"
        record.trials[2].cycles[cycle].attempt = 4
        record.trials[2].cycles[cycle].result.weightsDigest = "fedcba\(cycle)"
    }
    var report = Report(record: record)
    report.provenance = [("alsweep", "1.2.3")]
    let page = report.render(.html)
    // CIFAR-10 at seed 0: cycle 1 of all six methods, cycle 2 of the five settings.
    #expect(page.contains("rowspan=\"6\">46.15</td>"))
    #expect(page.contains("rowspan=\"5\">54.83</td>"))
    for trial in record.trials {
        #expect(page.contains("<details id=\"trial-\(trial.id)\">"))
        #expect(page.contains("<a href=\"#trial-\(trial.id)\">"))
    }
    #expect(page.contains("gpu-node-7"))
    #expect(page.contains("fedcba9"))
    #expect(page.contains(">4</td><td class=\"leading\">gpu-node-7</td>"))
    #expect(page.contains("1.2.3"))
    #expect(page.contains("<th scope=\"row\" class=\"leading\">weight_decay</th><td>0.0005</td>"))
}

@Test("text from outside cannot become markup of the page")
func hostilePage() throws {
    let hostile = "\"><script>alert('x')</script>&"
    var trial = trialRecord(
        isTimeSeeded: true, state: .failed, correct: [10, 20], failure: hostile)
    trial.id = TrialID(hostile)
    trial.stage = hostile
    for cycle in trial.cycles.indices {
        trial.cycles[cycle].host = hostile
        trial.cycles[cycle].result.labelledDigest = hostile
        trial.cycles[cycle].result.weightsDigest = hostile
    }
    var record = sweepRecord([trial])
    record.name = hostile
    record.stages.append(hostile + "2")
    var report = Report(record: record)
    report.provenance = [(hostile, hostile)]
    let page = report.render(.html)
    #expect(!page.contains("<script"))
    #expect(!page.contains("alert('"))
    #expect(PageMarkup(page).unbalanced == [])
    #expect(page.contains("0/1"))
}

@Test("trials of the same name but different protocols have places of their own")
func protocolsOnThePage() {
    let record = sweepRecord([trialRecord(correct: [10, 20, 30])])
    let other = sweepRecord([trialRecord(correct: [20, 30, 40]) { $0.epochs = 20 }])
    let markup = PageMarkup(Report(records: [record, other]).render(.html))
    #expect(Set(markup.identities).count == markup.identities.count)
    let places = markup.identities.filter { $0.hasPrefix("trial-") }
    #expect(
        places == [
            "trial-cifar10-dqn100-seed0-protocol1", "trial-cifar10-dqn100-seed0-protocol2",
        ])
    #expect(Set(markup.references).isSuperset(of: places.map { "#" + $0 }))
}

@Test("an empty sweep has a page too")
func emptyPage() {
    let report = Report(record: SweepRecord(name: "empty", stages: ["one"], trials: []))
    let page = report.render(.html)
    #expect(page.contains("0 of 0 trials complete."))
    #expect(page.contains("Stage one has no trials of its own yet."))
    #expect(PageMarkup(page).unbalanced == [])
    for format in ReportFormat.allCases { #expect(!report.render(format).isEmpty) }
}

/// Every number is in the study's published tables or follows from them by subtraction.
@Test("findings say in words what the study's tables hold")
func publishedFindings() throws {
    let findings = Report(record: try publishedRuns()).findings
    #expect(findings.map(\.title) == ["CIFAR-10", "CIFAR-100", "Fashion-MNIST"])
    #expect(
        findings[0].sentences == [
            "200 gradient steps is the choice for dqn at seed 0, the smallest of 4 settings that "
                + "tie with 2 wins each. That is not sure: it would be 500 by final accuracy.",
            "DQN (200 step) is above random from cycle 6 (6,000 labels) on and ends 2.35 points "
                + "above it, at 89.47 % against 87.12 %.",
            "DQN (200 step) is below random in cycles 2, 3 and 5, by 3.11 points at worst "
                + "(cycle 2).",
            "Over the whole curve DQN (200 step) is 0.023 points below random (area 75.870 "
                + "against 75.893).",
            "The area under random's curve, 75.893, is not exceeded by any method.",
            "DQN (200 step) ends at 89.632 % ± 0.516 (95 % interval of the mean 88.991 to "
                + "90.273), over 5 runs with time seeds.",
        ])
    #expect(
        findings[2].sentences[0]
            == "100 gradient steps is the choice for dqn at seed 0, with 5 wins. Every other "
            + "criterion agrees.")
    #expect(
        findings[2].sentences.contains(
            "5 of 5 methods have a larger area under the curve than random's 89.713."))
}

@Test("no finding takes an incomplete group for a result")
func incompleteFindings() throws {
    var record = try publishedRuns()
    let place = try #require(record.trials.firstIndex { $0.isTimeSeeded })
    record.trials[place].state = .failed
    record.trials[place].failure = "the disk is full"
    let sentences = Report(record: record).findings[0].sentences
    let sentence = try #require(sentences.last)
    #expect(
        sentence.hasPrefix(
            "Only 4/5 runs of DQN (200 step) over time seeds are complete, so that there is no "
                + "mean of all yet; missing: cifar10-dqn200-seed20251205222723 (failed after 10 of "
                + "10 cycles: the disk is full)."))
    #expect(!sentences.contains { $0.contains("ends at") })
}

@Test("durations are written as people say them")
func durations() {
    #expect(duration(12.34) == "12.3 s")
    #expect(duration(200) == "3 min 20 s")
    #expect(duration(7500) == "2 h 05 min")
    #expect(duration(.nan) == "\u{2013}")
}
