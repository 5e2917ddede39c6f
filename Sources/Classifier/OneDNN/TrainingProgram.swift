import COneDNN

/// The forward and backward pass of one batch size.
final class TrainingProgram {
    /// The batch statistics of one unit, in the order of the network's units.
    struct Statistics {
        let mean: Memory
        /// The biased variance.
        let variance: Memory
        /// The number of values that the mean is over.
        let sampleCount: Int
    }

    let program: Program
    /// Plain NCHW images.
    let input: Memory
    /// Row-major `(batch, classes)`.
    let logits: Memory
    /// The loss's gradient, to be written between the forward and the backward pass.
    let logitsGradient: Memory
    let statistics: [Statistics]
    /// What every relu lets through, under the name of the batch norm before it; valid between
    /// the forward and the backward pass.
    let rectified: [(name: String, output: Memory)]
    let forwardSteps: Range<Int>
    let backwardSteps: Range<Int>

    init(
        _ network: ResNet18, batch: Int, _ store: ParameterStore, _ device: Device,
        _ numbers: Numbers
    ) throws(ClassifierError) {
        var builder = try TrainingBuilder(network, batch: batch, store, device, numbers)
        input = try builder.program.tensor(
            .plain([batch, ResNet18.imageChannels, ResNet18.imageSide, ResNet18.imageSide]))
        builder.program.roundIfEmulating(input)
        let stem = try builder.forward(network.stem, input, withRelu: true)
        var blocks: [TrainingBuilder.BlockTrace] = []
        for block in network.blocks {
            blocks.append(try builder.forward(block, blocks.last?.output ?? stem.output))
        }
        let head = try builder.forwardHead(blocks.last!.output)
        let forwardCount = builder.program.stepCount
        logits = head.logits
        logitsGradient = try builder.program.tensor(head.layer.destination)

        var gradient = try builder.backwardHead(head, logitsGradient, output: blocks.last!.output)
        for index in blocks.indices.reversed() {
            gradient = try builder.backward(
                blocks[index], gradient, inputIsBlockOutput: index > 0)
        }
        try builder.backwardStem(stem, gradient)
        forwardSteps = 0..<forwardCount
        backwardSteps = forwardCount..<builder.program.stepCount
        statistics = builder.statistics
        rectified =
            [(stem.unit.normName, stem.output)]
            + blocks.flatMap {
                [($0.first.unit.normName, $0.first.output), ($0.second.unit.normName, $0.output)]
            }
        program = builder.program.finish()
    }
}

/// Appends a network's forward steps, remembers what the backward steps need, and appends those.
/// Tensors are released as soon as no later step needs them.
struct TrainingBuilder {
    var program: ProgramBuilder
    private(set) var statistics: [TrainingProgram.Statistics] = []
    private let network: ResNet18
    private let batch: Int
    private let store: ParameterStore
    private let operations: Operations

    /// What a unit's backward pass needs.
    struct UnitTrace {
        let unit: ResNet18.Unit
        let convolution: PrimitiveDescription
        /// The faster way, where there is one.
        let winograd: WinogradConvolution?
        let norm: PrimitiveDescription
        let input: Memory
        let convolved: Memory
        let output: Memory
        let statistics: TrainingProgram.Statistics
        /// Which outputs relu let through; nil without relu.
        let workspace: Memory?
    }

    struct BlockTrace {
        let input: Memory
        let first: UnitTrace
        let second: UnitTrace
        let shortcut: UnitTrace?
        /// The second unit's output, into which the shortcut was added.
        var output: Memory { second.output }
    }

    struct HeadTrace {
        let layer: LinearLayer
        let pool: PrimitiveDescription
        let linear: PrimitiveDescription
        let pooled: Memory
        let features: Memory
        let logits: Memory
    }

