extension Record: Codable {
    /// The kind of a record as it stands in the journal.
    public enum Kind: String, Codable, CaseIterable, Sendable {
        case sweepSubmitted = "sweep_submitted"
        case sweepExtended = "sweep_extended"
        case seedsAdded = "seeds_added"
        case coordinatorStarted = "coordinator_started"
        case stepsChosen = "steps_chosen"
        case trialAdded = "trial_added"
        case attemptStarted = "attempt_started"
        case cycleAccepted = "cycle_accepted"
        case cycleDisputed = "cycle_disputed"
        case attemptEnded = "attempt_ended"
        case trialFinished = "trial_finished"
        case trialFailed = "trial_failed"
        case pauseSet = "pause_set"
        case trialCancelled = "trial_cancelled"
        case trialRetried = "trial_retried"
        case prioritySet = "priority_set"
        case drainSet = "drain_set"
    }

    private enum CodingKeys: String, CodingKey {
        case kind
        case content
    }

    public var kind: Kind {
        switch self {
        case .sweepSubmitted: .sweepSubmitted
        case .sweepExtended: .sweepExtended
        case .seedsAdded: .seedsAdded
        case .coordinatorStarted: .coordinatorStarted
        case .stepsChosen: .stepsChosen
        case .trialAdded: .trialAdded
        case .attemptStarted: .attemptStarted
        case .cycleAccepted: .cycleAccepted
        case .cycleDisputed: .cycleDisputed
        case .attemptEnded: .attemptEnded
        case .trialFinished: .trialFinished
        case .trialFailed: .trialFailed
        case .pauseSet: .pauseSet
        case .trialCancelled: .trialCancelled
        case .trialRetried: .trialRetried
        case .prioritySet: .prioritySet
        case .drainSet: .drainSet
        }
    }

    /// The trial that the record is about, if it is about one.
    public var trial: TrialID? {
        switch self {
        case .sweepSubmitted, .sweepExtended, .seedsAdded, .coordinatorStarted, .stepsChosen,
            .pauseSet, .drainSet:
            nil
        case .trialAdded(let content): content.configuration.id
        case .attemptStarted(let content): content.trial
        case .cycleAccepted(let content), .cycleDisputed(let content): content.trial
        case .attemptEnded(let content): content.trial
        case .trialFinished(let content): content.trial
        case .trialFailed(let content): content.trial
        case .trialCancelled(let trial), .trialRetried(let trial): trial
        case .prioritySet(let content): content.trial
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func content<Content: Decodable>(_ type: Content.Type = Content.self) throws -> Content {
            try container.decode(Content.self, forKey: .content)
        }
        self =
            switch try container.decode(Kind.self, forKey: .kind) {
            case .sweepSubmitted: .sweepSubmitted(try content())
            case .sweepExtended: .sweepExtended(try content())
            case .seedsAdded: .seedsAdded(try content())
            case .coordinatorStarted: .coordinatorStarted(epoch: try content())
            case .stepsChosen: .stepsChosen(try content())
            case .trialAdded: .trialAdded(try content())
            case .attemptStarted: .attemptStarted(try content())
            case .cycleAccepted: .cycleAccepted(try content())
            case .cycleDisputed: .cycleDisputed(try content())
            case .attemptEnded: .attemptEnded(try content())
            case .trialFinished: .trialFinished(try content())
            case .trialFailed: .trialFailed(try content())
            case .pauseSet: .pauseSet(try content())
            case .trialCancelled: .trialCancelled(try content())
            case .trialRetried: .trialRetried(try content())
            case .prioritySet: .prioritySet(try content())
            case .drainSet: .drainSet(try content())
            }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kind, forKey: .kind)
        switch self {
        case .sweepSubmitted(let content): try container.encode(content, forKey: .content)
        case .sweepExtended(let content): try container.encode(content, forKey: .content)
        case .seedsAdded(let content): try container.encode(content, forKey: .content)
        case .coordinatorStarted(let epoch): try container.encode(epoch, forKey: .content)
        case .stepsChosen(let content): try container.encode(content, forKey: .content)
        case .trialAdded(let content): try container.encode(content, forKey: .content)
        case .attemptStarted(let content): try container.encode(content, forKey: .content)
        case .cycleAccepted(let content), .cycleDisputed(let content):
            try container.encode(content, forKey: .content)
        case .attemptEnded(let content): try container.encode(content, forKey: .content)
        case .trialFinished(let content): try container.encode(content, forKey: .content)
        case .trialFailed(let content): try container.encode(content, forKey: .content)
        case .pauseSet(let isPaused): try container.encode(isPaused, forKey: .content)
        case .trialCancelled(let trial), .trialRetried(let trial):
            try container.encode(trial, forKey: .content)
        case .prioritySet(let content): try container.encode(content, forKey: .content)
        case .drainSet(let content): try container.encode(content, forKey: .content)
        }
    }
}
