import Agent
import Foundation
import SweepModel

extension ChildLine {
    /// The line, without its end.
    public func encoded() -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return String(decoding: try! encoder.encode(self), as: UTF8.self)
    }

    /// nil if the line is none of these.
    public init?(_ line: some Collection<UInt8>) {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let value = try? decoder.decode(ChildLine.self, from: Data(line)) else { return nil }
        self = value
    }
}

/// What an agent tells a trial's process: first the task, as one JSON line. The end of the input
/// means that the agent is gone, and the process ends at once.
public struct ChildTask: Codable, Hashable, Sendable {
    public var configuration: TrialConfiguration
    /// Where the final model goes.
    public var modelPath: String
    /// Where the state after every cycle goes, and is taken up from.
    public var checkpointPath: String
    /// Where classifiers are shared with other trials; nil for nowhere.
    public var classifierFolder: String?
    /// Where datasets are looked for first; nil for the usual places.
    public var dataFolder: String?

    public init(
        configuration: TrialConfiguration, modelPath: String, checkpointPath: String,
        classifierFolder: String?, dataFolder: String?
    ) {
        self.configuration = configuration
        self.modelPath = modelPath
        self.checkpointPath = checkpointPath
        self.classifierFolder = classifierFolder
        self.dataFolder = dataFolder
    }
}
