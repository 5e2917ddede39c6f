import SweepModel

/// What `nvidia-smi` tells of a machine's GPUs.
public struct GPUListing: Hashable, Sendable {
    /// In the order of their numbers.
    public var gpus: [GPU] = []
    /// The numbers of those that are partitioned (MIG): their memory is not one trial's to use.
    public var partitioned: Set<Int> = []
    /// Lines that are not a GPU's, such as warnings, and of GPUs that do not answer.
    public var remarks: [String] = []

    /// What is asked, in this order: a name may hold anything, and comes last.
    static let fields = [
        "index", "uuid", "memory.total", "memory.used", "memory.free", "utilization.gpu",
        "mig.mode.current", "name",
    ]

    /// The program whose output is read; it comes with NVIDIA's driver.
    static let program = "nvidia-smi"
    static let arguments = [
        "--query-gpu=" + fields.joined(separator: ","), "--format=csv,noheader,nounits",
    ]

    /// - Parameter output: lines of fields parted by commas, with remarks among them.
    /// - Throws: `unreadable` where there are lines and none of them is a GPU's, `noGPU` where
    ///   there is none.
    public init(parsing output: String) throws(GPUError) {
        for line in output.split(whereSeparator: \.isNewline) {
            let text = line.trimmed
            guard !text.isEmpty else { continue }
            guard let (gpu, isPartitioned) = Self.gpu(text),
                !gpus.contains(where: { $0.index == gpu.index || $0.uuid == gpu.uuid })
            else {
                remarks.append(String(text))
                continue
            }
            gpus.append(gpu)
            if isPartitioned { partitioned.insert(gpu.index) }
        }
        if gpus.isEmpty {
            guard let remark = remarks.first, !remark.hasPrefix("No devices were found") else {
                throw .noGPU
            }
            throw .unreadable(line: String(remark.prefix(200)))
        }
        gpus.sort { $0.index < $1.index }
    }

    /// nil where a number or a name of it is missing, as in the last line of an output that broke off.
    private static func gpu(_ line: Substring) -> (GPU, isPartitioned: Bool)? {
        let parts = line.split(
            separator: ",", maxSplits: fields.count - 1, omittingEmptySubsequences: false
        ).map(\.trimmed)
        guard parts.count == fields.count, let index = Int(parts[0]), index >= 0,
            parts[1].hasPrefix("GPU-"), !parts[7].isEmpty
        else { return nil }
        let gpu = GPU(
            index: index, uuid: String(parts[1]), name: String(parts[7]),
            memoryTotalMiB: amount(parts[2]), memoryUsedMiB: amount(parts[3]),
            memoryFreeMiB: amount(parts[4]),
            utilisationPercent: amount(parts[5]).map { min($0, 100) })
        return (gpu, parts[6] == "Enabled")
    }

    /// What a driver does not know it tells in brackets: `[N/A]`, `[Not Supported]`, `[GPU is lost]`.
    private static func amount(_ text: Substring) -> Int? {
        guard let amount = Int(text), amount >= 0 else { return nil }
        return amount
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
