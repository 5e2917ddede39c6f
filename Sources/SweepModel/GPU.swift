/// A GPU as its driver describes it.
public struct GPU: Codable, Hashable, Sendable {
    /// The driver's number of it, in the order of the PCI bus.
    public var index: Int
    /// Names it wherever it is plugged in: `GPU-` and 32 hexadecimal digits in five groups.
    public var uuid: String
    /// Of its model.
    public var name: String
    /// The driver does not tell some of these of every GPU: then they are nil.
    public var memoryTotalMiB: Int?
    public var memoryUsedMiB: Int?
    public var memoryFreeMiB: Int?
    /// The share of the last second or less in which a kernel ran.
    public var utilisationPercent: Int?

    public init(
        index: Int, uuid: String, name: String, memoryTotalMiB: Int? = nil,
        memoryUsedMiB: Int? = nil, memoryFreeMiB: Int? = nil, utilisationPercent: Int? = nil
    ) {
        self.index = index
        self.uuid = uuid
        self.name = name
        self.memoryTotalMiB = memoryTotalMiB
        self.memoryUsedMiB = memoryUsedMiB
        self.memoryFreeMiB = memoryFreeMiB
        self.utilisationPercent = utilisationPercent
    }

    enum CodingKeys: String, CodingKey {
        case index, uuid, name
        case memoryTotalMiB = "memory_total_mib"
        case memoryUsedMiB = "memory_used_mib"
        case memoryFreeMiB = "memory_free_mib"
        case utilisationPercent = "utilisation_percent"
    }
}
