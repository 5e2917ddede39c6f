import SweepModel
import Testing

@testable import Simulation

@Test("every promise holds, whatever goes wrong", arguments: 0..<16)
func promisesHold(group: UInt64) {
    for seed in group * 125..<(group + 1) * 125 {
        let scenario = Scenario(seed: seed, isBrief: true)
        let result = Simulation(scenario).run()
        if let violation = result.violation {
            Issue.record(
                """
                \(violation)
                \(scenario)
                hint: read what happened with `alsweep simulate --brief --seed \(seed)`
                """)
        }
    }
}

@Test("a long simulation keeps its promises, too", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
func longSimulation(seed: UInt64) {
    #expect(Simulation(Scenario(seed: seed)).run().violation == nil)
}

@Test("a sweep of many trials on many workers finishes")
func manyWorkers() {
    let result = Simulation(Scenario(seed: 3, trials: 200, workers: 40, isBrief: true)).run()
    #expect(result.violation == nil)
    #expect(result.records.count { $0.kind == .trialAdded } == 200)
}

@Test("a seed replays exactly, with or without a trace", arguments: 1...10 as ClosedRange<UInt64>)
func replaysExactly(seed: UInt64) {
    let simulation = Simulation(Scenario(seed: seed, isBrief: true))
    let (first, second) = (simulation.run(), simulation.run(isTraced: true))
    #expect(first.records == second.records)
    #expect(first.eventCount == second.eventCount)
    #expect(first.milliseconds == second.milliseconds)
    #expect(first.trace.isEmpty && !second.trace.isEmpty)
}

@Test("a planted bug is found, replayed and told", arguments: PlantedBug.allCases)
func plantedBugIsFound(bug: PlantedBug) throws {
    let found = (0..<200 as Range<UInt64>).lazy.compactMap { seed in
        let result = Simulation(Scenario(seed: seed, isBrief: true), bug: bug).run()
        return result.violation.map { (seed, $0, result.eventCount) }
    }.first
    let (seed, violation, eventCount) = try #require(found)
    let scenario = Scenario(seed: seed, isBrief: true)
    #expect(violation.promise == promise(brokenBy: bug))
    #expect(Simulation(scenario).run().violation == nil, "it is the bug's fault")
    let replay = Simulation(scenario, bug: bug).run(isTraced: true)
    #expect(replay.violation == violation)
    #expect(replay.eventCount == eventCount)
    #expect(replay.trace.contains { $0.contains("coordinator") })
}

private func promise(brokenBy bug: PlantedBug) -> Promise {
    switch bug {
    case .acknowledgeBeforeCommit: .commitFirst
    case .renewOthersLease, .forgetAmnesty, .dropReleasedTrial: .leases
    case .countStaleAttempt: .fencing
    case .ignoreOffers: .liveness
    }
}

@Test("the simulation meets everything that it is for")
func everythingHappens() {
    var missing = Set(
        Record.Kind.allCases.map(\.rawValue) + [
            "expired", "released", "crash", "out_of_memory", "disk", "data", "user", "restarts",
            "withdrawn", "hung", "out_of_gpu_memory",
        ])
    for seed in 0..<1_000 as Range<UInt64> where !missing.isEmpty {
        let records = Simulation(Scenario(seed: seed, isBrief: true)).run().records
        for record in records {
            missing.remove(record.kind.rawValue)
            if case .attemptEnded(let content) = record {
                switch content.end {
                case .expired: missing.remove("expired")
                case .released: missing.remove("released")
                case .withdrawn: missing.remove("withdrawn")
                case .failed(let kind, _): missing.remove(kind.rawValue)
                }
            }
            if record == .coordinatorStarted(epoch: 4) { missing.remove("restarts") }
        }
    }
    #expect(missing.isEmpty)
}

/// Vigna's reference implementation, `splitmix64.c`, with the state 1234567.
@Test("the draws are those of SplitMix64")
func drawsAreKnown() {
    var draws = Draws(seed: 1_234_567)
    #expect(
        (0..<3).map { _ in draws.next() } == [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
        ])
}

@Test("a node's clock drifts, jumps, and says when it will show a time")
func nodeClock() {
    var clock = NodeClock(at: 1_000, reading: 5_000, driftPerMillion: 50_000)
    #expect(clock.milliseconds(at: 1_000) == 5_000)
    #expect(clock.milliseconds(at: 21_000) == 26_000)
    let time = clock.time(of: 26_000, notBefore: 1_000)
    #expect(clock.milliseconds(at: time) >= 26_000 && time <= 21_001)
    clock.jump(by: -10_000, at: 21_000)
    #expect(clock.milliseconds(at: 21_000) == 16_000)
    #expect(clock.time(of: 10_000, notBefore: 22_000) == 22_000)
}

@Test("what is planned for the same instant happens in the order of planning")
func agendaOrder() {
    var agenda = Agenda<String>()
    agenda.plan("late", at: 20)
    agenda.plan("first", at: 10)
    agenda.plan("second", at: 10)
    #expect(agenda.next()?.occurrence == "first")
    agenda.plan("third", at: 10)
    #expect(agenda.next()?.occurrence == "second")
    #expect(agenda.next()?.occurrence == "third")
    #expect(agenda.next()?.time == 20)
    #expect(agenda.next()?.time == nil)
}