    init(
        _ network: ResNet18, batch: Int, _ store: ParameterStore, _ device: Device,
        _ numbers: Numbers
    ) throws(ClassifierError) {
        program = try ProgramBuilder(
            device: device, emulatesBFloat16: numbers.emulatesBFloat16)
        self.network = network
        self.batch = batch
        self.store = store
        operations = Operations(
            device: device, attributes: program.attributes, type: numbers.type,
            winograd: numbers.winograd)
    }
}

extension TrainingBuilder {
    mutating func forward(
        _ unit: ResNet18.Unit, _ input: Memory, withRelu: Bool
    ) throws(ClassifierError) -> UnitTrace {
        program.layer = unit.convolution.name
        defer { program.layer = nil }
        let convolution = try operations.trainedConvolution(unit.convolution, batch: batch)
        let parameter = store[unit.convolution.name + ".weight"].value
        let winograd = try operations.winograd(unit.convolution, .outputs, batch: batch)
        let convolved = try program.tensor(convolution.layout(dnnl_query_dst_md))
        if let winograd {
            let source = try program.bring(input, to: winograd.inputLayout)
            try program.append(.convolution, winograd, source, parameter, into: convolved)
            program.release(source, broughtFrom: input)
        } else {
            let source = try program.bring(input, to: convolution.layout(dnnl_query_src_md))
            let weights = try program.bringWeights(
                parameter, to: convolution.layout(dnnl_query_weights_md))
            try program.append(
                .convolution, convolution,
                [
                    (DNNL_ARG_SRC_0, source), (DNNL_ARG_WEIGHTS_0, weights),
                    (DNNL_ARG_DST_0, convolved),
                ])
            program.release(source, broughtFrom: input)
            program.release(weights, broughtFrom: parameter)
        }

        let norm = try operations.norm(over: convolved.layout, withRelu: withRelu)
        let channels = try Layout.plain([unit.convolution.outputChannels])
        let statistics = TrainingProgram.Statistics(
            mean: try program.tensor(channels), variance: try program.tensor(channels),
            sampleCount: batch * unit.convolution.outputSide * unit.convolution.outputSide)
        self.statistics.append(statistics)
        try program.appendStatistics(
            of: convolved, mean: statistics.mean, variance: statistics.variance)
        let output = try program.tensor(convolved.layout)
        var arguments = [
            (DNNL_ARG_SRC_0, convolved), (DNNL_ARG_DST_0, output),
            (DNNL_ARG_MEAN, statistics.mean), (DNNL_ARG_VARIANCE, statistics.variance),
            (DNNL_ARG_SCALE, store[unit.normName + ".weight"].value),
            (DNNL_ARG_SHIFT, store[unit.normName + ".bias"].value),
        ]
        var workspace: Memory?
        if withRelu {
            let memory = try program.tensor(norm.layout(dnnl_query_workspace_md))
            arguments.append((DNNL_ARG_WORKSPACE, memory))
            workspace = memory
        }
        try program.append(.norm, norm, arguments)
        return UnitTrace(
            unit: unit, convolution: convolution, winograd: winograd, norm: norm, input: input,
            convolved: convolved, output: output, statistics: statistics, workspace: workspace)
    }

    mutating func forward(
        _ block: ResNet18.Block, _ input: Memory
    ) throws(ClassifierError) -> BlockTrace {
        let first = try forward(block.first, input, withRelu: true)
        let second = try forward(block.second, first.output, withRelu: false)
        var shortcut: UnitTrace?
        if let unit = block.shortcut {
            shortcut = try forward(unit, input, withRelu: false)
        }
        let side = shortcut?.output ?? input
        let other = try program.bring(side, to: second.output.layout)
        program.append(.residual, .rectifiedSum(into: second.output, other: other))
        program.roundIfEmulating(second.output)
        program.release(other, broughtFrom: side)
        if shortcut != nil {
            program.release(side)
        }
        return BlockTrace(input: input, first: first, second: second, shortcut: shortcut)
    }

