import Foundation
import Testing

extension Acceptance {
    @Suite struct StrategyTests {
        private static let strategies = [
            "random", "entropy", "least_confidence", "margin", "k_center", "badge",
            "dqn: {gradient_steps: [5, 10]}", "dqn_warm: {gradient_steps: [5, 10]}",
        ]

        @Test("every strategy runs in a sweep, tells what it bought, and shares what is the same")
        func everyStrategy() throws {
            let folder = try TemporaryFolder()
            let lines = Self.strategies.map { "      - \($0)" }.joined(separator: "\n")
            let text = TinySweep.text()
            let first = try #require(text.range(of: "      - random"))
            let last = try #require(text.range(of: "\n  - name: times"))
            try (text[..<first.lowerBound] + lines).write(
                toFile: folder.path + "/all.yaml", atomically: true, encoding: .utf8)
            #expect(last.lowerBound > first.lowerBound, "the second stage is cut off")
            let launched = try Program.run(["launch", "all.yaml", "--slots", "1"], in: folder)
            #expect(launched.status == 0, "\(launched.errors)")
            for title in ["k-center", "BADGE", "least confidence", "warm DQN (10 step)"] {
                #expect(launched.output.contains(title))
            }
            let collected = try Collected.read(try onlyRun(in: folder), in: folder)
            #expect(collected.trials.count == 10)
            for trial in collected.trials {
                #expect(trial.state == "done" && trial.cycles.count == 3, "\(trial.id)")
                #expect(trial.cycles.map { $0.query != nil } == [true, true, false])
                for query in trial.cycles.compactMap(\.query) {
                    #expect(query.classCounts.reduce(0, +) == 40)
                    #expect((0...1).contains(query.hitRate) && query.classEntropy > 0)
                    #expect((query.meanQ != nil) == (trial.gradientSteps != nil))
                    #expect((query.lambda != nil) == (trial.strategy == "dqn_warm"))
                }
            }
            // One slot runs one trial after the other: only new histories are trained.
            let shared = (0..<3).map { index in
                collected.trials.count { $0.cycles[index].shared }
            }
            let secondSets = Set(collected.trials.map(\.cycles[1].labelledDigest))
            #expect(shared == [9, 10 - secondSets.count, 0])
            #expect(secondSets.count <= 8, "both numbers of steps buy the same at first")
            try expectSameAlone(collected, folder)
        }

        /// A trial that trains everything itself finds the numbers of one that took the most from
        /// others.
        private func expectSameAlone(
            _ collected: Collected, _ folder: borrowing TemporaryFolder
        ) throws {
            let trial = try #require(
                collected.trials.first { $0.cycles.prefix(2).allSatisfy(\.shared) })
            let arguments = [
                "experiment", "--dataset", "fashionmnist", "--strategy", trial.strategy,
                "--gradient-steps", "\(trial.gradientSteps!)", "--epochs", "2", "--width", "4",
                "--batch-size", "20", "--learning-rate", "0.05", "--cycles", "3", "--initial", "40",
                "--addendum", "40", "--pool-limit", "300", "--test-limit", "200", "--threads", "1",
            ]
            let json = try Program.run(arguments + ["--output-mode", "json"], in: folder)
            #expect(json.status == 0, "\(json.errors)")
            for cycle in trial.cycles { #expect(json.output.contains(cycle.weightsDigest)) }
            let human = try Program.run(arguments, in: folder)
            #expect(human.output.contains("bought 40: hit rate "))
            #expect(human.output.contains("class entropy"))
        }
    }
}
