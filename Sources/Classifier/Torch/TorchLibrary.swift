import CTorchEngine
import Foundation
import Glibc

/// The plug-in through which libtorch executes networks: a shared library that is built apart, by
/// cluster/build-torch-engine.sh, and loaded when it is asked for.
///
/// Sendable: it is never changed after it is loaded, and never unloaded.
public final class TorchLibrary: @unchecked Sendable {
    /// The file's name where it lies beside the program.
    public static let fileName = "alsweep-torch.so"
    /// Names another file.
    public static let pathVariable = "ALSWEEP_TORCH_ENGINE"
    /// The oldest that has all that is used.
    private static let oldestTorch = (major: 2, minor: 1)
    private static let buildRemedy = "build it with cluster/build-torch-engine.sh"

    public let path: String
    /// Of the PyTorch that it was built with, as in `2.6.0`.
    public let torchVersion: String
    /// Whether that PyTorch has CUDA.
    public let hasCUDA: Bool

    let plugIn: alsweep_torch_interface

    /// The one that this process uses, loaded by the first who asks.
    public static func shared() throws(ClassifierError) -> TorchLibrary { try sharedResult.get() }

    private static let sharedResult: Result<TorchLibrary, ClassifierError> = {
        do throws(ClassifierError) {
            return .success(
                try TorchLibrary(path: place(in: ProcessInfo.processInfo.environment)))
        } catch {
            return .failure(error)
        }
    }()

    /// Where the plug-in is looked for; nothing is said of whether it is there.
    public static func place(in environment: [String: String]) -> String {
        if let named = environment[pathVariable], !named.isEmpty { return named }
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        return URL(fileURLWithPath: program ?? "/").deletingLastPathComponent()
            .appendingPathComponent(fileName).path
    }

    public init(path: String) throws(ClassifierError) {
        guard FileManager.default.fileExists(atPath: path) else {
            throw Self.missing(path)
        }
        // libtorch has functions of the same names as OpenBLAS and oneDNN. Those of the plug-in stay
        // with it (local), and it takes its own before the program's (deepbind).
        let absolute = path.contains("/") ? path : "./" + path
        guard let handle = dlopen(absolute, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) else {
            throw .unsupported(
                what: "\(path) cannot be loaded: \(Self.loaderMessage)",
                remedy: "it needs the PyTorch that it was built with, where it was then; "
                    + "\(Self.buildRemedy) again on this machine")
        }
        guard let symbol = dlsym(handle, "alsweep_torch") else {
            throw .unsupported(
                what: "\(path) is not alsweep's plug-in: it has no function alsweep_torch",
                remedy: "\(Self.buildRemedy), and name it by \(Self.pathVariable)")
        }
        typealias Entry = @convention(c) () -> UnsafePointer<alsweep_torch_interface>?
        guard let plugIn = unsafeBitCast(symbol, to: Entry.self)() else {
            throw .unsupported(
                what: "\(path) offers no functions", remedy: "\(Self.buildRemedy) again")
        }
        // Of another version nothing but the first number may be read.
        let version = UnsafeRawPointer(plugIn).load(as: UInt32.self)
        guard version == ALSWEEP_TORCH_VERSION else {
            throw .unsupported(
                what: "\(path) was built for version \(version) of the plug-in's interface; this "
                    + "alsweep has version \(ALSWEEP_TORCH_VERSION)",
                remedy: "\(Self.buildRemedy) of this alsweep's version")
        }
        self.path = path
        self.plugIn = plugIn.pointee
        torchVersion = String(cString: plugIn.pointee.torch_version)
        hasCUDA = plugIn.pointee.has_cuda != 0
        guard Self.isRecent(torchVersion) else {
            throw .unsupported(
                what: "\(path) was built with PyTorch \(torchVersion), which is too old",
                remedy:
                    "install PyTorch \(Self.oldestTorch.major).\(Self.oldestTorch.minor) or later, "
                    + "and \(Self.buildRemedy) again")
        }
    }

