import ArgumentParser
import Foundation
import Journal
import Reporting
import SweepModel

struct BenchCollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect",
        abstract: "How fast a finished run is read and put into tables.",
        discussion: """
            Makes a run of made-up numbers and collects it as `alsweep collect` does, several times.
            """)

    @Option(help: "Trials of the run.")
    var trials = 10_000

    @Option(help: "Cycles of a trial.")
    var cycles = 10

    @Option(help: "Labels that each query bought; their indices stand in the journal.")
    var picks = 1_000

    @Option(help: "How often it is collected; the fastest time counts.")
    var repetitions = 5

    @Option(
        help: "Keep the run in this folder, which must not exist, with its results as CSV.",
        completion: .directory)
    var keep: String?

    @Flag(help: "Print one JSON value.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(trials), (1...1_000).contains(cycles),
            (0...100_000).contains(picks), (1...1_000).contains(repetitions)
        else { throw ValidationError("a number is out of its range, or not positive") }
    }

    func run() throws {
        if let keep, FileManager.default.fileExists(atPath: keep) {
            throw CommandFailure("\(keep) exists already", hint: "name a folder that does not")
        }
        let path =
            keep
            ?? FileManager.default.temporaryDirectory
            .appendingPathComponent("alsweep-bench-\(UUID().uuidString)").path
        defer { if keep == nil { try? FileManager.default.removeItem(atPath: path) } }
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        let folder = RunFolder(path)
        let run = SyntheticRun(trialCount: trials, cycles: cycles, picks: picks)
        let recordCount = try run.write(to: folder)
        var fastest: CollectTimes?
        for _ in 0..<repetitions {
            let times = try CollectTimes(folder)
            if times.seconds < fastest?.seconds ?? .infinity { fastest = times }
        }
        guard let fastest else { return }
        if keep != nil {
            try writeText(
                Report(record: try RunReading(folder).record).render(.csv), to: folder.results)
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.journal)
        let result = CollectFigures(
            trials: trials, cycles: cycles, records: recordCount,
            journalBytes: attributes[.size] as? Int ?? 0, readSeconds: fastest.read,
            aggregateSeconds: fastest.aggregate, seconds: fastest.seconds, groups: fastest.groups,
            meanFinalAccuracy: fastest.meanFinalAccuracy, repetitions: repetitions)
        if json {
            try printJSON(result)
        } else {
            print(result.text)
        }
    }
}

/// What the steps of collecting took.
private struct CollectTimes {
    /// From the file to trials with their results.
    var read: Double
    /// From there to the tables as text.
    var aggregate: Double
    var seconds: Double { read + aggregate }
    /// Strategies of a dataset whose runs were averaged.
    var groups: Int
    /// Over all groups, in percent: what another program must find too.
    var meanFinalAccuracy: Double

    init(_ folder: RunFolder) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let record = try RunReading(folder).record
        let middle = clock.now
        let report = Report(record: record)
        let text = report.render(.table)
        let end = clock.now
        precondition(!text.isEmpty)
        read = (middle - start) / .seconds(1)
        aggregate = (end - middle) / .seconds(1)
        let means = report.results.flatMap(\.seedGroups).compactMap { group in
            group.accuracy(inCycle: group.trials[0].configuration.studyProtocol.cycles)?
                .mean.double
        }
        groups = means.count
        meanFinalAccuracy = means.reduce(0, +) / Double(max(means.count, 1))
    }
}

private struct CollectFigures: Encodable {
    let schema = 1
    var trials: Int
    var cycles: Int
    var records: Int
    var journalBytes: Int
    var readSeconds: Double
    var aggregateSeconds: Double
    var seconds: Double
    var groups: Int
    var meanFinalAccuracy: Double
    var repetitions: Int

    enum CodingKeys: String, CodingKey {
        case schema, trials, cycles, records, seconds, groups, repetitions
        case journalBytes = "journal_bytes"
        case readSeconds = "read_seconds"
        case aggregateSeconds = "aggregate_seconds"
        case meanFinalAccuracy = "mean_final_accuracy"
    }

    var text: String {
        func seconds(_ value: Double) -> String { String(format: "%.3f s", value) }
        let megabytes = String(format: "%.0f MB", Double(journalBytes) / 1e6)
        return """
            \(trials) trials of \(cycles) cycles, \(records) records, \(megabytes)
            read the journal     \(seconds(readSeconds))
            tables from it       \(seconds(aggregateSeconds))
            collected in         \(seconds(self.seconds)), the fastest of \(repetitions)
            """
    }
}

/// A finished run with made-up numbers, the same every time.
private struct SyntheticRun {
    let trialCount: Int
    let cycles: Int
    let picks: Int

