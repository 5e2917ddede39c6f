import Glibc

/// The kinds of work that a training step or a scoring pass is made of, for profiles.
package enum StepKind: String, Hashable, Sendable, CaseIterable {
    case convolution = "convolution"
    case convolutionData = "convolution, input gradient"
    case convolutionWeights = "convolution, weight gradient"
    case norm = "batch norm"
    case normGradient = "batch norm, gradient"
    case residual = "residual sum and relu"
    case residualGradient = "residual sum and relu, gradient"
    case reorder = "reorder"
    case pool = "pool"
    case linear = "linear layer"
    case optimizer = "optimiser"
    case other = "input, loss and statistics"
}

/// Where the time went, by kind of work: CPU time of the calling thread, which other programs
/// disturb less than the clock. It is meaningful with one thread.
package final class Profile {
    package private(set) var seconds: [StepKind: Double] = [:]

    package init() {}

    /// The CPU time that the calling thread has used.
    package static var threadSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// Runs `body` and adds its time, if there is a profile.
    static func time<Result: ~Copyable>(
        _ kind: StepKind, _ profile: Profile?, _ body: () -> Result
    ) -> Result {
        guard let profile else { return body() }
        let start = threadSeconds
        defer { profile.add(kind, since: start) }
        return body()
    }

    func add(_ kind: StepKind, since start: Double) {
        seconds[kind, default: 0] += Self.threadSeconds - start
    }
}
