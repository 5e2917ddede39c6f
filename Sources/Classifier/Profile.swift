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

extension StepKind {
    /// Whether it is a convolution, or reorders that one needs.
    package var isConvolution: Bool {
        switch self {
        case .convolution, .convolutionData, .convolutionWeights: true
        default: false
        }
    }
}

/// Where the time went, by kind of work: CPU time of the calling thread, which other programs
/// disturb less than the clock. It is meaningful with one thread.
package final class Profile {
    /// A kind of work in one layer of the network.
    package struct Label: Hashable {
        package var kind: StepKind
        /// The convolution's name, which its batch norm goes by as well; nil outside such units.
        package var layer: String?
    }

    package private(set) var labelledSeconds: [Label: Double] = [:]

    package init() {}

    /// The seconds of every kind of work that there was.
    package var seconds: [StepKind: Double] {
        labelledSeconds.reduce(into: [:]) { $0[$1.key.kind, default: 0] += $1.value }
    }

    /// The seconds of a kind of work in one layer.
    package func seconds(_ kind: StepKind, in layer: String) -> Double {
        labelledSeconds[Label(kind: kind, layer: layer)] ?? 0
    }

    /// The CPU time that the calling thread has used.
    package static var threadSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// Runs `body` and adds its time, if there is a profile.
    static func time<Result: ~Copyable>(
        _ kind: StepKind, in layer: String? = nil, _ profile: Profile?, _ body: () -> Result
    ) -> Result {
        guard let profile else { return body() }
        let start = threadSeconds
        defer { profile.add(Label(kind: kind, layer: layer), since: start) }
        return body()
    }

    func add(_ label: Label, since start: Double) {
        labelledSeconds[label, default: 0] += Self.threadSeconds - start
    }
}
