import SweepModel

/// What it came to that trials with the same labelled sets took their networks from each other.
struct SharedCycles {
    /// Cycles whose network was taken, and not trained.
    let count: Int
    /// All cycles with a result.
    let total: Int
    /// What training and evaluating these networks took where it was done, less what taking them took.
    let savedSeconds: Double

    init(_ trials: [TrialRecord]) {
        let results = trials.flatMap(\.cycles).map(\.result)
        let shared = results.filter { $0.isShared == true }
        total = results.count
        count = shared.count
        var trained: [String: Double] = [:]
        for result in results where result.isShared != true && !result.weightsDigest.isEmpty {
            trained[result.weightsDigest] = result.networkSeconds
        }
        savedSeconds = shared.reduce(0) { sum, result in
            let saved = (trained[result.weightsDigest] ?? 0) - result.networkSeconds
            return sum + (saved.isFinite ? max(0, saved) : 0)
        }
    }

    /// nil where nothing was shared.
    var sentence: String? {
        guard count > 0 else { return nil }
        return
            "\(count) of \(counted(total, "cycle")) took their network from another trial with the same "
            + "labelled sets instead of training it, which saved \(duration)."
    }

    private var duration: String {
        savedSeconds < 120
            ? "\(Int(savedSeconds.rounded())) s"
            : savedSeconds < 7_200
                ? "\(Int((savedSeconds / 60).rounded())) min"
                : "\(Int((savedSeconds / 3_600).rounded())) h"
    }
}

extension CycleResult {
    fileprivate var networkSeconds: Double { trainSeconds + evaluateSeconds }
}