    mutating func forwardHead(_ input: Memory) throws(ClassifierError) -> HeadTrace {
        let layer = try LinearLayer(network, batch: batch)
        let pool = try operations.pool(
            network, dnnl_forward_training, batch: batch, source: input.layout)
        let pooled = try program.tensor(pool.layout(dnnl_query_dst_md))
        try program.append(.pool, pool, [(DNNL_ARG_SRC_0, input), (DNNL_ARG_DST_0, pooled)])
        let features = try program.bring(pooled, to: layer.source)
        let linear = try layer.forward(dnnl_forward_training, operations)
        let logits = try program.tensor(layer.destination)
        try program.append(
            .linear, linear,
            [
                (DNNL_ARG_SRC_0, features), (DNNL_ARG_WEIGHTS_0, store["linear.weight"].value),
                (DNNL_ARG_BIAS, store["linear.bias"].value), (DNNL_ARG_DST_0, logits),
            ])
        return HeadTrace(
            layer: layer, pool: pool, linear: linear, pooled: pooled, features: features,
            logits: logits)
    }
}

extension TrainingBuilder {
    /// - Returns: the gradient before the last block's relu.
    mutating func backwardHead(
        _ head: HeadTrace, _ logitsGradient: Memory, output: Memory
    ) throws(ClassifierError) -> Memory {
        let weightGradient = try head.layer.weightGradient(operations, forward: head.linear)
        try program.append(
            .linear, weightGradient,
            [
                (DNNL_ARG_SRC_0, head.features), (DNNL_ARG_DIFF_DST_0, logitsGradient),
                (DNNL_ARG_DIFF_WEIGHTS_0, store["linear.weight"].gradient),
                (DNNL_ARG_DIFF_BIAS, store["linear.bias"].gradient),
            ])
        let inputGradient = try head.layer.inputGradient(operations, forward: head.linear)
        let featuresGradient = try program.tensor(head.layer.source)
        try program.append(
            .linear, inputGradient,
            [
                (DNNL_ARG_DIFF_DST_0, logitsGradient),
                (DNNL_ARG_WEIGHTS_0, store["linear.weight"].value),
                (DNNL_ARG_DIFF_SRC_0, featuresGradient),
            ])
        let pooledGradient = try program.bring(featuresGradient, to: head.pooled.layout)
        program.roundIfEmulating(pooledGradient)
        let pool = try operations.poolGradient(
            network, source: output.layout, destination: head.pooled.layout, forward: head.pool)
        let gradient = try program.tensor(output.layout)
        try program.append(
            .pool, pool, [(DNNL_ARG_DIFF_DST_0, pooledGradient), (DNNL_ARG_DIFF_SRC_0, gradient)])
        program.release(pooledGradient, broughtFrom: featuresGradient)
        program.release(featuresGradient)
        program.append(
            .residualGradient, .maskedSum(into: gradient, other: nil, active: output))
        program.release(output)
        return gradient
    }

    /// - Parameters:
    ///   - gradient: before the block's last relu; released.
    ///   - inputIsBlockOutput: whether the input comes out of a relu that no batch norm's
    ///     gradient takes care of.
    /// - Returns: the gradient of the input, before that relu if so.
    mutating func backward(
        _ block: BlockTrace, _ gradient: Memory, inputIsBlockOutput: Bool
    ) throws(ClassifierError) -> Memory {
        // The shortcut needs the gradient as well, so the second norm must not overwrite it.
        let convolvedGradient = try backwardNorm(block.second, gradient, inPlace: false)
        let hiddenGradient = try backwardConvolution(block.second, convolvedGradient)
        program.release(block.first.output)

        let firstGradient = try backwardNorm(block.first, hiddenGradient, inPlace: true)
        var inputGradient = try backwardConvolution(block.first, firstGradient)
        var other = gradient
        if let shortcut = block.shortcut {
            let shortcutGradient = try backwardNorm(shortcut, gradient, inPlace: true)
            other = try backwardConvolution(shortcut, shortcutGradient)
        }

        inputGradient = try move(inputGradient, to: block.input.layout)
        other = try move(other, to: block.input.layout)
        program.append(
            .residualGradient,
            inputIsBlockOutput
                ? .maskedSum(into: inputGradient, other: other, active: block.input)
                : .sum(into: inputGradient, other: other))
        program.roundIfEmulating(inputGradient)
        program.release(other)
        program.release(block.input)
        return inputGradient
    }

