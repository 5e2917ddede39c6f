import ArgumentParser
import Classifier
import SweepModel
import Wire

extension EngineName: ExpressibleByArgument {
    /// For the options that name one.
    static let help = ArgumentHelp(
        "The library that executes the network: onednn, openblas, or torch, a plug-in for GPUs.")

    /// - Throws: `unsupported` where this machine lacks the engine or the precision.
    func make(
        _ network: ResNet18, _ state: NetworkState, _ precision: SweepModel.Precision
    ) throws(ClassifierError) -> any ClassifierEngine {
        guard offers(precision) else {
            throw .unsupported(
                what: "engine \(rawValue) does not compute in \(precision.rawValue)",
                remedy: "ask for precision float32, or for engine \(Self.offering(precision))")
        }
        return switch self {
        case .onednn: try OneDNNEngine(network, state, precision: precision.ofClassifier)
        case .openblas: try OpenBLASEngine(network, state)
        case .torch: try TorchEngine(network, state, precision: precision.ofClassifier)
        }
    }

    /// What this machine can compute with.
    static var offersHere: [ComputingOffer] {
        allCases.flatMap { engine in
            SweepModel.Precision.allCases.filter(engine.isOfferedHere).map {
                ComputingOffer(engine: engine, precision: $0)
            }
        }
    }

    /// Whether this machine and its libraries can compute in a precision.
    func isOfferedHere(_ precision: SweepModel.Precision) -> Bool {
        switch self {
        case .onednn, .openblas:
            offers(precision) && (precision == .float32 || OneDNNEngine.supports(.bfloat16))
        case .torch: (try? TorchExamination.here.get())?.precisions.contains(precision) ?? false
        }
    }

    /// The precision that trains fastest with this engine on this machine.
    var fastestPrecision: SweepModel.Precision {
        switch self {
        case .onednn: OneDNNEngine.fastestPrecision == .bfloat16 ? .bfloat16 : .float32
        case .openblas: .float32
        case .torch: (try? TorchExamination.here.get())?.fastestPrecision ?? .float32
        }
    }

    /// What the bits of a result depend on beside the configuration.
    var numericPlatform: String {
        let others = Classifier.numericPlatform()
        guard self == .torch else { return others }
        // Without a library or a device there will be no results whose bits could depend on it.
        let own = try? TorchLibrary.shared().numericPlatform(TorchDevice.chosen())
        return others + "; " + (own ?? "no libtorch")
    }
}

extension SweepModel.Precision {
    var ofClassifier: Classifier.Precision {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .tf32: .tf32
        }
    }
}

extension PrecisionSetting: ExpressibleByArgument {
    /// For the options that name one.
    static let help = ArgumentHelp(
        "float32, bfloat16, tf32 (on GPUs), or auto: the one that trains fastest here.")

    public init?(argument: String) { self.init(rawValue: argument) }

    public static var allValueStrings: [String] { allNames }

    func resolved(for engine: EngineName) -> SweepModel.Precision {
        switch self {
        case .fixed(let precision): precision
        case .automatic: engine.fastestPrecision
        }
    }
}

extension Sweep {
    /// The sweep with the precision that trains fastest here, if its file leaves that to be chosen.
    func resolvingPrecision() -> Sweep {
        guard isPrecisionAutomatic else { return self }
        return computing(engine: nil, precision: studyProtocol.engine.fastestPrecision)
    }
}
