import SweepModel
import Wire

/// The GPUs that a worker runs its trials on, instead of processors.
public struct GPUOptions: Hashable, Sendable {
    /// As they were when the worker began.
    public var gpus: [GPU]
    public var slotsPerGPU: Int
    /// Free memory that a GPU must have before a trial is started on it; nil is `defaultMemoryMiB`, or
    /// nine tenths of a slot's part of the GPU if that is less.
    public var memoryPerTrialMiB: Int?

    /// The study's network with its images takes less.
    public static let defaultMemoryMiB = 4_096

    public init(gpus: [GPU], slotsPerGPU: Int, memoryPerTrialMiB: Int? = nil) {
        self.gpus = gpus
        self.slotsPerGPU = slotsPerGPU
        self.memoryPerTrialMiB = memoryPerTrialMiB
    }

    public var slots: Int { gpus.count * slotsPerGPU }
}

/// Which trial runs on which GPU, and how many more may.
///
/// A GPU takes a trial only if it was seen not long ago, has the memory, and fewer trials than its
/// slots. Where a trial lacked memory it has fewer slots for a while.
struct GPUSlots: Hashable, Sendable {
    /// What was seen of a GPU longer ago does not count.
    static let staleMs: Int64 = 60_000
    /// After a lack of memory it takes so long until one slot more is tried, and twice as long each
    /// time it happens again.
    static let firstRestMs: Int64 = 600_000
    static let longestRestMs: Int64 = 3_600_000

    struct Tenant: Hashable, Sendable {
        let lease: Lease
        /// Since when it has all the memory that it will need: it has trained for an epoch.
        var settledAt: Int64?
        /// Nothing else used the GPU's memory since it began.
        var isAlone: Bool
        /// It lacked memory, and is about to end.
        var isLeaving = false
    }

    struct Device: Hashable, Sendable {
        var gpu: GPU
        var seenAt: Int64
        /// Trials that may run on it at the same time.
        var slots: Int
        var tenants: [Tenant] = []
        var restMs = GPUSlots.firstRestMs
        /// When it is tried with one slot more, or at all.
        var restEnds: Int64?
        /// It lacked memory for a single trial, because others use it.
        var isClosed = false
    }

    private(set) var devices: [Device]
    private let slotsPerGPU: Int
    private let memoryPerTrialMiB: Int?

    init(_ options: GPUOptions, at now: Int64) {
        slotsPerGPU = options.slotsPerGPU
        memoryPerTrialMiB = options.memoryPerTrialMiB
        devices = options.gpus.map { Device(gpu: $0, seenAt: now, slots: options.slotsPerGPU) }
    }

    /// Trials that could be started now.
    func vacancies(at now: Int64) -> Int {
        devices.reduce(0) { $0 + vacancies(on: $1, at: now) }
    }

    private func vacancies(on device: Device, at now: Int64) -> Int {
        guard !device.isClosed, now - device.seenAt <= Self.staleMs else { return 0 }
        let free = max(0, device.slots - device.tenants.count)
        // A driver that does not tell is believed to have enough.
        guard let memory = device.gpu.memoryFreeMiB, let need = need(on: device) else {
            return free
        }
        // What has just begun will still take its part of the memory that was seen free.
        let arriving = device.tenants.count { $0.settledAt.map { $0 >= device.seenAt } ?? true }
        return min(free, max(0, memory / need - arriving))
    }

    private func need(on device: Device) -> Int? {
        if let memoryPerTrialMiB { return memoryPerTrialMiB }
        guard let total = device.gpu.memoryTotalMiB else { return nil }
        return max(1, min(GPUOptions.defaultMemoryMiB, total / slotsPerGPU * 9 / 10))
    }

    /// Finds the trial a GPU: the one with the fewest trials, then the most free memory.
    mutating func enter(_ lease: Lease, at now: Int64) -> GPU? {
        let candidates = devices.indices.filter { vacancies(on: devices[$0], at: now) > 0 }
        func key(_ index: Int) -> (Int, Int, Int) {
            (devices[index].tenants.count, -(devices[index].gpu.memoryFreeMiB ?? 0), index)
        }
        guard let place = candidates.min(by: { key($0) < key($1) }) else { return nil }
        let isAlone = devices[place].tenants.isEmpty && !devices[place].isUsedByOthers
        for tenant in devices[place].tenants.indices {
            devices[place].tenants[tenant].isAlone = false
        }
        devices[place].tenants.append(Tenant(lease: lease, isAlone: isAlone))
        return devices[place].gpu
    }

    mutating func leave(_ lease: Lease) {
        for place in devices.indices { devices[place].tenants.removeAll { $0.lease == lease } }
    }

    mutating func settle(_ lease: Lease, at now: Int64) {
        guard let (place, tenant) = place(of: lease),
            devices[place].tenants[tenant].settledAt == nil
        else { return }
        devices[place].tenants[tenant].settledAt = now
    }

    /// The trial lacked memory: the GPU gets fewer slots for a while, as many as go on with theirs.
    ///
    /// - Returns: the GPU if the trial had all of it, and so would lack memory again.
    mutating func lackMemory(_ lease: Lease, at now: Int64) -> GPU? {
        guard let (place, tenant) = place(of: lease) else { return nil }
        if devices[place].tenants[tenant].isAlone { return devices[place].gpu }
        devices[place].tenants[tenant].isLeaving = true
        let others = devices[place].tenants.count { !$0.isLeaving }
        devices[place].slots = max(1, min(devices[place].slots, others))
        devices[place].isClosed = others == 0
        devices[place].restEnds = now + devices[place].restMs
        devices[place].restMs = min(Self.longestRestMs, 2 * devices[place].restMs)
        return nil
    }

    mutating func see(_ gpus: [GPU], at now: Int64) {
        for gpu in gpus {
            guard let place = devices.firstIndex(where: { $0.gpu.uuid == gpu.uuid }) else {
                continue
            }
            devices[place].gpu = gpu
            devices[place].seenAt = now
        }
    }

    mutating func passTime(until now: Int64) {
        for place in devices.indices {
            guard let end = devices[place].restEnds, now >= end else { continue }
            if devices[place].isClosed {
                devices[place].isClosed = false
            } else {
                devices[place].slots = min(slotsPerGPU, devices[place].slots + 1)
            }
            let isWhole = devices[place].slots == slotsPerGPU
            devices[place].restEnds = isWhole ? nil : now + devices[place].restMs
        }
    }

    /// For the coordinator's user: what was seen too long ago is not told.
    func loads(at now: Int64) -> [GPULoad] {
        devices.map { device in
            var gpu = device.gpu
            if now - device.seenAt > Self.staleMs {
                gpu = GPU(
                    index: gpu.index, uuid: gpu.uuid, name: gpu.name,
                    memoryTotalMiB: gpu.memoryTotalMiB)
            }
            return GPULoad(
                gpu: gpu, trials: device.tenants.count, slots: device.isClosed ? 0 : device.slots)
        }
    }

    private func place(of lease: Lease) -> (device: Int, tenant: Int)? {
        for place in devices.indices {
            if let tenant = devices[place].tenants.firstIndex(where: { $0.lease == lease }) {
                return (place, tenant)
            }
        }
        return nil
    }
}

extension GPUSlots.Device {
    /// Seen without trials of this worker: a display takes a little.
    fileprivate var isUsedByOthers: Bool {
        guard let free = gpu.memoryFreeMiB, let total = gpu.memoryTotalMiB else { return false }
        return free < total / 10 * 9
    }
}
