import ArgumentParser
import Foundation
import Simulation
import SweepModel

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run whole sweeps in a simulated, faulty world, and check what must hold.",
        discussion: """
            Coordinator and workers are the real ones; clocks, network, disk and trials are simulated \
            and fail in every way. A seed decides everything, and gives the same run every time.
            """)

    /// Of what happened before a promise was broken.
    private static let traceLineCount = 60

    @Option(help: "The first seed.")
    var seed: UInt64 = 0

    @Option(help: "Go on with the next seeds for so many simulated hours. Default: one seed.")
    var hours: Double?

    @Option(help: "Trials of every sweep. Default: the seed decides.")
    var trials: Int?

    @Option(help: "Machines with a worker. Default: the seed decides.")
    var workers: Int?

    @Option(help: "A bug that the coordinator shall have, to see that it is found.")
    var plant: PlantedBug?

    @Flag(help: "Shorter simulations, as in the tests.")
    var brief = false

    func validate() throws {
        if let hours, !(hours > 0 && hours <= 1e9) {
            throw ValidationError("--hours is \(hours); it is a number above 0, up to 1e9")
        }
        for (name, value, limit) in [
            ("--trials", trials, 100_000), ("--workers", workers, 10_000),
        ] {
            guard let value, !(1...limit).contains(value) else { continue }
            throw ValidationError("\(name) is \(value); it is a number from 1 to \(limit)")
        }
    }

    func run() throws {
        SeedOfCrash.tellSeed()
        let start = ContinuousClock.now
        var (seedCount, simulatedHours, eventCount) = (0 as UInt64, 0.0, 0)
        repeat {
            let seed = self.seed &+ seedCount
            SeedOfCrash.set(seed)
            let scenario = Scenario(seed: seed, trials: trials, workers: workers, isBrief: brief)
            if hours == nil { print(scenario) }
            let result = Simulation(scenario, bug: plant).run()
            seedCount += 1
            simulatedHours += result.hours
            eventCount += result.eventCount
            if let violation = result.violation { try tell(violation, scenario) }
        } while simulatedHours < hours ?? 0
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        print(
            "\(counted(Int(seedCount), "seed")), \(counted(Int(simulatedHours.rounded()), "simulated hour")), "
                + "\(counted(eventCount, "event")) in \(String(format: "%.1f", seconds)) s: every promise held"
        )
    }

    private func tell(_ violation: Violation, _ scenario: Scenario) throws {
        // The same seed again, now with a trace.
        let replay = Simulation(scenario, bug: plant).run(isTraced: true)
        if hours != nil { print(scenario) }
        for line in replay.trace.suffix(Self.traceLineCount) { print(line) }
        precondition(replay.violation == violation, "a seed gave two different runs")
        let options =
            [trials.map { "--trials \($0)" }, workers.map { "--workers \($0)" }].compactMap { $0 }
            + (plant.map { ["--plant \($0.rawValue)"] } ?? []) + (brief ? ["--brief"] : [])
        throw CommandFailure(
            "seed \(scenario.seed): \(violation)",
            hint: (["replay it with `alsweep simulate --seed \(scenario.seed)"] + options)
                .joined(separator: " ") + "`")
    }
}

extension PlantedBug: ExpressibleByArgument {}
