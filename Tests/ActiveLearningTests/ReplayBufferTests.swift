import Testing

@testable import ActiveLearning

@Suite struct ReplayBufferTests {
    private func buffer(holding count: Int) -> ReplayBuffer {
        var buffer = ReplayBuffer(stateLength: 2)
        for index in 0..<count {
            buffer.append(
                [Float(index), -Float(index)], action: UInt8(index % 2), reward: Float(index % 2))
        }
        return buffer
    }

    @Test("a full ring overwrites its oldest entries")
    func ring() {
        let buffer = buffer(holding: 10_003)
        #expect(buffer.count == 10_000)
        #expect(
            buffer.batch([0, 2, 3, 9_999]).states == [
                10_000, -10_000, 10_002, -10_002, 3, -3, 9_999, -9_999,
            ])
        #expect(buffer.batch([2, 3]).actions == [0, 1])
        #expect(buffer.batch([2, 3]).rewards == [0, 1])
    }

    @Test("a saved ring goes on where it was; what does not fit together is refused")
    func saved() {
        let full = buffer(holding: 10_003)
        func restored(_ buffer: ReplayBuffer, head: Int? = nil) -> ReplayBuffer? {
            ReplayBuffer(
                stateLength: 2, states: buffer.states, actions: buffer.actions,
                rewards: buffer.rewards, head: head ?? buffer.head)
        }
        #expect(restored(full) == full)
        #expect(restored(full, head: 10_000) == nil)
        let short = buffer(holding: 5)
        #expect(restored(short) == short)
        #expect(restored(short, head: 1) == nil)
        #expect(
            ReplayBuffer(stateLength: 2, states: [1], actions: [1], rewards: [1], head: 0) == nil)
        #expect(
            ReplayBuffer(stateLength: 1, states: [1], actions: [2], rewards: [1], head: 0) == nil)
    }

    @Test("training waits for a whole batch and takes as many steps as asked", arguments: [63, 64])
    func firstBatch(_ count: Int) {
        var stream = RandomStream(seed: 3, purpose: .qNetworkInitialisation, cycle: 1)
        let start = DQNState(network: QNetwork(stateLength: 2, from: &stream))
        var learner = start
        learner.buffer = buffer(holding: count)
        let draws = RandomStream(seed: 3, purpose: .replaySampling, cycle: 1)
        let losses = learner.train(5, drawing: draws, goOn: {})
        #expect(losses.count == (count < 64 ? 0 : 5))
        #expect((learner.network == start.network) == (count < 64))
        #expect(learner.optimizer.stepCount == losses.count)
    }

    @Test("zero gradient steps leave the network unchanged; more steps go on from fewer")
    func steps() {
        var stream = RandomStream(seed: 3, purpose: .qNetworkInitialisation, cycle: 1)
        var start = DQNState(network: QNetwork(stateLength: 2, from: &stream))
        start.buffer = buffer(holding: 100)
        let draws = RandomStream(seed: 3, purpose: .replaySampling, cycle: 1)
        var (none, few, many) = (start, start, start)
        #expect(none.train(0, drawing: draws, goOn: {}).isEmpty)
        #expect(none == start)
        let fewLosses = few.train(3, drawing: draws, goOn: {})
        let manyLosses = many.train(6, drawing: draws, goOn: {})
        #expect(Array(manyLosses.prefix(3)) == fewLosses)
        #expect(few.network != many.network)
    }
}
