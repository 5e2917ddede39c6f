/// The last transitions of a deep Q-network: a ring whose oldest entry is overwritten.
struct ReplayBuffer: Hashable, Sendable {
    static let capacity = 10_000

    /// Values of one state.
    let stateLength: Int
    /// `(count, stateLength)`, row-major.
    private(set) var states: [Float] = []
    /// 1 for a picked sample, 0 for another.
    private(set) var actions: [UInt8] = []
    private(set) var rewards: [Float] = []
    /// Where the next transition goes once the ring is full.
    private(set) var head = 0

    init(stateLength: Int) { self.stateLength = stateLength }

    /// Continues from saved contents; nil if they do not fit together.
    init?(stateLength: Int, states: [Float], actions: [UInt8], rewards: [Float], head: Int) {
        guard actions.count <= Self.capacity, rewards.count == actions.count,
            states.count == actions.count * stateLength, actions.allSatisfy({ $0 <= 1 }),
            head == 0 || (0..<Self.capacity).contains(head) && actions.count == Self.capacity
        else { return nil }
        self.stateLength = stateLength
        self.states = states
        self.actions = actions
        self.rewards = rewards
        self.head = head
    }

    var count: Int { actions.count }

    /// - Parameter state: `stateLength` values.
    mutating func append(_ state: ArraySlice<Float>, action: UInt8, reward: Float) {
        precondition(state.count == stateLength, "a state of another length")
        precondition(action == 1 || (action == 0 && reward == 0), "only a pick earns a reward")
        guard count == Self.capacity else {
            states.append(contentsOf: state)
            actions.append(action)
            rewards.append(reward)
            return
        }
        states.replaceSubrange(head * stateLength..<(head + 1) * stateLength, with: state)
        actions[head] = action
        rewards[head] = reward
        head = (head + 1) % Self.capacity
    }

    /// The transitions at some positions, as a batch.
    func batch(_ indices: [Int]) -> QBatch {
        var batch = QBatch(states: [], actions: [], rewards: [])
        batch.states.reserveCapacity(indices.count * stateLength)
        for index in indices {
            batch.states += states[index * stateLength..<(index + 1) * stateLength]
            batch.actions.append(actions[index])
            batch.rewards.append(rewards[index])
        }
        return batch
    }
}

/// Transitions that the Q-network learns from in one step.
struct QBatch: Hashable, Sendable {
    /// `(count, stateLength)`, row-major.
    var states: [Float]
    /// 0 or 1.
    var actions: [UInt8]
    var rewards: [Float]

    var count: Int { actions.count }
}
