import Classifier
import Testing

@testable import ActiveLearning

@Suite struct QNetworkTests {
    /// Transitions, batches and what PyTorch's Adam made of them.
    struct Vectors {
        let file: Safetensors
        let stateLength: Int
        let transitions: QBatch
        /// Positions of the transitions, batch by batch.
        let batches: [[Int]]

        init(_ name: String) throws {
            file = try Safetensors(path: FixtureFiles.path(name))
            stateLength = file.entry("states")!.shape[1]
            transitions = QBatch(
                states: try file.floats("states"),
                actions: try file.integers("actions").map(UInt8.init),
                rewards: try file.floats("rewards"))
            let batchSize = file.entry("batches")!.shape[1]
            let positions = try file.integers("batches").map(Int.init)
            batches = stride(from: 0, to: positions.count, by: batchSize).map {
                Array(positions[$0..<$0 + batchSize])
            }
        }

        func network(_ prefix: String) throws -> QNetwork {
            let parameters = try QNetwork.tensorNames.flatMap {
                try file.floats("\(prefix).\($0)")
            }
            return QNetwork(stateLength: stateLength, parameters: parameters)
        }

        func batch(_ positions: [Int]) -> QBatch {
            QBatch(
                states: positions.flatMap {
                    transitions.states[$0 * stateLength..<($0 + 1) * stateLength]
                },
                actions: positions.map { transitions.actions[$0] },
                rewards: positions.map { transitions.rewards[$0] })
        }
    }

    @Test("there are vectors")
    func vectorsAreFound() { #expect(!FixtureFiles.qNetworkNames.isEmpty) }

    @Test("values and training agree with PyTorch's", arguments: FixtureFiles.qNetworkNames)
    func training(_ name: String) throws {
        let vectors = try Vectors(name)
        var network = try vectors.network("initial")
        var optimizer = Adam(parameterCount: network.parameters.count)
        let states = vectors.transitions.states
        let initial = network.values(of: states.span)
        #expect(
            relativeDifference(initial, try vectors.file.floats("initial_q"), scale: 1e-2) < 1e-4)

        let losses = vectors.batches.map { positions in
            let (loss, gradient) = network.gradient(of: vectors.batch(positions))
            optimizer.step(&network.parameters, gradient: gradient)
            return Float(loss)
        }
        #expect(relativeDifference(losses, try vectors.file.floats("losses"), scale: 1e-3) < 1e-4)
        let expected = try vectors.network("final").parameters
        #expect(relativeDifference(network.parameters, expected, scale: 1e-2) < 1e-4)
        let final = network.values(of: states.span)
        #expect(relativeDifference(final, try vectors.file.floats("final_q"), scale: 1e-2) < 1e-4)
        // The comparison can fail: training has moved the parameters far beyond its tolerance.
        let start = try vectors.network("initial").parameters
        #expect(relativeDifference(start, expected, scale: 1e-2) > 1e-2)
    }

    @Test("the gradient is that of finite differences")
    func finiteDifferences() {
        var stream = RandomStream(seed: 2, purpose: .qNetworkInitialisation, cycle: 1)
        let network = QNetwork(stateLength: 5, from: &stream)
        let batch = QBatch(
            states: (0..<4 * 5).map { _ in stream.uniform(within: 1) }, actions: [0, 1, 1, 0],
            rewards: [0, 1, 0, 0])
        let gradient = network.gradient(of: batch).gradient
        for layer in network.layers {
            for index in [
                layer.weights.lowerBound, layer.weights.upperBound - 1, layer.biases.lowerBound,
            ] {
                let step: Float = 1e-2
                var (above, below) = (network, network)
                above.parameters[index] += step
                below.parameters[index] -= step
                let rise = above.gradient(of: batch).loss - below.gradient(of: batch).loss
                let slope = Float(rise) / (2 * step)
                #expect(abs(slope - gradient[index]) < 1e-3 + 0.02 * abs(gradient[index]))
            }
        }
    }

    @Test("a new network is uniform in ±1/√inputs, layer by layer, biases too")
    func initialisation() {
        var stream = RandomStream(seed: 2, purpose: .qNetworkInitialisation, cycle: 1)
        let network = QNetwork(stateLength: 13, from: &stream)
        #expect(network.parameters.count == 13 * 128 + 128 + 128 * 128 + 128 + 128 * 2 + 2)
        for layer in network.layers {
            let bound = 1 / Float(layer.inputs).squareRoot()
            let values = network.parameters[layer.start..<layer.biases.upperBound]
            #expect(values.allSatisfy { abs($0) <= bound })
            #expect(values.max()! > 0.95 * bound && values.min()! < -0.95 * bound)
        }
    }

    @Test("a pool larger than one piece has the values of its rows one by one")
    func pieces() {
        var stream = RandomStream(seed: 2, purpose: .qNetworkInitialisation, cycle: 1)
        let network = QNetwork(stateLength: 5, from: &stream)
        let states = (0..<1_500 * 5).map { _ in stream.uniform(within: 1) }
        let values = network.values(of: states.span)
        #expect(values.count == 3_000)
        for row in [0, 1_023, 1_024, 1_499] {
            let state = Array(states[row * 5..<row * 5 + 5])
            let one = network.values(of: state.span)
            #expect(
                relativeDifference(one, Array(values[row * 2..<row * 2 + 2]), scale: 1e-2) < 1e-5)
        }
    }

    @Test("equal states have equal Q but for rounding, wherever they stand", arguments: [1, 7, 33])
    func equalStates(count: Int) throws {
        let vectors = try Vectors(#require(FixtureFiles.qNetworkNames.first))
        let network = try vectors.network("final")
        let state = Array(vectors.transitions.states[..<vectors.stateLength])
        let copies = (0..<count).flatMap { _ in state }
        let alone = network.values(of: state.span)
        let values = network.values(of: copies.span)
        // OpenBLAS's kernels for AVX-512 round equal rows apart, by their place.
        let expected = (0..<count).flatMap { _ in alone }
        #expect(relativeDifference(values, expected, scale: 1e-2) < 1e-5)
    }
}
