import GPUs
import SweepModel
import Yams

extension ClusterFile {
    static let gpuKeys = ["gpus", "slots_per_gpu", "gpu_memory"]

    /// Where a group names the GPUs of its machines: `all`, numbers, or UUIDs.
    func namedGPUs(_ fields: YAMLMapping) throws(SweepFileError) -> GPUSetup? {
        try gpus(fields, at: fields["gpus"]) { node throws(SweepFileError) in
            let items = node.sequence.map(Array.init) ?? [node]
            // A number alone could be one of them or how many.
            let isNumber = node.sequence == nil && node.scalar.flatMap { Int($0.string) } != nil
            let names = items.compactMap { $0.scalar?.string }
            guard !isNumber, names.count == items.count,
                let selection = GPUSelection(names.joined(separator: ","))
            else {
                throw error(
                    "gpus is '\(node.text)'; it is all, or a list of the machine's GPUs", at: node,
                    hint: "write: gpus: [0, 1]")
            }
            return selection
        }
    }

    /// Where a scheduler gives a worker its GPUs: how many.
    ///
    /// - Parameter given: those that the group asks for in another way.
    func countedGPUs(
        _ fields: YAMLMapping, given: Int?
    ) throws(SweepFileError) -> (setup: GPUSetup?, count: Int?) {
        var count = given
        if let node = fields["gpus"] {
            guard given == nil else {
                throw error(
                    "gpus and gres both ask for GPUs", at: node,
                    hint: "leave gpus out; the worker uses all that its job is given")
            }
            count = try integer(node, what: "gpus", in: 1...GPUSelection.maximumCount)
        }
        let setup = try gpus(fields, at: fields["gpus"], isGiven: given != nil) { _ in .all }
        return (setup, count)
    }

    private func gpus(
        _ fields: YAMLMapping, at node: Node?, isGiven: Bool = false,
        selection: (Node) throws(SweepFileError) -> GPUSelection
    ) throws(SweepFileError) -> GPUSetup? {
        var setup: GPUSetup?
        if let node {
            setup = GPUSetup(try selection(node))
        } else if isGiven {
            setup = GPUSetup(.all)
        }
        if let slots = fields["slots"], setup != nil {
            throw error(
                "slots are a worker's on processors", at: slots,
                hint: "write slots_per_gpu for trials at the same time on one GPU")
        }
        for key in ["slots_per_gpu", "gpu_memory"] {
            guard let node = fields[key] else { continue }
            guard setup != nil else {
                throw error("\(key) needs gpus", at: node, hint: "write which, or how many")
            }
            if key == "gpu_memory" {
                setup!.memoryMiB = try integer(node, what: "gpu_memory", in: 1...100_000_000)
            } else {
                setup!.slotsPerGPU = try integer(node, what: "slots_per_gpu", in: 1...256)
            }
        }
        return setup
    }
}
