import Classifier
import Foundation

/// A slow ResNet-18 in float64, written after the formulas alone, for judging float32 engines.
///
/// Relu makes a network's gradient jump where its input is 0. An input nearer to 0 than float32
/// can tell falls to either side, and within a few steps at a high learning rate the two sides
/// lead to states that differ by percents. So the reference can take the engine's decisions: it
/// then follows the engine's branch in float64, and records how near to 0 every input was about
/// which they disagree.
struct ReferenceNetwork {
    let network: ResNet18
    private(set) var parameters: [String: [Double]] = [:]
    private(set) var gradients: [String: [Double]] = [:]
    private var momenta: [String: [Double]] = [:]

    /// For each relu by the name of the batch norm before it: whether an input counts as positive.
    typealias Decisions = [String: [Bool]]
    private var decisions: Decisions?
    /// The magnitudes of the relu inputs whose sign is not what was decided.
    private(set) var disputed: [Double] = []

    /// Planes of one side, NCHW.
    struct Planes {
        let batch: Int
        let channels: Int
        let side: Int
        var values: [Double]

        init(_ batch: Int, _ channels: Int, _ side: Int, _ values: [Double]? = nil) {
            self.batch = batch
            self.channels = channels
            self.side = side
            self.values = values ?? Array(repeating: 0, count: batch * channels * side * side)
            precondition(self.values.count == batch * channels * side * side)
        }

        var area: Int { side * side }
    }

    init(_ network: ResNet18, _ state: NetworkState) {
        self.network = network
        for tensor in state.tensors {
            parameters[tensor.name] = tensor.floats?.map(Double.init)
        }
    }

    /// One SGD step on the mean cross-entropy.
    mutating func trainStep(
        _ images: [Float], _ labels: [Int32], _ optimizer: SGD, decisions: Decisions? = nil
    ) -> (loss: Double, logits: [Double]) {
        self.decisions = decisions
        gradients = [:]
        let input = Planes(
            labels.count, ResNet18.imageChannels, ResNet18.imageSide, images.map(Double.init))
        let stem = forward(network.stem, input)
        let (activeStem, stemDecisions) = rectified(stem.output, network.stem.normName)
        var output = activeStem
        var traces: [BlockTrace] = []
        for block in network.blocks {
            traces.append(forward(block, output))
            output = traces[traces.count - 1].output
        }
        let features = pooled(output)
        let logits = linear(features, labels.count)
        let (loss, logitsGradient) = crossEntropy(logits, labels)

        var gradient = backwardHead(features, logitsGradient, like: output)
        for (block, trace) in zip(network.blocks, traces).reversed() {
            gradient = backward(block, trace, gradient)
        }
        gradient.mask(stemDecisions)
        _ = backward(network.stem, stem, gradient, needsInput: false)
        update(optimizer)
        return (loss, logits)
    }

    /// The logits with running statistics.
    func logits(_ images: [Float]) -> [Double] {
        let batch = images.count / ResNet18.imageElementCount
        var output = scored(
            network.stem,
            Planes(batch, ResNet18.imageChannels, ResNet18.imageSide, images.map(Double.init)))
        output.values = output.values.map { max($0, 0) }
        for block in network.blocks {
            var hidden = scored(block.first, output)
            hidden.values = hidden.values.map { max($0, 0) }
            var sum = scored(block.second, hidden)
            sum.add(block.shortcut.map { scored($0, output) } ?? output)
            sum.values = sum.values.map { max($0, 0) }
            output = sum
        }
        return linear(pooled(output), batch)
    }
}

extension ReferenceNetwork.Planes {
    mutating func add(_ other: Self) {
        for index in values.indices { values[index] += other.values[index] }
    }

    mutating func mask(_ decisions: [Bool]) {
        for index in values.indices where !decisions[index] { values[index] = 0 }
    }

    /// Calls `body` with every channel and the indices of its values, one plane after the other.
    func forEachPlane(_ body: (_ channel: Int, _ indices: Range<Int>) -> Void) {
        for plane in 0..<batch * channels {
            body(plane % channels, plane * area..<(plane + 1) * area)
        }
    }

