/// The forward and backward pass over channels-last activations, and the memory they take. The
/// memory grows to the largest batch and is reused.
final class ChannelsLastPass {
    private let network: ResNet18
    private let parameters: FlatParameters
    private let stem: UnitActivations
    private let blocks: [BlockActivations]
    var profile: Profile?
    private let images = FloatBuffer()
    private let columns = FloatBuffer()
    private let features = FloatBuffer()
    private let logits = FloatBuffer()
    private let logitsGradient = FloatBuffer()
    private let featureGradient = FloatBuffer()
    /// Turns that the gradient and a block's intermediate results take in the backward pass, and
    /// the activations in scoring.
    private var turns = (FloatBuffer(), FloatBuffer(), FloatBuffer(), FloatBuffer())

    init(_ network: ResNet18, _ parameters: FlatParameters) {
        self.network = network
        self.parameters = parameters
        stem = UnitActivations(network.stem)
        blocks = network.blocks.map(BlockActivations.init)
    }

    /// What the backward pass needs of one unit.
    final class UnitActivations {
        let unit: ResNet18.Unit
        let convolved = FloatBuffer()
        /// After the batch norm, and after relu where one follows.
        let output = FloatBuffer()
        var statistics = BatchStatistics(mean: [], variance: [], scale: [])

        init(_ unit: ResNet18.Unit) {
            self.unit = unit
        }

        func pixelCount(batch: Int) -> Int {
            batch * unit.convolution.outputSide * unit.convolution.outputSide
        }

        func outputCount(batch: Int) -> Int {
            pixelCount(batch: batch) * unit.convolution.outputChannels
        }
    }

    /// The second unit's output is the block's: the shortcut is added to it, then relu applied.
    struct BlockActivations {
        let first: UnitActivations
        let second: UnitActivations
        let shortcut: UnitActivations?

        init(_ block: ResNet18.Block) {
            first = UnitActivations(block.first)
            second = UnitActivations(block.second)
            shortcut = block.shortcut.map(UnitActivations.init)
        }
    }

    /// In the order of the network's units.
    var unitActivations: [UnitActivations] {
        [stem] + blocks.flatMap { [$0.first, $0.second] + ($0.shortcut.map { [$0] } ?? []) }
    }

    /// Calls `body` with what every relu of the last forward pass let through, NCHW.
    func forEachRectified(batch: Int, _ body: (String, [Float]) -> Void) {
        for unit in [stem] + blocks.flatMap({ [$0.first, $0.second] }) {
            let convolution = unit.unit.convolution
            let values = unit.output.floats(unit.outputCount(batch: batch))
            body(
                unit.unit.normName,
                movedChannelsFirst(
                    values.span, channels: convolution.outputChannels,
                    pixels: convolution.outputSide * convolution.outputSide))
        }
    }
}

extension ChannelsLastPass {
    /// - Returns: the logits with batch statistics, row-major `(batch, classes)`.
    func forward(_ images: Span<Float>, batch: Int) -> UnsafeMutableBufferPointer<Float> {
        let input = channelsLast(images)
        forward(stem, input, batch: batch, withRelu: true)
        var output = stem.output.floats(stem.outputCount(batch: batch))
        for block in blocks {
            forward(block.first, output, batch: batch, withRelu: true)
            let hidden = block.first.output.floats(block.first.outputCount(batch: batch))
            forward(block.second, hidden, batch: batch, withRelu: false)
            let result = block.second.output.floats(block.second.outputCount(batch: batch))
            if let shortcut = block.shortcut {
                forward(shortcut, output, batch: batch, withRelu: false)
                output = shortcut.output.floats(shortcut.outputCount(batch: batch))
            }
            Profile.time(.residual, profile) { addAndRectify(result, output) }
            output = result
        }
        return head(output, batch: batch).logits
    }

    private func channelsLast(_ images: Span<Float>) -> UnsafeMutableBufferPointer<Float> {
        let input = self.images.floats(images.count)
        var target = input.mutableSpan
        moveChannelsLast(
            images, channels: ResNet18.imageChannels,
            pixels: ResNet18.imageSide * ResNet18.imageSide, to: &target)
        return input
    }

    private func tile(
        _ convolution: ResNet18.Convolution
    ) -> UnsafeMutableBufferPointer<Float> {
        columns.floats(TiledConvolution.columnsCount(convolution))
    }

    private func forward(
        _ activations: UnitActivations, _ input: UnsafeMutableBufferPointer<Float>, batch: Int,
        withRelu: Bool
    ) {
        let unit = activations.unit
        let convolved = activations.convolved.floats(activations.outputCount(batch: batch))
        var target = convolved.mutableSpan
        var columns = tile(unit.convolution).mutableSpan
        Profile.time(.convolution, in: unit.convolution.name, profile) {
            TiledConvolution(shape: unit.convolution, batch: batch).forward(
                input: input.span, weights: parameters[unit.convolution.name + ".weight"].span,
                columns: &columns, output: &target)
        }
        Profile.time(.norm, in: unit.convolution.name, profile) {
            activations.statistics = batchStatistics(
                convolved.span, channels: unit.convolution.outputChannels)
            var output = activations.output.floats(convolved.count).mutableSpan
            normalise(
                convolved.span, activations.statistics,
                factors: parameters[unit.normName + ".weight"].span,
                summands: parameters[unit.normName + ".bias"].span, withRelu: withRelu,
                output: &output)
        }
    }

