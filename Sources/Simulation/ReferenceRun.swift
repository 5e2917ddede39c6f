import SweepModel

/// What a trial finds if nobody lies: a function of its configuration, as with the real experiment.
enum ReferenceRun {
    static func result(of configuration: TrialConfiguration, cycle: Int) -> CycleResult {
        var draws = draws(configuration, UInt64(cycle))
        let labels = String(draws.next(), radix: 16)
        return CycleResult(
            cycle: cycle, labelled: configuration.labelledCount(inCycle: cycle),
            correct: draws.below(configuration.testCount + 1), total: configuration.testCount,
            testLoss: Double(draws.below(1 << 20)) / 1_024,
            trainLoss: Double(draws.below(1 << 20)) / 1_024,
            labelledDigest: labels, weightsDigest: String(draws.next(), radix: 16), query: nil,
            trainSeconds: 1, evaluateSeconds: 1, querySeconds: 1)
    }

    static func modelDigest(of configuration: TrialConfiguration) -> String {
        var draws = draws(configuration, 0)
        return String(draws.next(), radix: 16)
    }

    /// FNV-1a over the trial's name: equal in every process, unlike the standard library's hashes.
    private static func draws(_ configuration: TrialConfiguration, _ cycle: UInt64) -> Draws {
        let name = configuration.id.rawValue.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        return Draws(seed: Draws.mix(name &+ cycle &* 0x9E37_79B9_7F4A_7C15))
    }
}