    /// The sums of `term(index)` over the values of each channel.
    func channelSums(_ term: (Int) -> Double) -> [Double] {
        var sums = [Double](repeating: 0, count: channels)
        forEachPlane { channel, indices in
            for index in indices { sums[channel] += term(index) }
        }
        return sums
    }
}

extension ReferenceNetwork {
    private struct UnitTrace {
        var input: Planes
        var normalised: Planes
        /// 1/√(σ² + ε) of each channel.
        var scale: [Double]
        var output: Planes
    }

    private struct BlockTrace {
        var first: UnitTrace
        var firstDecisions: [Bool]
        var second: UnitTrace
        var shortcut: UnitTrace?
        var decisions: [Bool]
        var output: Planes
    }

    private mutating func rectified(
        _ planes: Planes, _ name: String
    ) -> (planes: Planes, decisions: [Bool]) {
        let own = planes.values.map { $0 > 0 }
        let decisions = self.decisions?[name] ?? own
        for index in own.indices where own[index] != decisions[index] {
            disputed.append(abs(planes.values[index]))
        }
        var result = planes
        result.mask(decisions)
        return (result, decisions)
    }

    private mutating func forward(_ block: ResNet18.Block, _ input: Planes) -> BlockTrace {
        let first = forward(block.first, input)
        let (hidden, firstDecisions) = rectified(first.output, block.first.normName)
        let second = forward(block.second, hidden)
        let shortcut = block.shortcut.map { forward($0, input) }
        var sum = second.output
        sum.add(shortcut?.output ?? input)
        let (output, decisions) = rectified(sum, block.second.normName)
        return BlockTrace(
            first: first, firstDecisions: firstDecisions, second: second, shortcut: shortcut,
            decisions: decisions, output: output)
    }

    private mutating func backward(
        _ block: ResNet18.Block, _ trace: BlockTrace, _ gradient: Planes
    ) -> Planes {
        var gradient = gradient
        gradient.mask(trace.decisions)
        var hidden = backward(block.second, trace.second, gradient)
        hidden.mask(trace.firstDecisions)
        var input = backward(block.first, trace.first, hidden)
        if let shortcut = block.shortcut, let shortcutTrace = trace.shortcut {
            input.add(backward(shortcut, shortcutTrace, gradient))
        } else {
            input.add(gradient)
        }
        return input
    }

    /// Convolution and batch norm with the batch's statistics, which move the running ones.
    private mutating func forward(_ unit: ResNet18.Unit, _ input: Planes) -> UnitTrace {
        var normalised = convolved(unit.convolution, input)
        let count = Double(normalised.batch * normalised.area)
        let mean = normalised.channelSums { normalised.values[$0] }.map { $0 / count }
        normalised.forEachPlane { channel, indices in
            for index in indices { normalised.values[index] -= mean[channel] }
        }
        let variance = normalised.channelSums { normalised.values[$0] * normalised.values[$0] }
            .map { $0 / count }
        let scale = variance.map { 1 / ($0 + Double(ResNet18.epsilon)).squareRoot() }
        normalised.forEachPlane { channel, indices in
            for index in indices { normalised.values[index] *= scale[channel] }
        }
        let factor = parameters[unit.normName + ".weight"]!
        let summand = parameters[unit.normName + ".bias"]!
        var output = normalised
        output.forEachPlane { channel, indices in
            for index in indices {
                output.values[index] = output.values[index] * factor[channel] + summand[channel]
            }
        }
        for channel in mean.indices {
            parameters[unit.normName + ".running_mean"]![channel] *= 0.9
            parameters[unit.normName + ".running_mean"]![channel] += 0.1 * mean[channel]
            parameters[unit.normName + ".running_var"]![channel] *= 0.9
            parameters[unit.normName + ".running_var"]![channel] +=
                0.1 * variance[channel] * count / (count - 1)
        }
        return UnitTrace(input: input, normalised: normalised, scale: scale, output: output)
    }

