import SweepModel

/// (x/255 − mean)/standard deviation, channel by channel.
public struct Normalization: Hashable, Sendable {
    /// Red, green, blue, of pixels in 0...1.
    public var mean: [Float]
    public var standardDeviation: [Float]

    /// The study's constants.
    public init(of name: DatasetName) {
        switch name {
        case .cifar10, .cifar100:
            mean = [0.4914, 0.4822, 0.4465]
            standardDeviation = [0.2023, 0.1994, 0.2010]
        case .fashionmnist:
            mean = [0.2860, 0.2860, 0.2860]
            standardDeviation = [0.3530, 0.3530, 0.3530]
        }
    }

    /// The normalised value of every byte.
    public func table(ofChannel channel: Int) -> [Float] {
        (0...255).map { (Float($0) / 255 - mean[channel]) / standardDeviation[channel] }
    }
}
