import SweepModel

/// Which of a machine's GPUs a worker uses, as people write it: `all`, `0,1`, `GPU-8932f937`.
public enum GPUSelection: Hashable, Sendable, CustomStringConvertible {
    case all
    /// Numbers, or UUIDs of which as much is written as tells them apart.
    case named([String])

    public static let maximumCount = 64

    /// nil if the text is not written as one of these.
    public init?(_ text: String) {
        if text == "all" {
            self = .all
            return
        }
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard names.count <= Self.maximumCount, names.allSatisfy(Self.isName) else { return nil }
        self = .named(names)
    }

    private static func isName(_ text: String) -> Bool {
        text.wholeMatch(of: /[0-9]{1,4}|(GPU|MIG)-[0-9a-fA-F\/-]+/) != nil
    }

    public var description: String {
        switch self {
        case .all: "all"
        case .named(let names): names.joined(separator: ",")
        }
    }

    /// The GPUs that are meant.
    ///
    /// A job that was given some of a machine's GPUs finds them in `CUDA_VISIBLE_DEVICES`, whose numbers
    /// are taken as `nvidia-smi` counts. They are then all there are: numbers count from 0 within that
    /// list.
    ///
    /// - Parameter visible: the value of `CUDA_VISIBLE_DEVICES`; nil if it is not set.
    public func resolved(
        among listing: GPUListing, visible: String?
    ) throws(GPUError) -> [GPU] {
        let given = try visible.map { text throws(GPUError) in try Self.given(text, listing) }
        let there = given ?? listing.gpus
        var chosen: [GPU] = []
        switch self {
        case .all: chosen = there
        case .named(let names):
            for name in names {
                let gpu = try Self.find(name, in: there, listing, visible)
                guard !chosen.contains(gpu) else { throw .namedTwice(name: name) }
                chosen.append(gpu)
            }
        }
        for gpu in chosen where listing.partitioned.contains(gpu.index) {
            throw .partitioned(name: String(gpu.index))
        }
        return chosen
    }

    /// As CUDA reads the variable: what follows a name that is none does not count.
    private static func given(_ text: String, _ listing: GPUListing) throws(GPUError) -> [GPU] {
        var given: [GPU] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let name = part.filter { !$0.isWhitespace }
            if name.hasPrefix("MIG-") { throw .partitioned(name: name) }
            let found: GPU? =
                if let number = Int(name) {
                    listing.gpus.first { $0.index == number }
                } else {
                    only(name, in: listing.gpus)
                }
            guard let found, !given.contains(found) else { break }
            given.append(found)
        }
        guard !given.isEmpty else { throw .nothingGiven(given: text) }
        return given
    }

    private static func find(
        _ name: String, in there: [GPU], _ listing: GPUListing, _ visible: String?
    ) throws(GPUError) -> GPU {
        if name.hasPrefix("MIG-") { throw .partitioned(name: name) }
        if let number = Int(name) {
            if let visible {
                guard there.indices.contains(number) else {
                    throw .notGiven(name: name, given: visible)
                }
                return there[number]
            }
            if let gpu = there.first(where: { $0.index == number }) { return gpu }
        } else if let gpu = only(name, in: there) {
            return gpu
        } else if let visible, only(name, in: listing.gpus) != nil {
            throw .notGiven(name: name, given: visible)
        }
        throw .unknown(name: name, there: there)
    }

    /// The one whose UUID begins so.
    private static func only(_ prefix: String, in gpus: [GPU]) -> GPU? {
        guard prefix.hasPrefix("GPU-") else { return nil }
        let matches = gpus.filter { $0.uuid.lowercased().hasPrefix(prefix.lowercased()) }
        return matches.count == 1 ? matches[0] : nil
    }
}