    mutating func backwardStem(
        _ stem: UnitTrace, _ gradient: Memory
    ) throws(ClassifierError) {
        let convolvedGradient = try backwardNorm(stem, gradient, inPlace: true)
        try appendWeightGradient(stem, convolvedGradient)
        program.release(convolvedGradient)
    }

    /// The tensor in another layout; the original is released if it is not in it already.
    private mutating func move(
        _ memory: Memory, to layout: Layout
    ) throws(ClassifierError) -> Memory {
        let moved = try program.bring(memory, to: layout)
        if moved !== memory {
            program.release(memory)
        }
        return moved
    }

    /// - Returns: the gradient of the convolution's output: `gradient` itself if `inPlace` and no
    ///   reorder was needed, which releases `gradient` if one was; else a new tensor.
    private mutating func backwardNorm(
        _ trace: UnitTrace, _ gradient: Memory, inPlace: Bool
    ) throws(ClassifierError) -> Memory {
        program.layer = trace.unit.convolution.name
        defer { program.layer = nil }
        let layout = trace.convolved.layout
        let incoming =
            inPlace
            ? try move(gradient, to: layout) : try program.bring(gradient, to: layout)
        let outgoing = inPlace ? incoming : try program.tensor(layout)
        let norm = try operations.normGradient(
            over: layout, withRelu: trace.workspace != nil, forward: trace.norm)
        var arguments = [
            (DNNL_ARG_SRC_0, trace.convolved), (DNNL_ARG_DIFF_DST_0, incoming),
            (DNNL_ARG_DIFF_SRC_0, outgoing),
            (DNNL_ARG_MEAN, trace.statistics.mean),
            (DNNL_ARG_VARIANCE, trace.statistics.variance),
            (DNNL_ARG_SCALE, store[trace.unit.normName + ".weight"].value),
            (DNNL_ARG_DIFF_SCALE, store[trace.unit.normName + ".weight"].gradient),
            (DNNL_ARG_DIFF_SHIFT, store[trace.unit.normName + ".bias"].gradient),
        ]
        if onednn_norm_gradient_takes_shift() != 0 {
            arguments.append((DNNL_ARG_SHIFT, store[trace.unit.normName + ".bias"].value))
        }
        if let workspace = trace.workspace {
            arguments.append((DNNL_ARG_WORKSPACE, workspace))
        }
        try program.append(.normGradient, norm, arguments)
        if !inPlace {
            program.release(incoming, broughtFrom: gradient)
        }
        if let workspace = trace.workspace {
            program.release(workspace)
        }
        program.release(trace.convolved)
        return outgoing
    }

    /// - Parameter gradient: of the convolution's output; released.
    /// - Returns: the gradient of the convolution's input.
    private mutating func backwardConvolution(
        _ trace: UnitTrace, _ gradient: Memory
    ) throws(ClassifierError) -> Memory {
        try appendWeightGradient(trace, gradient)
        program.layer = trace.unit.convolution.name
        defer { program.layer = nil }
        if let winograd = trace.winograd {
            let incoming = try move(gradient, to: winograd.outputLayout)
            let outgoing = try program.tensor(winograd.inputLayout)
            try program.appendInputGradient(
                winograd, incoming, store[trace.unit.convolution.name + ".weight"].value,
                into: outgoing)
            program.release(incoming)
            return outgoing
        }
        let description = try operations.convolutionInputGradient(
            trace.unit.convolution, batch: batch, forward: trace.convolution)
        let parameter = store[trace.unit.convolution.name + ".weight"].value
        let weights = try program.bringWeights(
            parameter, to: description.layout(dnnl_query_weights_md))
        let incoming = try program.bring(gradient, to: description.layout(dnnl_query_diff_dst_md))
        let outgoing = try program.tensor(description.layout(dnnl_query_diff_src_md))
        try program.append(
            .convolutionData, description,
            [
                (DNNL_ARG_DIFF_DST_0, incoming), (DNNL_ARG_WEIGHTS_0, weights),
                (DNNL_ARG_DIFF_SRC_0, outgoing),
            ])
        program.release(weights, broughtFrom: parameter)
        program.release(incoming, broughtFrom: gradient)
        program.release(gradient)
        return outgoing
    }

