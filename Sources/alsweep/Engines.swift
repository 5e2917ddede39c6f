import ArgumentParser
import Classifier
import SweepModel
import Wire

extension EngineName: ExpressibleByArgument {
    /// - Throws: `unsupported` where this machine lacks the precision.
    func make(
        _ network: ResNet18, _ state: NetworkState, _ precision: SweepModel.Precision
    ) throws(ClassifierError) -> any InspectableEngine {
        switch (self, precision) {
        case (.onednn, .float32): try OneDNNEngine(network, state)
        case (.onednn, .bfloat16): try OneDNNEngine(network, state, precision: .bfloat16)
        case (.openblas, .float32): try OpenBLASEngine(network, state)
        case (.openblas, .bfloat16):
            throw .unsupported(
                what: "engine openblas computes in float32 only",
                remedy: "ask for precision float32, or for engine onednn")
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

    /// Whether this machine's CPU and library can compute in a precision.
    func isOfferedHere(_ precision: SweepModel.Precision) -> Bool {
        offers(precision) && (precision == .float32 || OneDNNEngine.supports(.bfloat16))
    }

    /// The precision that trains fastest with this engine on this machine.
    var fastestPrecision: SweepModel.Precision {
        switch self {
        case .onednn: OneDNNEngine.fastestPrecision == .bfloat16 ? .bfloat16 : .float32
        case .openblas: .float32
        }
    }
}

extension PrecisionSetting: ExpressibleByArgument {
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
