import Coordinator
import SweepModel

/// Everything that a seed decides about a simulation before it begins.
public struct Scenario: Sendable {
    public let seed: UInt64
    public internal(set) var sweep: Sweep
    var options: Coordinator.Options
    var machines: [Machine]
    /// How long an honest and healthy worker computes at a cycle.
    var cycleMs: Int64
    /// Faults happen for so long; then everything is mended and the sweep has to finish.
    var faultMs: Int64
    var network: NetworkFaults
    var faults: FaultRates
    var connectDelayMs: Int64
    var idleExitMs: Int64

    /// - Parameters:
    ///   - trials: how many trials the sweep has; nil lets the seed decide.
    ///   - workers: how many machines; nil lets the seed decide.
    ///   - isBrief: with fewer hours, so that many seeds can be tried.
    public init(seed: UInt64, trials: Int? = nil, workers: Int? = nil, isBrief: Bool = false) {
        self.seed = seed
        var draws = Draws(seed: Draws.mix(seed &+ 0x5EED))
        sweep = Sweep.drawn(trials: trials, from: &draws)
        options = Coordinator.Options()
        // The intervals of production, and longer ones, with which more hours can be simulated.
        let scale = draws.pick([1, 6, 30, 60, 60, 60] as [Int64])
        options.heartbeatMs = 10_000 * scale
        options.leaseMs = 90_000 * scale
        options.graceMs = draws.pick([90_000, 90_000, 10_000]) * scale
        options.retryDelayMs = draws.pick([2_000, 60_000])
        options.stopDelayMs = draws.pick([10_000, 60_000])
        options.maximumFailures = draws.pick([1, 3, 3, 10])
        options.softwareVersion = "1"
        options.runFolder = "runs/simulated"
        let count = workers ?? draws.pick([1, 2, 2, 3, 3, 4, 6])
        let isAnyBad = draws.flip()
        machines = (0..<count).map { Machine(index: $0, mayBeBad: isAnyBad, from: &draws) }
        cycleMs = options.leaseMs * draws.pick([1, 6, 30]) / 3
        faultMs = options.leaseMs * draws.pick([10, 40, 40, 160])
        network = NetworkFaults(from: &draws)
        faults = FaultRates(leaseMs: options.leaseMs, from: &draws)
        connectDelayMs = draws.pick([60_000, 600_000])
        idleExitMs = draws.pick([120_000, 600_000])
        if isBrief { shorten() }
        // A process says nothing while it computes at a cycle.
        let slowest = machines.map(\.slowness).max() ?? 1
        options.hangDelayMs = 600_000 + 2 * cycleMs * slowest
    }

    private mutating func shorten() {
        cycleMs = min(cycleMs, options.leaseMs)
        faultMs = min(faultMs, options.leaseMs * 20)
        sweep.studyProtocol.cycles = min(sweep.studyProtocol.cycles, 2)
        for index in machines.indices {
            machines[index].slowness = min(machines[index].slowness, 3)
        }
    }

    /// The same sweep, nothing goes wrong, and every machine is quick.
    var undisturbed: Scenario {
        var scenario = self
        scenario.faultMs = 0
        scenario.cycleMs = options.heartbeatMs
        scenario.network = .none
        scenario.faults = .none
        scenario.machines = machines.map { _ in Machine() }
        return scenario
    }
}

extension Scenario: CustomStringConvertible {
    /// Every option that was drawn.
    public var description: String {
        let machines = machines.enumerated().map { "  w\($0): \($1)" }.joined(separator: "\n")
        return """
            seed \(seed): \(counted(sweep.trialCount, "trial")) of \
            \(counted(sweep.studyProtocol.cycles, "cycle")), \(cycleMs / 1_000) s each, in \
            \(counted(sweep.stages.count, "stage"))
              heartbeat \(options.heartbeatMs) ms, lease \(options.leaseMs) ms, grace \
            \(options.graceMs) ms, retry \(options.retryDelayMs) ms, stop \(options.stopDelayMs) ms, \
            \(options.maximumFailures) failures
              connect \(connectDelayMs) ms, idle exit \(idleExitMs) ms, faults for \
            \(clockText(faultMs))
              network: \(network)
              faults: \(faults)
            \(machines)
            """
    }
}

extension Sweep {
    /// A small sweep, with or without a second stage that uses the first; or one of so many trials.
    fileprivate static func drawn(trials: Int?, from draws: inout Draws) -> Sweep {
        var studyProtocol = StudyProtocol()
        studyProtocol.cycles = draws.number(in: 1...4)
        studyProtocol.initial = 10
        studyProtocol.addendum = 10
        studyProtocol.testLimit = 100
        if let trials {
            let stage = Stage(
                name: "all", datasets: [.fashionmnist],
                seeds: .fixed((0..<UInt64(trials)).map { $0 }),
                strategies: [.plain(.random)])
            return Sweep(name: "simulated", studyProtocol: studyProtocol, stages: [stage])
        }
        let datasets = Array([DatasetName.fashionmnist, .cifar10].prefix(draws.number(in: 1...2)))
        let steps = Array([100, 200, 300].prefix(draws.number(in: 1...3)))
        var stages = [
            Stage(
                name: "steps", datasets: datasets,
                seeds: .fixed(Array([0, 1, 2].prefix(draws.number(in: 1...3)))),
                strategies: [.plain(.random), .learned(.dqn, .fixed(steps))],
                priority: draws.number(in: -1...1))
        ]
        if draws.flip() {
            stages.append(
                Stage(
                    name: "times", datasets: datasets,
                    seeds: .time(count: draws.number(in: 1...3)),
                    strategies: [.learned(.dqn, .bestOf(stage: "steps"))],
                    priority: draws.number(in: -1...1)))
        }
        return Sweep(name: "simulated", studyProtocol: studyProtocol, stages: stages)
    }
}
