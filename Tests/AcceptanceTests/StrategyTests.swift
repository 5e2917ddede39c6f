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
            let launched = try Program.run(["launch", "all.yaml", "--slots", "5"], in: folder)
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
            // Only new histories are trained, also of trials that begin at once.
            let shared = (0..<3).map { index in
                collected.trials.count { $0.cycles[index].shared }
            }
            let secondSets = Set(collected.trials.map(\.cycles[1].labelledDigest))
            #expect(shared == [9, 10 - secondSets.count, 0])
            #expect(secondSets.count <= 8, "both numbers of steps buy the same at first")
            try expectSameAlone(collected, folder)
        }

        @Test(
            "a trial waits for another that trains the same, and trains itself when that one is killed"
        )
        func killedTrainer() throws {
            let folder = try TemporaryFolder()
            func start(_ strategy: String, _ output: String) throws -> Program.Running {
                try Program.start(
                    [
                        "experiment", "--dataset", "fashionmnist", "--strategy", strategy,
                        "--epochs",
                        "20", "--width", "4", "--cycles", "2", "--initial", "200", "--addendum",
                        "40",
                        "--pool-limit", "300", "--test-limit", "200", "--threads", "1",
                        "--output-mode", "json", "--output", output,
                    ], in: folder)
            }
            let first = try start("random", "shared")
            try first.waitForFile(folder.path + "/shared/classifiers")
            let second = try start("margin", "shared")
            try second.waitForErrors(
                containing: "cycle 1: another trial trains the same network; waiting for it")
            first.signal(SIGKILL)
            let result = second.result()
            #expect(result.status == 0, "\(result.errors)")
            let alone = try start("margin", "alone").result()
            func digests(_ result: Program.Result) -> [Substring] {
                result.output.matches(of: /"weights_digest" : "(\w{64})"/).map(\.1)
            }
            #expect(digests(result).count == 2)
            #expect(digests(result) == digests(alone))
            #expect(!result.output.contains("shared"), "it trained both networks")
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
