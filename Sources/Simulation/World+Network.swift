import Coordinator
import SweepModel
import Wire

extension World {
    /// What the shell does with a message: to a peer that it does not know, or that it finds gone, it
    /// is undelivered; otherwise the network has it.
    mutating func deliver(_ message: Message, to worker: WorkerID) {
        guard coordinator.peers.contains(worker), let node = nodes[worker] else {
            return tell(.undelivered(message, to: worker))
        }
        let isGone = workers[node].id != worker || workers[node].agent == nil
        let isCut = now < workers[node].cutFromCoordinator
        if isGone || isCut {
            // A dead connection is noticed late.
            if draws.flip() { return tell(.undelivered(message, to: worker)) }
            if isGone || draws.flip() { return }
        }
        let floor = isCut ? workers[node].cutFromCoordinator - now : 0
        let epoch = coordinator.machine!.inner.history.epoch
        for delay in delays(of: message) {
            plan(
                .messageForWorker(message, epoch: epoch, node: node, to: worker),
                after: floor + delay)
        }
    }

    mutating func sendToCoordinator(_ message: Message, from node: Int) {
        let isCut = now < workers[node].cutToCoordinator
        // What waits in the sockets during a partition may arrive after it.
        if isCut && draws.flip() { return }
        let floor = isCut ? workers[node].cutToCoordinator - now : 0
        for delay in delays(of: message) {
            plan(.messageForCoordinator(message, from: workers[node].id), after: floor + delay)
        }
    }

    /// One per copy that arrives.
    private mutating func delays(of message: Message) -> [Int64] {
        if draws.happens(perMille: network.damagedPerMille) { checkDamage(message) }
        if draws.happens(perMille: network.lostPerMille) { return [] }
        var delays = [delay()]
        while delays.count < 4, draws.happens(perMille: network.repeatedPerMille) {
            delays.append(delay())
        }
        return delays
    }

    private mutating func delay() -> Int64 {
        let isLong = draws.happens(perMille: network.delayedPerMille)
        return draws.milliseconds(in: 1...(isLong ? network.longestDelayMs : network.usualDelayMs))
    }

    /// A byte of the message changes on its way: the codec has to notice.
    private mutating func checkDamage(_ message: Message) {
        let header = Header(run: "simulated", epoch: 1, worker: WorkerID("w"), messageNumber: 1)
        let sent = FrameMessage(
            type: message.type.rawValue, header: header.bytes(), body: message.body())
        var frames = sent.encode()
        if let received = try? FrameMessage(frames: frames),
            (try? Message(type: received.type, body: received.body))?.traceText != message.traceText
        {
            checker.fail(.damage, "changed without damage: \(message.traceText)", at: now)
        }
        let part = draws.below(frames.count)
        let place = draws.below(frames[part].count)
        frames[part][place] ^= UInt8(1 << draws.below(8))
        // The minor version is free to differ, but the checksum covers it.
        guard (try? FrameMessage(frames: frames)) == nil else {
            return checker.fail(
                .damage, "byte \(place) of frame \(part) was changed in: \(message.traceText)",
                at: now)
        }
    }
}