    /// The pool and the linear layer.
    private func head(_ output: UnsafeMutableBufferPointer<Float>, batch: Int) -> ScoringResults {
        let area = network.poolSide * network.poolSide
        let features = self.features.floats(batch * network.featureCount)
        let logits = self.logits.floats(batch * network.classes)
        var means = features.mutableSpan
        averagePixels(
            output.span, channels: network.featureCount, pixels: area, to: &means)
        var scores = logits.mutableSpan
        let bias = parameters["linear.bias"].span
        for index in scores.indices {
            scores[index] = bias[index % network.classes]
        }
        multiply(
            .init(batch, network.classes, network.featureCount), features.span,
            parameters["linear.weight"].span, transposingRight: true, into: &scores, at: 0,
            keeping: 1)
        return ScoringResults(logits: logits, features: features)
    }
}

extension ChannelsLastPass {
    /// The backward pass of the last forward pass; the parameters' gradients are stored.
    ///
    /// - Returns: the mean cross-entropy.
    func backward(_ labels: Span<Int32>) -> Double {
        let batch = labels.count
        let loss = backwardHead(labels)
        let last = blocks[blocks.count - 1].second
        var gradient = turns.0.floats(last.outputCount(batch: batch))
        var target = gradient.mutableSpan
        spreadPixels(
            featureGradient.floats(batch * network.featureCount).span,
            channels: network.featureCount, pixels: network.poolSide * network.poolSide,
            to: &target)
        addAndMask(gradient, nil, last.output.floats(gradient.count))
        for index in blocks.indices.reversed() {
            let input = index > 0 ? blocks[index - 1].second : stem
            gradient = backward(blocks[index], input, gradient, batch: batch)
        }
        normBackward(stem, gradient)
        weightGradient(stem, images.floats(batch * ResNet18.imageElementCount), gradient, batch)
        return loss
    }

    private func backwardHead(_ labels: Span<Int32>) -> Double {
        let (batch, classes, count) = (labels.count, network.classes, network.featureCount)
        let features = self.features.floats(batch * count)
        let logitsGradient = self.logitsGradient.floats(batch * classes)
        var gradient = logitsGradient.mutableSpan
        let loss = crossEntropy(
            logits: logits.floats(batch * classes).span, labels: labels, classes: classes,
            gradient: &gradient)
        var weights = parameters.gradient("linear.weight").mutableSpan
        multiply(
            .init(classes, count, batch), logitsGradient.span, features.span,
            transposingLeft: true, into: &weights, at: 0, keeping: 0)
        var bias = parameters.gradient("linear.bias").mutableSpan
        for column in 0..<classes {
            bias[column] = (0..<batch).reduce(0) { $0 + logitsGradient[$1 * classes + column] }
        }
        var inputs = featureGradient.floats(batch * count).mutableSpan
        multiply(
            .init(batch, count, classes), logitsGradient.span, parameters["linear.weight"].span,
            into: &inputs, at: 0, keeping: 0)
        return loss
    }

    /// - Parameters:
    ///   - input: the unit whose output went into the block, through a relu.
    ///   - gradient: before the block's last relu; in the first turn's memory.
    /// - Returns: the gradient before the relu of `input`, in the new first turn's memory.
    private func backward(
        _ block: BlockActivations, _ input: UnitActivations,
        _ gradient: UnsafeMutableBufferPointer<Float>, batch: Int
    ) -> UnsafeMutableBufferPointer<Float> {
        let inputCount = input.outputCount(batch: batch)
        let inputValues = input.output.floats(inputCount)
        let hiddenCount = block.first.outputCount(batch: batch)
        let hiddenValues = block.first.output.floats(hiddenCount)

        // The shortcut needs the gradient as well, so the second unit works on a copy.
        let second = turns.1.floats(gradient.count)
        _ = second.update(from: gradient)
        normBackward(block.second, second)
        weightGradient(block.second, hiddenValues, second, batch)
        let hidden = turns.2.floats(hiddenCount)
        inputGradient(block.second, second, hidden, batch)
        Profile.time(.residualGradient, profile) { addAndMask(hidden, nil, hiddenValues) }

        normBackward(block.first, hidden)
        weightGradient(block.first, inputValues, hidden, batch)
        let result = turns.3.floats(inputCount)
        inputGradient(block.first, hidden, result, batch)
        var other = gradient
        if let shortcut = block.shortcut {
            normBackward(shortcut, gradient)
            weightGradient(shortcut, inputValues, gradient, batch)
            other = turns.1.floats(inputCount)
            inputGradient(shortcut, gradient, other, batch)
        }
        Profile.time(.residualGradient, profile) { addAndMask(result, other, inputValues) }
        (turns.0, turns.3) = (turns.3, turns.0)
        return result
    }

