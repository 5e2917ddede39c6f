import Agent
import SweepModel

/// GPUs, and the others who use their memory.
extension World {
    /// Of every trial.
    private static let memoryMiB = 4_096

    func gpuOptions(_ node: Int) -> GPUOptions? {
        let machine = workers[node].machine
        guard machine.gpuCount > 0 else { return nil }
        return GPUOptions(
            gpus: gpus(of: node), slotsPerGPU: machine.slotsPerGPU,
            memoryPerTrialMiB: Self.memoryMiB)
    }

    /// As much memory as the slots need, and that of half a trial more.
    private func gpus(of node: Int) -> [GPU] {
        let machine = workers[node].machine
        return (0..<machine.gpuCount).map { index in
            let total = machine.slotsPerGPU * Self.memoryMiB + Self.memoryMiB / 2
            let used = min(total, usedMemory(on: index, of: node) * Self.memoryMiB)
            return GPU(
                index: index, uuid: "GPU-\(node)-\(index)", name: "simulated",
                memoryTotalMiB: total, memoryUsedMiB: used, memoryFreeMiB: total - used)
        }
    }

    private func usedMemory(on gpu: Int, of node: Int) -> Int {
        workers[node].takenMemory[gpu] + workers[node].children.count { $0.gpu == gpu }
    }

    func lacksMemory(on gpu: Int?, of node: Int) -> Bool {
        guard let gpu else { return false }
        return usedMemory(on: gpu, of: node) > workers[node].machine.slotsPerGPU
    }

    /// The driver does not answer every time.
    mutating func lookAtGPUs(of node: Int) {
        guard workers[node].machine.gpuCount > 0, !draws.happens(perMille: isMended ? 0 : 100)
        else { return }
        handle(.gpusSeen(gpus(of: node)), at: node)
    }

    /// Somebody else takes memory, or gives it back: who asks for more then may lack it.
    mutating func takeMemory(on node: Int) {
        guard workers[node].machine.gpuCount > 0 else { return }
        let gpu = draws.below(workers[node].machine.gpuCount)
        let taken = draws.number(in: 0...workers[node].machine.slotsPerGPU)
        workers[node].takenMemory[gpu] = taken
        trace.note(
            now, "machine \(node)", "others use the memory of \(taken) trials on its GPU \(gpu)")
        let tenants = workers[node].children.filter {
            $0.gpu == gpu && !$0.isStopping && !$0.isHung
        }
        guard lacksMemory(on: gpu, of: node), !tenants.isEmpty else { return }
        advance(node, draws.pick(tenants).serial, .fail(.outOfGPUMemory))
    }
}