    private mutating func backward(
        _ unit: ResNet18.Unit, _ trace: UnitTrace, _ gradient: Planes, needsInput: Bool = true
    ) -> Planes {
        let count = Double(gradient.batch * gradient.area)
        let sums = gradient.channelSums { gradient.values[$0] }
        let products = gradient.channelSums { gradient.values[$0] * trace.normalised.values[$0] }
        gradients[unit.normName + ".bias"] = sums
        gradients[unit.normName + ".weight"] = products
        let factor = parameters[unit.normName + ".weight"]!
        var convolved = gradient
        convolved.forEachPlane { channel, indices in
            for index in indices {
                let projected =
                    gradient.values[index] - sums[channel] / count
                    - trace.normalised.values[index] * products[channel] / count
                convolved.values[index] = factor[channel] * trace.scale[channel] * projected
            }
        }
        return backward(unit.convolution, trace.input, convolved, needsInput: needsInput)
    }

    private func scored(_ unit: ResNet18.Unit, _ input: Planes) -> Planes {
        var output = convolved(unit.convolution, input)
        let name = unit.normName
        let (mean, variance) = (
            parameters[name + ".running_mean"]!, parameters[name + ".running_var"]!
        )
        let (factor, summand) = (parameters[name + ".weight"]!, parameters[name + ".bias"]!)
        output.forEachPlane { channel, indices in
            let scale =
                factor[channel] / (variance[channel] + Double(ResNet18.epsilon)).squareRoot()
            for index in indices {
                output.values[index] =
                    (output.values[index] - mean[channel]) * scale + summand[channel]
            }
        }
        return output
    }
}

extension ReferenceNetwork {
    /// Calls `body` for every pair of an output row and the input row that one weight connects,
    /// with the range of output columns whose input is inside the image.
    @inline(__always)
    private func forEachRow(
        _ convolution: ResNet18.Convolution, batch: Int,
        _ body: (_ weight: Int, _ input: Int, _ output: Int, _ columns: Range<Int>) -> Void
    ) {
        let (kernel, stride) = (convolution.kernel, convolution.stride)
        let (inputSide, outputSide) = (convolution.inputSide, convolution.outputSide)
        for image in 0..<batch {
            for out in 0..<convolution.outputChannels {
                for channel in 0..<convolution.inputChannels {
                    for tap in 0..<kernel * kernel {
                        let (dy, dx) = (
                            tap / kernel - convolution.padding, tap % kernel - convolution.padding
                        )
                        let weight =
                            (out * convolution.inputChannels + channel) * kernel * kernel + tap
                        let first = dx < 0 ? 1 : 0
                        let last = (inputSide - 1 - dx) / stride
                        let columns = first..<min(outputSide, last + 1)
                        for row in 0..<outputSide where 0..<inputSide ~= row * stride + dy {
                            let plane = image * convolution.inputChannels + channel
                            body(
                                weight,
                                (plane * inputSide + row * stride + dy) * inputSide + dx,
                                ((image * convolution.outputChannels + out) * outputSide + row)
                                    * outputSide, columns)
                        }
                    }
                }
            }
        }
    }

    private func convolved(_ convolution: ResNet18.Convolution, _ input: Planes) -> Planes {
        var output = Planes(input.batch, convolution.outputChannels, convolution.outputSide)
        let weights = parameters[convolution.name + ".weight"]!
        let stride = convolution.stride
        var target = output.values.mutableSpan
        let source = input.values.span
        forEachRow(convolution, batch: input.batch) { weight, inputRow, outputRow, columns in
            let factor = weights[weight]
            for column in columns {
                target[unchecked: outputRow + column] +=
                    factor * source[unchecked: inputRow + column * stride]
            }
        }
        return output
    }