    private static let strategies: [Strategy] =
        [.random] + [100, 200, 300, 400, 500].map { .dqn(gradientSteps: $0) }
    private static let firstSeed: UInt64 = 1_700_000_000
    /// One commit holds the records of so many trials.
    private static let trialsPerCommit = 200

    private var seedCount: Int {
        let perSeed = DatasetName.allCases.count * Self.strategies.count
        return (trialCount + perSeed - 1) / perSeed
    }

    private var text: String {
        """
        # How fast are journals read?
        name: synthetic
        protocol: {cycles: \(cycles)}
        stages:
          - name: all
            datasets: [\(DatasetName.allCases.map(\.rawValue).joined(separator: ", "))]
            seeds: {time: \(seedCount)}
            strategies: [random, dqn: {gradient_steps: [100, 200, 300, 400, 500]}]
        """
    }

    /// - Returns: how many records the journal holds.
    func write(to folder: RunFolder) throws -> Int {
        let journal = try Journal.write(at: folder.journal)
        var draws = Draws()
        let sweep = SweepSubmitted(
            name: "synthetic", text: text,
            timeSeeds: (0..<seedCount).map { Self.firstSeed + UInt64($0) })
        var records: [Record] = [.sweepSubmitted(sweep), .coordinatorStarted(epoch: 1)]
        var count = 0
        for index in 0..<trialCount {
            append(trial(index), to: &records, &draws)
            guard (index + 1) % Self.trialsPerCommit == 0 || index + 1 == trialCount
            else { continue }
            try journal.append(records, at: Date(timeIntervalSince1970: Double(index)))
            count += records.count
            records = []
        }
        return count
    }

    private func trial(_ index: Int) -> TrialConfiguration {
        let datasets = DatasetName.allCases
        let place = index % (datasets.count * Self.strategies.count)
        var studyProtocol = StudyProtocol()
        studyProtocol.cycles = cycles
        return TrialConfiguration(
            dataset: datasets[place / Self.strategies.count],
            strategy: Self.strategies[place % Self.strategies.count],
            seed: Self.firstSeed
                + UInt64(index / (datasets.count * Self.strategies.count)),
            studyProtocol: studyProtocol)
    }

    private func append(
        _ trial: TrialConfiguration, to records: inout [Record], _ draws: inout Draws
    ) {
        let host = "node-\(draws.below(40))"
        records.append(
            .trialAdded(TrialAdded(stage: "all", isTimeSeeded: true, configuration: trial)))
        records.append(
            .attemptStarted(
                AttemptStarted(
                    trial: trial.id, attempt: 1,
                    worker: WorkerID("\(host)-\(draws.below(1 << 30))"),
                    host: host)))
        for cycle in 1...cycles {
            records.append(
                .cycleAccepted(
                    CycleAccepted(
                        trial: trial.id, attempt: 1, host: host,
                        result: result(cycle, of: trial, &draws))))
        }
        records.append(
            .trialFinished(
                TrialFinished(trial: trial.id, attempt: 1, modelDigest: draws.digest())))
    }

    private func result(
        _ cycle: Int, of trial: TrialConfiguration, _ draws: inout Draws
    ) -> CycleResult {
        let classes = trial.dataset.classCount
        let query = QueryResult(
            picks: (0..<picks).map { _ in draws.below(50_000) }, hitRate: draws.fraction(),
            classCounts: (0..<classes).map { _ in draws.below(200) },
            meanQ: trial.strategy.gradientSteps.map { _ in draws.fraction() },
            firstLoss: trial.strategy.gradientSteps.map { _ in draws.fraction() },
            lastLoss: trial.strategy.gradientSteps.map { _ in draws.fraction() })
        return CycleResult(
            cycle: cycle, labelled: trial.labelledCount(inCycle: cycle),
            correct: 10_000 * (cycle + 2) / (cycle + 4) + draws.below(400), total: 10_000,
            testLoss: draws.fraction(), trainLoss: draws.fraction(),
            labelledDigest: draws.digest(), weightsDigest: draws.digest(),
            query: cycle < trial.studyProtocol.cycles ? query : nil,
            trainSeconds: 1_000 * draws.fraction(), evaluateSeconds: 10 * draws.fraction(),
            querySeconds: 10 * draws.fraction())
    }
}

/// A linear congruential generator (Knuth's MMIX constants): made-up numbers need no more.
private struct Draws {
    private var state: UInt64 = 1

    private mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 11
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func fraction() -> Double { Double(next()) / Double(1 << 53) }

    mutating func digest() -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: (0..<64).map { _ in digits[below(16)] }, as: UTF8.self)
    }
}
