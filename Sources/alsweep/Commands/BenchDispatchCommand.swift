import ArgumentParser
import SweepModel
import Transport

struct BenchDispatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dispatch",
        abstract: "Trials without work: how many a second a coordinator hands out and takes back.",
        discussion: """
            The coordinator is the real one, with its journal on disk and its sockets; the workers are \
            real too, in one other process, but for their trials, which end as soon as they start. \
            Each trial is an assignment, the result of a cycle, and an end, all three journaled.
            """)

    @Option(help: "How many trials.")
    var trials = 10_000

    @Option(help: "Connected workers.")
    var workers = 2

    @Option(help: "Trials that every worker holds at once.")
    var slots = 64

    @Option(
        help: "Keep the run in this folder, which must not exist; else it is made and removed.",
        completion: .directory)
    var keep: String?

    @Flag(help: "One JSON value on standard output.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(trials) else {
            throw ValidationError("--trials must be 1 to 1000000, not \(trials)")
        }
        guard (1...100_000).contains(workers) else {
            throw ValidationError("--workers must be 1 to 100000, not \(workers)")
        }
        guard (1...WorkerLimits.slots).contains(slots) else {
            throw ValidationError("--slots must be 1 to \(WorkerLimits.slots), not \(slots)")
        }
    }

    func run() throws {
        let figures = try DispatchBenchmark(trials: trials, workers: workers, slots: slots)
            .run(in: keep)
        if json {
            try printJSON(figures)
        } else {
            print(figures.text)
        }
    }
}

/// The workers of `bench dispatch`, started by it.
struct BenchDispatchWorkersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dispatch-workers", abstract: "The workers of `bench dispatch`.",
        shouldDisplay: false)

    @Option var connect: String
    @Option var workers: Int
    @Option var slots: Int

    func run() throws {
        _ = Context.raiseOpenFileLimit()
        var fleet = try IdleFleet(
            workers: workers, slots: slots, endpoint: try Endpoint(connect))
        try printJSON(try fleet.run())
    }
}
