import SweepModel

/// A run of a whole sweep with everything that may go wrong, in a time of its own and decided by a seed.
public struct Simulation: Sendable {
    /// What came of a simulation.
    public struct Result: Sendable {
        public let scenario: Scenario
        /// In the simulation's time.
        public let milliseconds: Int64
        public let eventCount: Int
        /// nil if every promise held.
        public let violation: Violation?
        /// What happened last, a line each; empty unless it was asked for.
        public let trace: [String]
        /// What the run found, as its journal says.
        public let records: [Record]

        public var hours: Double { Double(milliseconds) / 3_600_000 }
    }

    public let scenario: Scenario
    /// A mistake that the coordinator shall make, to see whether it is found.
    public let bug: PlantedBug?

    public init(_ scenario: Scenario, bug: PlantedBug? = nil) {
        self.scenario = scenario
        self.bug = bug
    }

    /// The same scenario gives the same result, with or without a trace.
    public func run(isTraced: Bool = false) -> Result {
        var world = World(scenario, bug: bug, isTraced: isTraced)
        world.run()
        var violation = world.checker.violation
        if violation == nil { violation = differenceFromUndisturbedRun(world) }
        return Result(
            scenario: scenario, milliseconds: world.now, eventCount: world.eventCount,
            violation: violation, trace: world.trace.lines, records: world.disk.records)
    }

    /// Where nobody lied and no trial was given up, the sweep is what it is without faults.
    private func differenceFromUndisturbedRun(_ world: World) -> Violation? {
        let found = world.checker.durable
        guard world.checker.liars.isEmpty, found.trials.allSatisfy({ $0.state == .done }) else {
            return nil
        }
        var undisturbed = World(scenario.undisturbed, bug: nil, isTraced: false)
        undisturbed.run()
        let expected = undisturbed.checker.durable
        let isEqual =
            undisturbed.checker.violation == nil
            && Set(found.choices) == Set(expected.choices)
            && expected.trials.filter { !$0.added.isTimeSeeded }.allSatisfy { trial in
                guard let other = found[trial.id] else { return false }
                return trial.modelDigest == other.modelDigest && other.disputes.isEmpty
                    && zip(trial.cycles, other.cycles).allSatisfy { $0?.result == $1?.result }
            }
            && found.trials.count { $0.added.isTimeSeeded }
                >= expected.trials.count {
                    $0.added.isTimeSeeded
                }
        guard !isEqual else { return nil }
        return Violation(
            promise: .numbers, milliseconds: world.now,
            detail: "the run differs from the one without faults")
    }
}