    private func normBackward(
        _ activations: UnitActivations, _ gradient: UnsafeMutableBufferPointer<Float>
    ) {
        let name = activations.unit.normName
        var values = gradient.mutableSpan
        var factors = parameters.gradient(name + ".weight").mutableSpan
        var summands = parameters.gradient(name + ".bias").mutableSpan
        Profile.time(.normGradient, in: activations.unit.convolution.name, profile) {
            normaliseBackward(
                activations.convolved.floats(gradient.count).span, activations.statistics,
                factors: parameters[name + ".weight"].span, gradient: &values,
                factorGradient: &factors, summandGradient: &summands)
        }
    }

    private func weightGradient(
        _ activations: UnitActivations, _ input: UnsafeMutableBufferPointer<Float>,
        _ gradient: UnsafeMutableBufferPointer<Float>, _ batch: Int
    ) {
        let convolution = activations.unit.convolution
        var columns = tile(convolution).mutableSpan
        var target = parameters.gradient(convolution.name + ".weight").mutableSpan
        Profile.time(.convolutionWeights, in: convolution.name, profile) {
            TiledConvolution(shape: convolution, batch: batch).weightGradient(
                input: input.span, outputGradient: gradient.span, columns: &columns,
                weightGradient: &target)
        }
    }

    private func inputGradient(
        _ activations: UnitActivations, _ gradient: UnsafeMutableBufferPointer<Float>,
        _ result: UnsafeMutableBufferPointer<Float>, _ batch: Int
    ) {
        let convolution = activations.unit.convolution
        var columns = tile(convolution).mutableSpan
        var target = result.mutableSpan
        Profile.time(.convolutionData, in: convolution.name, profile) {
            TiledConvolution(shape: convolution, batch: batch).inputGradient(
                weights: parameters[convolution.name + ".weight"].span,
                outputGradient: gradient.span, columns: &columns, inputGradient: &target)
        }
    }
}

extension ChannelsLastPass {
    /// Valid until the next pass.
    struct ScoringResults {
        /// Row-major `(batch, classes)`.
        let logits: UnsafeMutableBufferPointer<Float>
        /// Row-major `(batch, featureCount)`.
        let features: UnsafeMutableBufferPointer<Float>
    }

    /// The forward pass with running statistics.
    func score(
        _ images: Span<Float>, batch: Int, _ folded: [String: FoldedUnit]
    ) -> ScoringResults {
        func convolve(
            _ unit: ResNet18.Unit, _ input: UnsafeMutableBufferPointer<Float>,
            _ buffer: FloatBuffer,
            _ ending: ([Float]) -> TiledConvolution.Ending
        ) -> UnsafeMutableBufferPointer<Float> {
            let convolution = unit.convolution
            let count = batch * convolution.outputSide * convolution.outputSide
            let output = buffer.floats(count * convolution.outputChannels)
            var target = output.mutableSpan
            var columns = tile(convolution).mutableSpan
            let unit = folded[convolution.name]!
            Profile.time(.convolution, in: convolution.name, profile) {
                TiledConvolution(shape: convolution, batch: batch).forward(
                    input: input.span, weights: unit.weights.span, columns: &columns,
                    output: &target, ending: ending(unit.bias))
            }
            return output
        }
        var (current, hiddenBuffer, spare) = (turns.0, turns.1, turns.2)
        var output = convolve(network.stem, channelsLast(images), current) { .biasRelu($0) }
        for block in network.blocks {
            let hidden = convolve(block.first, output, hiddenBuffer) { .biasRelu($0) }
            if let shortcut = block.shortcut {
                output = convolve(shortcut, output, spare) { .bias($0) }
                (current, spare) = (spare, current)
            }
            // The shortcut's memory takes the sum.
            output = convolve(block.second, hidden, current) { .sumBiasRelu($0) }
        }
        return head(output, batch: batch)
    }
}

/// The mean of every channel over an image's pixels.
///
/// - Parameters:
///   - values: `(batch, pixels, channels)`.
///   - means: `(batch, channels)`; overwritten.
private func averagePixels(
    _ values: Span<Float>, channels: Int, pixels: Int, to means: inout MutableSpan<Float>
) {
    precondition(values.count == means.count * pixels)
    for index in means.indices {
        let (image, channel) = index.quotientAndRemainder(dividingBy: channels)
        var sum: Float = 0
        for pixel in 0..<pixels {
            sum += values[(image * pixels + pixel) * channels + channel]
        }
        means[index] = sum / Float(pixels)
    }
}

/// The gradient of `averagePixels`.
private func spreadPixels(
    _ gradient: Span<Float>, channels: Int, pixels: Int, to values: inout MutableSpan<Float>
) {
    precondition(values.count == gradient.count * pixels)
    for index in values.indices {
        let (pixel, channel) = index.quotientAndRemainder(dividingBy: channels)
        values[index] = gradient[pixel / pixels * channels + channel] / Float(pixels)
    }
}