    private mutating func appendWeightGradient(
        _ trace: UnitTrace, _ gradient: Memory
    ) throws(ClassifierError) {
        program.layer = trace.unit.convolution.name
        defer { program.layer = nil }
        let destination = store[trace.unit.convolution.name + ".weight"].gradient
        if let winograd = try operations.winograd(
            trace.unit.convolution, .weightGradient, batch: batch)
        {
            let source = try program.bring(trace.input, to: winograd.inputLayout)
            let incoming = try program.bring(gradient, to: winograd.outputLayout)
            try program.appendWeightGradient(winograd, source, incoming, into: destination)
            program.release(source, broughtFrom: trace.input)
            program.release(incoming, broughtFrom: gradient)
            return
        }
        let description = try operations.convolutionWeightGradient(
            trace.unit.convolution, batch: batch, forward: trace.convolution)
        if Self.isFasterAsProduct(trace.unit.convolution, description) {
            return try appendProductWeightGradient(trace, gradient)
        }
        let source = try program.bring(trace.input, to: description.layout(dnnl_query_src_md))
        let incoming = try program.bring(gradient, to: description.layout(dnnl_query_diff_dst_md))
        let layout = try description.layout(dnnl_query_diff_weights_md)
        let isDirect = layout.isSame(as: destination.layout)
        let outgoing = isDirect ? destination : try program.tensor(layout)
        try program.append(
            .convolutionWeights, description,
            [
                (DNNL_ARG_SRC_0, source), (DNNL_ARG_DIFF_DST_0, incoming),
                (DNNL_ARG_DIFF_WEIGHTS_0, outgoing),
            ])
        if !isDirect {
            try program.reorder(outgoing, to: destination)
            program.release(outgoing)
        }
        program.release(source, broughtFrom: trace.input)
        program.release(incoming, broughtFrom: gradient)
    }

    /// Whether a matrix product beats the direct convolution: for images of few pixels and many
    /// channels on AVX2 (measured on Zen 3 with oneDNN 2.6; docs/performance.md).
    private static func isFasterAsProduct(
        _ convolution: ResNet18.Convolution, _ description: PrimitiveDescription
    ) -> Bool {
        convolution.kernel == 3 && convolution.outputSide <= 8
            && convolution.inputChannels >= 128 && description.implementation == "jit:avx2"
    }

    private mutating func appendProductWeightGradient(
        _ trace: UnitTrace, _ gradient: Memory
    ) throws(ClassifierError) {
        let convolution = trace.unit.convolution
        func channelsLast(_ shape: [Int]) throws(ClassifierError) -> Layout {
            try Layout(shape, order: dnnl_acdb)
        }
        let tensors = ChannelsLastTensors(
            input: try program.bring(trace.input, to: channelsLast(trace.input.layout.shape)),
            outputGradient: try program.bring(gradient, to: channelsLast(gradient.layout.shape)),
            columns: try program.tensor(.plain([TiledConvolution.columnsCount(convolution)])),
            weightGradient: try program.tensor(channelsLast(convolution.weightShape)))
        let tiled = TiledConvolution(shape: convolution, batch: batch, library: .oneDNN)
        program.append(.convolutionWeights, .weightGradient(tiled, tensors))
        try program.reorder(
            tensors.weightGradient, to: store[convolution.name + ".weight"].gradient)
        program.release(tensors.input, broughtFrom: trace.input)
        program.release(tensors.outputGradient, broughtFrom: gradient)
        program.release(tensors.columns)
        program.release(tensors.weightGradient)
    }
}
