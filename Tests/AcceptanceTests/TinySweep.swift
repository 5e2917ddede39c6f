import Foundation
import Testing

/// Real Fashion-MNIST, a real network, as small as they can be: some seconds for all eight trials.
enum TinySweep {
    static func text(epochs: Int = 2, poolLimit: Int = 300) -> String {
        """
        # Does the whole path work?
        name: tiny
        protocol:
          width: 4
          epochs: \(epochs)
          batch_size: 20
          learning_rate: 0.05
          cycles: 3
          initial: 40
          addendum: 40
          pool_limit: \(poolLimit)
          test_limit: 200
        stages:
          - name: steps
            datasets: [fashionmnist]
            seeds: [0]
            strategies:
              - random
              - dqn: {gradient_steps: [5, 10]}
          - name: times
            datasets: [fashionmnist]
            seeds: {time: 5}
            strategies:
              - dqn: {gradient_steps: {best_of: steps}}
        """
    }

    /// The three trials of the first stage, whose seeds are the same in every run.
    static func firstStage(epochs: Int) -> String {
        let text = text(epochs: epochs)
        return String(text[..<text.firstRange(of: "  - name: times")!.lowerBound])
    }

    static func write(to folder: borrowing TemporaryFolder, epochs: Int = 2) throws {
        try write(text(epochs: epochs), to: folder)
    }

    static func write(_ text: String, to folder: borrowing TemporaryFolder) throws {
        try text.write(
            toFile: folder.path + "/tiny.yaml", atomically: true, encoding: .utf8)
    }
}

/// What `collect --format json` says, as far as the tests ask.
struct Collected: Decodable {
    struct Query: Decodable, Hashable {
        var hitRate: Double
        var classCounts: [Int]
        var classEntropy: Double
        var meanQ: Double?
        var lambda: Double?
    }

    struct Cycle: Decodable, Hashable {
        var cycle: Int
        var labelled: Int
        var correct: Int
        var total: Int
        var testLoss: Double
        var seconds: Double
        var host: String
        var attempt: Int
        var labelledDigest: String
        var weightsDigest: String
        var shared: Bool
        var query: Query?
    }

    struct Trial: Decodable {
        var id: String
        var stage: String
        var dataset: String
        var strategy: String
        var gradientSteps: Int?
        var seed: UInt64
        var state: String
        var attempts: Int
        var timeSeeded: Bool
        var cycles: [Cycle]
    }

    var schema: Int
    var trials: [Trial]

    static func read(_ run: String, in folder: borrowing TemporaryFolder) throws -> Collected {
        let result = try Program.run(["collect", run, "--format", "json"], in: folder)
        try #require(result.status == 0, "\(result.errors)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Collected.self, from: Data(result.output.utf8))
    }

    /// What must be equal in two runs of the same trials: not how long they took, nor where they ran.
    var numbers: [String] {
        trials.flatMap { trial in
            trial.cycles.map {
                "\(trial.id) \($0.cycle) \($0.labelled) \($0.correct) \($0.testLoss) "
                    + "\($0.labelledDigest) \($0.weightsDigest)"
            }
        }
    }
}

/// The only run in a test's folder.
func onlyRun(in folder: borrowing TemporaryFolder) throws -> String {
    let runs = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/runs")
    try #require(runs.count == 1, "one run, not \(runs)")
    return "runs/\(runs[0])"
}

/// Whether the process of a trial's attempt took up the checkpoint of an earlier one.
func hasGoneOn(_ trial: String, attempt: Int, logs: String) -> Bool {
    let log = try? String(contentsOfFile: "\(logs)/\(trial).\(attempt).log", encoding: .utf8)
    return log?.contains("going on after cycle") ?? false
}