    /// What is said where there is no such file.
    public static func missing(_ path: String) -> ClassifierError {
        .unsupported(
            what: "engine torch needs its plug-in, and there is no file \(path)",
            remedy: "\(buildRemedy), beside alsweep or named by \(pathVariable)")
    }

    private static func isRecent(_ version: String) -> Bool {
        let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) >= oldestTorch
    }

    private static var loaderMessage: String {
        dlerror().map { String(cString: $0) } ?? "the loader does not say why"
    }
}

extension TorchLibrary {
    /// Throws what a call's status stands for.
    func check(_ status: Int32, _ call: String) throws(ClassifierError) {
        guard status != Int32(ALSWEEP_TORCH_OK) else { return }
        let problem = plugIn.last_error().map { String(cString: $0) } ?? "it does not say why"
        switch status {
        case Int32(ALSWEEP_TORCH_OUT_OF_MEMORY): throw .outOfGPUMemory(problem: problem)
        case Int32(ALSWEEP_TORCH_NO_DEVICE):
            throw .unsupported(
                what: "engine torch finds no GPU: \(problem)",
                remedy: (hasCUDA
                    ? "see whether nvidia-smi lists one and CUDA_VISIBLE_DEVICES names it"
                    : "\(Self.buildRemedy) against a PyTorch with CUDA")
                    + "; \(TorchDevice.variable)=cpu computes on the CPU, slowly")
        case Int32(ALSWEEP_TORCH_UNSUPPORTED):
            throw .unsupported(
                what: "engine torch cannot compute as asked: \(problem)",
                remedy: "ask for precision float32")
        default: throw .plugIn(call: call, problem: problem)
        }
    }

    /// Throws unless the device is there and has the precision.
    public func examine(_ device: TorchDevice, _ precision: Precision) throws(ClassifierError) {
        try check(plugIn.examine(device.number, precision.torchNumber), "examine")
    }

    /// What the bits of a result depend on beside what `numericPlatform` tells.
    public func numericPlatform(_ device: TorchDevice) throws(ClassifierError) -> String {
        let name = try name(of: device)
        return "PyTorch \(torchVersion) on \(name)"
            + (TorchEngine.isDeterministicByDefault ? "" : ", not deterministic")
    }

    /// As in `NVIDIA H100 80GB HBM3`, or `CPU`.
    public func name(of device: TorchDevice) throws(ClassifierError) -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        try check(plugIn.device_name(device.number, &bytes, Int64(bytes.count)), "device_name")
        return bytes.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}

/// Where libtorch computes.
public enum TorchDevice: String, Hashable, Sendable, CaseIterable {
    case cpu
    /// The first GPU that the process sees.
    case cuda

    /// Chooses one. The CPU must be asked for: a machine whose GPU is not found must not compute for days
    /// on its CPU instead.
    public static let variable = "ALSWEEP_TORCH_DEVICE"

    /// The one that the environment asks for.
    public static func chosen(
        in environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ClassifierError) -> TorchDevice {
        guard let word = environment[variable], !word.isEmpty else { return .cuda }
        guard let device = TorchDevice(rawValue: word) else {
            throw .unsupported(
                what: "\(variable) is '\(word)'",
                remedy: "it is cuda, for the first GPU that alsweep sees, or cpu")
        }
        return device
    }

    var number: Int32 {
        switch self {
        case .cpu: Int32(ALSWEEP_TORCH_CPU)
        case .cuda: Int32(ALSWEEP_TORCH_CUDA)
        }
    }
}

extension Precision {
    var torchNumber: Int32 {
        switch self {
        case .float32: Int32(ALSWEEP_TORCH_FLOAT32)
        case .bfloat16: Int32(ALSWEEP_TORCH_BFLOAT16)
        case .tf32: Int32(ALSWEEP_TORCH_TF32)
        }
    }
}
