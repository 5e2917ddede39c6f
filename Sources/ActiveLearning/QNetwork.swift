import Classifier

/// The Q-network: stateLength → 128 → 128 → 2 with ReLU; one output per action.
struct QNetwork: Hashable, Sendable {
    static let hiddenCount = 128
    static let actionCount = 2

    /// A linear layer inside `parameters`: the weight `(outputs, inputs)`, then the bias.
    struct Layer: Hashable, Sendable {
        let name: String
        let inputs: Int
        let outputs: Int
        let start: Int

        var weights: Range<Int> { start..<start + inputs * outputs }
        var biases: Range<Int> { weights.upperBound..<weights.upperBound + outputs }
    }

    let stateLength: Int
    /// In PyTorch's names `0`, `2` and `4`: a `Sequential` counts its activations too.
    let layers: [Layer]
    /// Every layer's weight and bias, one after another.
    var parameters: [Float]

    /// - Parameter parameters: in the order of `layers`.
    init(stateLength: Int, parameters: [Float]) {
        self.stateLength = stateLength
        layers = Self.layers(stateLength: stateLength)
        precondition(
            parameters.count == layers.last!.biases.upperBound, "parameters of another network")
        self.parameters = parameters
        _ = useOneThread
    }

    /// PyTorch's default initialisation: weights and biases uniform in ±1/√inputs.
    init(stateLength: Int, from stream: inout RandomStream) {
        var parameters: [Float] = []
        for layer in Self.layers(stateLength: stateLength) {
            let bound = 1 / Float(layer.inputs).squareRoot()
            for _ in layer.start..<layer.biases.upperBound {
                parameters.append(stream.uniform(within: bound))
            }
        }
        self.init(stateLength: stateLength, parameters: parameters)
    }

    static func parameterCount(stateLength: Int) -> Int {
        layers(stateLength: stateLength).last!.biases.upperBound
    }

    private static func layers(stateLength: Int) -> [Layer] {
        var layers: [Layer] = []
        let sizes = [
            ("0", stateLength, hiddenCount), ("2", hiddenCount, hiddenCount),
            ("4", hiddenCount, actionCount),
        ]
        for (name, inputs, outputs) in sizes {
            let start = layers.last?.biases.upperBound ?? 0
            layers.append(Layer(name: name, inputs: inputs, outputs: outputs, start: start))
        }
        return layers
    }

    /// In the order of `parameters`.
    static var tensorNames: [String] {
        layers(stateLength: 1).flatMap { ["\($0.name).weight", "\($0.name).bias"] }
    }

    /// The parameters under PyTorch's names, in the order of `tensorNames`.
    var tensors: [NetworkState.Tensor] {
        layers.flatMap { layer in
            [
                NetworkState.Tensor(
                    name: "\(layer.name).weight", shape: [layer.outputs, layer.inputs],
                    values: .float32(Array(parameters[layer.weights]))),
                NetworkState.Tensor(
                    name: "\(layer.name).bias", shape: [layer.outputs],
                    values: .float32(Array(parameters[layer.biases]))),
            ]
        }
    }

    /// Q(s, a) of many states, in pieces of bounded size.
    ///
    /// - Parameter states: `(count, stateLength)`, row-major.
    /// - Returns: `(count, 2)`, row-major.
    func values(of states: Span<Float>) -> [Float] {
        precondition(states.count % stateLength == 0, "states are not complete rows")
        let count = states.count / stateLength
        var values: [Float] = []
        values.reserveCapacity(count * Self.actionCount)
        for start in stride(from: 0, to: count, by: Self.pieceCount) {
            let end = min(start + Self.pieceCount, count)
            let piece = states.extracting(start * stateLength..<end * stateLength)
            values += activations(of: piece, count: end - start).last!
        }
        return values
    }

    /// The mean squared error of Q(s, a) against the rewards, and its gradient.
    ///
    /// - Returns: the gradient laid out as `parameters`.
    func gradient(of batch: QBatch) -> (loss: Double, gradient: [Float]) {
        let count = batch.count
        let outputs = activations(of: batch.states.span, count: count)
        var outputGradient = [Float](repeating: 0, count: count * Self.actionCount)
        var loss = 0.0
        for row in 0..<count {
            let index = row * Self.actionCount + Int(batch.actions[row])
            let error = outputs.last![index] - batch.rewards[row]
            loss += Double(error) * Double(error)
            outputGradient[index] = 2 * error / Float(count)
        }
        var gradient = [Float](repeating: 0, count: parameters.count)
        for (depth, layer) in layers.enumerated().reversed() {
            let input = depth == 0 ? batch.states : outputs[depth - 1]
            addGradient(
                of: layer, input: input.span, outputGradient: outputGradient.span,
                to: &gradient, count: count)
            guard depth > 0 else { break }
            outputGradient = inputGradient(of: layer, outputGradient: outputGradient, count: count)
            for index in outputGradient.indices where input[index] <= 0 {
                outputGradient[index] = 0
            }
        }
        return (loss / Double(count), gradient)
    }

    /// Rows that are multiplied at once, which bounds the memory of a large pool.
    private static let pieceCount = 1024

    /// The output of every layer, after its ReLU but for the last.
    private func activations(of states: Span<Float>, count: Int) -> [[Float]] {
        var outputs = [output(of: layers[0], input: states, count: count)]
        for layer in layers.dropFirst() {
            let input = outputs[outputs.count - 1]
            outputs.append(output(of: layer, input: input.span, count: count))
        }
        return outputs
    }

    private func output(of layer: Layer, input: Span<Float>, count: Int) -> [Float] {
        let biases = parameters.span.extracting(layer.biases)
        var output = [Float](repeating: 0, count: count * layer.outputs)
        var result = output.mutableSpan
        for row in 0..<count {
            for column in 0..<layer.outputs {
                result[row * layer.outputs + column] = biases[column]
            }
        }
        addProduct(
            input, parameters.span.extracting(layer.weights), transposed: .second,
            MatrixShape(rows: count, columns: layer.outputs, inner: layer.inputs), to: &result)
        if layer != layers.last {
            for index in 0..<result.count where result[index] < 0 { result[index] = 0 }
        }
        return output
    }

    private func addGradient(
        of layer: Layer, input: Span<Float>, outputGradient: Span<Float>,
        to gradient: inout [Float], count: Int
    ) {
        var weightGradient = [Float](repeating: 0, count: layer.weights.count)
        var result = weightGradient.mutableSpan
        addProduct(
            outputGradient, input, transposed: .first,
            MatrixShape(rows: layer.outputs, columns: layer.inputs, inner: count), to: &result)
        gradient.replaceSubrange(layer.weights, with: weightGradient)
        for row in 0..<count {
            for column in 0..<layer.outputs {
                gradient[layer.biases.lowerBound + column] +=
                    outputGradient[row * layer.outputs + column]
            }
        }
    }

    private func inputGradient(
        of layer: Layer, outputGradient: [Float], count: Int
    ) -> [Float] {
        var inputGradient = [Float](repeating: 0, count: count * layer.inputs)
        var result = inputGradient.mutableSpan
        addProduct(
            outputGradient.span, parameters.span.extracting(layer.weights), transposed: .neither,
            MatrixShape(rows: count, columns: layer.inputs, inner: layer.outputs), to: &result)
        return inputGradient
    }
}