    private mutating func backward(
        _ convolution: ResNet18.Convolution, _ input: Planes, _ gradient: Planes, needsInput: Bool
    ) -> Planes {
        let weights = parameters[convolution.name + ".weight"]!
        var weightGradient = [Double](repeating: 0, count: weights.count)
        var inputGradient = Planes(input.batch, input.channels, input.side)
        let stride = convolution.stride
        var target = inputGradient.values.mutableSpan
        let source = input.values.span
        let incoming = gradient.values.span
        forEachRow(convolution, batch: input.batch) { weight, inputRow, outputRow, columns in
            var sum = 0.0
            for column in columns {
                sum +=
                    incoming[unchecked: outputRow + column]
                    * source[unchecked: inputRow + column * stride]
            }
            weightGradient[weight] += sum
            guard needsInput else { return }
            let factor = weights[weight]
            for column in columns {
                target[unchecked: inputRow + column * stride] +=
                    factor * incoming[unchecked: outputRow + column]
            }
        }
        gradients[convolution.name + ".weight"] = weightGradient
        return inputGradient
    }

    /// The mean of every plane, `(batch, featureCount)`.
    private func pooled(_ planes: Planes) -> [Double] {
        var means: [Double] = []
        planes.forEachPlane { _, indices in
            means.append(planes.values[indices].reduce(0, +) / Double(planes.area))
        }
        return means
    }

    private func linear(_ features: [Double], _ batch: Int) -> [Double] {
        let weights = parameters["linear.weight"]!
        let bias = parameters["linear.bias"]!
        let count = network.featureCount
        return (0..<batch * network.classes).map { index in
            let (row, column) = (index / network.classes, index % network.classes)
            return (0..<count).reduce(bias[column]) {
                $0 + features[row * count + $1] * weights[column * count + $1]
            }
        }
    }

    private func crossEntropy(
        _ logits: [Double], _ labels: [Int32]
    ) -> (loss: Double, gradient: [Double]) {
        var loss = 0.0
        var gradient: [Double] = []
        for (row, label) in labels.enumerated() {
            let scores = logits[row * network.classes..<(row + 1) * network.classes]
            let exponentials = scores.map { exp($0 - scores.max()!) }
            let sum = exponentials.reduce(0, +)
            loss -= log(exponentials[Int(label)] / sum) / Double(labels.count)
            gradient += exponentials.enumerated().map { column, value in
                (value / sum - (column == Int(label) ? 1 : 0)) / Double(labels.count)
            }
        }
        return (loss, gradient)
    }

    /// The gradient of the last block's output; the linear layer's are stored.
    private mutating func backwardHead(
        _ features: [Double], _ logitsGradient: [Double], like output: Planes
    ) -> Planes {
        let weights = parameters["linear.weight"]!
        let (count, classes) = (network.featureCount, network.classes)
        var weightGradient = [Double](repeating: 0, count: weights.count)
        var biasGradient = [Double](repeating: 0, count: classes)
        var featureGradient = [Double](repeating: 0, count: features.count)
        for row in 0..<output.batch {
            for column in 0..<classes {
                let gradient = logitsGradient[row * classes + column]
                biasGradient[column] += gradient
                for feature in 0..<count {
                    weightGradient[column * count + feature] +=
                        gradient * features[row * count + feature]
                    featureGradient[row * count + feature] +=
                        gradient * weights[column * count + feature]
                }
            }
        }
        gradients["linear.weight"] = weightGradient
        gradients["linear.bias"] = biasGradient
        var gradient = output
        for index in gradient.values.indices {
            gradient.values[index] = featureGradient[index / output.area] / Double(output.area)
        }
        return gradient
    }

    private mutating func update(_ optimizer: SGD) {
        for (name, gradient) in gradients {
            let old = parameters[name]!
            let decayed = zip(gradient, old).map { $0 + Double(optimizer.weightDecay) * $1 }
            let momentum =
                momenta[name].map { momenta in
                    zip(momenta, decayed).map { Double(optimizer.momentum) * $0 + $1 }
                } ?? decayed
            momenta[name] = momentum
            parameters[name] = zip(old, momentum).map { $0 - Double(optimizer.learningRate) * $1 }
        }
    }
}
