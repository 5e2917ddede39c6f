import Classifier
import Testing

@Suite("The network is described once, with PyTorch's names")
struct ResNet18Tests {
    @Test("it has 11,173,962 parameters at width 64 with 10 classes")
    func parameterCount() {
        #expect(ResNet18(width: 64, classes: 10).parameterCount == 11_173_962)
        // 90 more rows of 512 weights and a bias.
        #expect(ResNet18(width: 64, classes: 100).parameterCount == 11_173_962 + 90 * 513)
    }

    @Test("a trained image at width 64 takes 3.34 GFLOP")
    func operations() {
        // Per image, by hand: the stem 1.77 M multiply-adds, four 3x3 convolutions of 37.7 M in
        // every stage (half as many in the first of stages 2 to 4), three shortcuts of 2.1 M.
        let firstStage = 4 * 37_748_736.0
        let laterStage = 3.5 * 37_748_736.0 + 2_097_152.0
        let multiplyAdds = 1_769_472.0 + firstStage + 3.0 * laterStage + 5_120.0
        let network = ResNet18(width: 64, classes: 10)
        #expect(network.operationsPerImage == 2 * multiplyAdds)
        #expect(abs(3 * network.operationsPerImage / 1e9 - 3.34) < 0.01)
    }

    @Test("names, shapes and order are those of the oracle's state_dict")
    func entries() throws {
        let oracle = try OracleVectors()
        for entry in oracle.network.entries {
            let stored = try #require(oracle.file.entry("initial." + entry.name))
            #expect(stored.shape == entry.shape, "\(entry.name)")
            #expect((stored.type == .int64) == (entry.role == .batchCount), "\(entry.name)")
        }
        let count = oracle.file.entries.count { $0.name.hasPrefix("initial.") }
        #expect(oracle.network.entries.count == count)
        #expect(
            oracle.network.entries.map(\.name).prefix(7) == [
                "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
                "bn1.num_batches_tracked", "layer1.0.conv1.weight",
            ])
        #expect(oracle.network.entries.last?.name == "linear.bias")
    }

    @Test("only the first block of stages 2 to 4 has a shortcut, with stride 2")
    func shortcuts() {
        let blocks = ResNet18(width: 16, classes: 10).blocks
        #expect(
            blocks.map { $0.shortcut != nil } == [
                false, false, true, false, true, false, true, false,
            ])
        #expect(blocks.map(\.first.convolution.stride) == [1, 1, 2, 1, 2, 1, 2, 1])
        #expect(blocks.compactMap(\.shortcut?.convolution.kernel) == [1, 1, 1])
        #expect(blocks.map(\.second.convolution.outputSide) == [32, 32, 16, 16, 8, 8, 4, 4])
        #expect(blocks.last?.second.convolution.outputChannels == 128)
    }

    @Test("a new network is uniform in ±1/√fan_in, with neutral batch norms", arguments: 1...3)
    func initialState(seed: UInt64) throws {
        let network = ResNet18(width: 16, classes: 10)
        let state = network.initialState(seed: seed)
        try state.check(against: network)
        for entry in network.entries {
            let tensor = try #require(state[entry.name])
            switch entry.role {
            case .weight(let fanIn):
                let bound = 1 / Double(fanIn).squareRoot()
                let values = try #require(tensor.floats).map(Double.init)
                #expect(values.allSatisfy { abs($0) <= bound * (1 + 1e-6) }, "\(entry.name)")
                guard values.count > 400 else { continue }
                // Variance of a uniform distribution on ±b is b²/3.
                let variance = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
                #expect(abs(variance * 3 / (bound * bound) - 1) < 0.25, "\(entry.name)")
            case .scale, .runningVariance:
                #expect(tensor.floats?.allSatisfy { $0 == 1 } == true, "\(entry.name)")
            case .shift, .runningMean:
                #expect(tensor.floats?.allSatisfy { $0 == 0 } == true, "\(entry.name)")
            case .batchCount:
                #expect(tensor.integers == [0], "\(entry.name)")
            }
        }
        #expect(network.initialState(seed: seed + 10) != state)
    }

    @Test("the fan-in is the number of inputs of one output")
    func fanIn() {
        let roles = Dictionary(
            uniqueKeysWithValues: ResNet18(width: 64, classes: 10).entries.map {
                ($0.name, $0.role)
            })
        #expect(roles["conv1.weight"] == .weight(fanIn: 27))
        #expect(roles["layer4.1.conv2.weight"] == .weight(fanIn: 4608))
        #expect(roles["layer2.0.shortcut.0.weight"] == .weight(fanIn: 64))
        #expect(roles["linear.bias"] == .weight(fanIn: 512))
    }
}
