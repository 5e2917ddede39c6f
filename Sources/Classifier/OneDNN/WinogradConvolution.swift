import COneDNN
import CWinograd

/// A convolution of 3×3 with stride 1 by minimal filtering, on oneDNN's blocked tensors.
///
/// It takes a quarter of the multiplications. In training that is about half the time of oneDNN's own
/// convolutions in float32, and three quarters to nine tenths of it in bfloat16, where only
/// activations are rounded (docs/performance.md). Neither the number of threads nor the batch
/// changes an image's numbers.
struct WinogradConvolution {
    private let shape: winograd_shape
    private let kernels: WinogradKernels
    /// The layout of the input, the output and their gradients.
    let inputLayout: Layout
    let outputLayout: Layout
    /// The layout of the weights and their gradients: float32, whatever the activations are.
    let weightLayout: Layout
    private let tileCount: Int
    /// The tiles that are transformed at a time.
    private let room: Int
    /// The output channels that are multiplied at a time.
    private let groupSize: Int
    private let threads = Int(omp_get_max_threads())

    /// Where all tiles fit in at once, the weights are transformed in groups of this many output
    /// channels, so that they never leave the cache.
    private static let channelsInGroup = 64

    private init(
        _ convolution: ResNet18.Convolution, batch: Int, _ kernels: WinogradKernels
    ) throws(ClassifierError) {
        self.kernels = kernels
        shape = winograd_shape(
            batch: Int32(batch), side: Int32(convolution.inputSide),
            inputs: Int32(convolution.inputChannels), outputs: Int32(convolution.outputChannels))
        inputLayout = try Layout(
            [batch, convolution.inputChannels, convolution.inputSide, convolution.inputSide],
            kernels.type, order: kernels.activationOrder)
        outputLayout = try Layout(
            [batch, convolution.outputChannels, convolution.outputSide, convolution.outputSide],
            kernels.type, order: kernels.activationOrder)
        weightLayout = try Layout(convolution.weightShape, order: kernels.weightOrder)
        tileCount = Int(winograd_tile_count(shape))
        // About as much as the second-level cache holds, in whole runs of the product's rows.
        let rows = Int(kernels.passes.rows)
        room = min(tileCount, max(24, convolution.inputChannels * 3 / 8 / rows * rows))
        groupSize =
            room == tileCount
            ? min(Self.channelsInGroup, convolution.outputChannels) : convolution.outputChannels
    }

    /// - Returns: nil where the convolution is another, or is better computed directly.
    static func replacing(
        _ convolution: ResNet18.Convolution, _ product: WinogradKernels.Product, batch: Int,
        _ kernels: WinogradKernels
    ) throws(ClassifierError) -> WinogradConvolution? {
        guard kernels.suit(convolution, product) else { return nil }
        return try WinogradConvolution(convolution, batch: batch, kernels)
    }

    /// The floats that any of the passes needs beside its tensors.
    var workspaceCount: Int {
        let inputs = Int(shape.inputs)
        let outputs = Int(shape.outputs)
        let tiles = tilesCount(inputs) + tilesCount(outputs)
        let gradient =
            isGrouped
            ? tiles + threads * weightsCount(inputs, groupSize)
            : weightsCount(inputs, outputs) + threads * tiles
        return max(
            passWorkspaceCount(inputs, outputs), passWorkspaceCount(outputs, inputs), gradient)
    }

    private var isGrouped: Bool { room == tileCount }

    private func passWorkspaceCount(_ inputs: Int, _ outputs: Int) -> Int {
        let group = min(groupSize, outputs)
        return isGrouped
            ? tilesCount(inputs) + threads * (weightsCount(inputs, group) + tilesCount(group))
            : weightsCount(inputs, outputs) + threads * (tilesCount(inputs) + tilesCount(outputs))
    }

    private func tilesCount(_ channels: Int) -> Int {
        Int(winograd_tiles_size(Int32(room), Int32(channels)))
    }

    private func weightsCount(_ inputs: Int, _ outputs: Int) -> Int {
        Int(winograd_weights_size(Int32(inputs), Int32(outputs)))
    }
}

extension WinogradConvolution {
    /// The tensors of a forward pass.
    struct ForwardTensors {
        let input: Memory
        let weights: Memory
        /// One for each output channel, unless the ending is `winograd_store`.
        var bias: Memory?
        var ending = winograd_store
        let output: Memory
        let workspace: Memory
    }

    func forward(_ tensors: ForwardTensors) {
        run(shape, tensors, turned: false)
    }

    /// The gradient of the input, which is a convolution of the output's gradient.
    ///
    /// - Parameter tensors: the output's gradient as input, the input's as output.
    func inputGradient(_ tensors: ForwardTensors) {
        var turned = shape
        swap(&turned.inputs, &turned.outputs)
        run(turned, tensors, turned: true)
    }

    private func run(_ shape: winograd_shape, _ tensors: ForwardTensors, turned: Bool) {
        let pass = Pass(
            shape: shape, kernels: kernels, isTurned: turned, room: room,
            input: tensors.input.address!, weights: tensors.weights.floatAddress,
            bias: tensors.bias?.floatAddress,
            ending: tensors.ending, output: tensors.output.address!)
        if isGrouped {
            runGrouped(pass, workspace: tensors.workspace.floatAddress)
        } else {
            runTiled(pass, workspace: tensors.workspace.floatAddress)
        }
    }

    /// All weights at once, then all channels of some tiles at a time: few channels, many pixels.
    private func runTiled(_ pass: Pass, workspace: UnsafeMutablePointer<Float>) {
        let inputs = Int(pass.shape.inputs)
        let outputs = Int(pass.shape.outputs)
        let weights = workspace
        forEachThread { thread, threads in
            pass.transformWeights(
                channels(of: outputs, thread, threads), of: 0..<outputs, to: weights)
        }
        forEachThread { thread, threads in
            let tiles =
                workspace + weightsCount(inputs, outputs)
                + thread * (tilesCount(inputs) + tilesCount(outputs))
            let products = tiles + tilesCount(inputs)
            let part = share(of: tileCount, thread, threads)
            for first in stride(from: part.lowerBound, to: part.upperBound, by: room) {
                let block = first..<min(first + room, part.upperBound)
                pass.transformInput(block, place: 0, to: tiles)
                pass.multiply(
                    block, tiles: tiles, weights: weights, of: 0..<outputs, products: products)
            }
        }
    }

    /// All tiles at once, then all of them for some output channels at a time: many channels, few
    /// pixels.
    private func runGrouped(_ pass: Pass, workspace: UnsafeMutablePointer<Float>) {
        let inputs = Int(pass.shape.inputs)
        let outputs = Int(pass.shape.outputs)
        let group = min(groupSize, outputs)
        let tiles = workspace
        forEachThread { thread, threads in
            let part = share(of: tileCount, thread, threads)
            pass.transformInput(part, place: part.lowerBound, to: tiles)
        }
        forEachThread { thread, threads in
            let weights =
                workspace + tilesCount(inputs)
                + thread * (weightsCount(inputs, group) + tilesCount(group))
            let products = weights + weightsCount(inputs, group)
            for index in share(of: (outputs + group - 1) / group, thread, threads) {
                let channels = index * group..<min((index + 1) * group, outputs)
                pass.transformWeights(channels, of: channels, to: weights)
                pass.multiply(
                    0..<tileCount, tiles: tiles, weights: weights, of: channels,
                    products: products)
            }
        }
    }
}

extension WinogradConvolution {
    /// The tensors of a weight gradient.
    struct WeightGradientTensors {
        let input: Memory
        let outputGradient: Memory
        let weightGradient: Memory
        let workspace: Memory
    }

    /// Threads share the output channels, whose sums are independent. Where not all tiles fit in at
    /// once, each transforms all of the input's tiles for itself: a sixth of the work, which
    /// takes less time than waiting for each other after every few tiles.
    func weightGradient(_ tensors: WeightGradientTensors) {
        if isGrouped {
            weightGradientGrouped(tensors)
        } else {
            weightGradientTiled(tensors)
        }
    }

    private func weightGradientTiled(_ tensors: WeightGradientTensors) {
        let outputs = Int(shape.outputs)
        let sums = tensors.workspace.floatAddress
        forEachThread { thread, threads in
            let part = channels(of: outputs, thread, threads)
            guard !part.isEmpty else { return }
            let inputTiles =
                sums + weightsCount(Int(shape.inputs), outputs)
                + thread * (tilesCount(Int(shape.inputs)) + tilesCount(outputs))
            let gradientTiles = inputTiles + tilesCount(Int(shape.inputs))
            for first in stride(from: 0, to: tileCount, by: room) {
                let block = first..<min(first + room, tileCount)
                transformInput(block, place: 0, tensors, to: inputTiles)
                transformGradient(block, part, tensors, to: gradientTiles)
                accumulate(part, of: 0..<outputs, inputTiles, gradientTiles, block, to: sums)
            }
            store(part, of: 0..<outputs, sums, to: tensors.weightGradient)
        }
    }

    private func weightGradientGrouped(_ tensors: WeightGradientTensors) {
        let outputs = Int(shape.outputs)
        let inputTiles = tensors.workspace.floatAddress
        let gradientTiles = inputTiles + tilesCount(Int(shape.inputs))
        forEachThread { thread, threads in
            let part = share(of: tileCount, thread, threads)
            transformInput(part, place: part.lowerBound, tensors, to: inputTiles)
            transformGradient(
                0..<tileCount, channels(of: outputs, thread, threads), tensors, to: gradientTiles)
        }
        forEachThread { thread, threads in
            let sums =
                gradientTiles + tilesCount(outputs)
                + thread * weightsCount(Int(shape.inputs), groupSize)
            for index in share(of: (outputs + groupSize - 1) / groupSize, thread, threads) {
                let channels = index * groupSize..<min((index + 1) * groupSize, outputs)
                accumulate(
                    channels, of: channels, inputTiles, gradientTiles, 0..<tileCount, to: sums)
                store(channels, of: channels, sums, to: tensors.weightGradient)
            }
        }
    }

    /// A thread's channels: whole panels, which threads do not share.
    private func channels(of count: Int, _ thread: Int, _ threads: Int) -> Range<Int> {
        let panel = kernels.panel
        let panels = share(of: count / panel, thread, threads)
        return panels.lowerBound * panel..<panels.upperBound * panel
    }

    private func transformInput(
        _ tiles: Range<Int>, place: Int, _ tensors: WeightGradientTensors,
        to transformed: UnsafeMutablePointer<Float>
    ) {
        kernels.passes.transform_input(
            shape, tensors.input.address!, Int32(tiles.lowerBound), Int32(tiles.count),
            Int32(place), Int32(room), transformed)
    }

    private func transformGradient(
        _ tiles: Range<Int>, _ channels: Range<Int>, _ tensors: WeightGradientTensors,
        to transformed: UnsafeMutablePointer<Float>
    ) {
        kernels.passes.transform_gradient(
            shape, tensors.outputGradient.address!, Int32(tiles.lowerBound), Int32(tiles.count),
            Int32(channels.lowerBound), Int32(channels.upperBound), Int32(room), transformed)
    }

    /// - Parameter tiles: those that were transformed; the first ones overwrite the sums.
    private func accumulate(
        _ channels: Range<Int>, of group: Range<Int>, _ inputTiles: UnsafePointer<Float>,
        _ gradientTiles: UnsafePointer<Float>, _ tiles: Range<Int>,
        to sums: UnsafeMutablePointer<Float>
    ) {
        kernels.passes.accumulate(
            shape, inputTiles, gradientTiles, Int32(tiles.count), Int32(room),
            Int32(channels.lowerBound), Int32(channels.upperBound), Int32(group.lowerBound),
            Int32(group.count), tiles.lowerBound == 0 ? 0 : 1, sums)
    }

    private func store(
        _ channels: Range<Int>, of group: Range<Int>, _ sums: UnsafePointer<Float>,
        to weightGradient: Memory
    ) {
        kernels.passes.store_weight_gradient(
            shape, sums, Int32(channels.lowerBound), Int32(channels.upperBound),
            Int32(group.lowerBound), Int32(group.count), weightGradient.floatAddress)
    }
}

/// One convolution of a batch, with the tensors' addresses.
private struct Pass {
    let shape: winograd_shape
    let kernels: WinogradKernels
    let isTurned: Bool
    let room: Int
    let input: UnsafeRawPointer
    let weights: UnsafePointer<Float>
    let bias: UnsafePointer<Float>?
    let ending: winograd_ending
    let output: UnsafeMutableRawPointer

    func transformInput(
        _ tiles: Range<Int>, place: Int, to transformed: UnsafeMutablePointer<Float>
    ) {
        kernels.passes.transform_input(
            shape, input, Int32(tiles.lowerBound), Int32(tiles.count), Int32(place), Int32(room),
            transformed)
    }

    /// - Parameter group: the output channels that `transformed` has room for.
    func transformWeights(
        _ channels: Range<Int>, of group: Range<Int>,
        to transformed: UnsafeMutablePointer<Float>
    ) {
        let transform =
            isTurned ? kernels.passes.transform_turned_weights : kernels.passes.transform_weights
        transform(
            shape, weights, Int32(channels.lowerBound), Int32(channels.upperBound),
            Int32(group.lowerBound), Int32(group.count), transformed)
    }

    /// Multiplies transformed tiles and weights, and stores the output.
    func multiply(
        _ block: Range<Int>, tiles: UnsafePointer<Float>, weights: UnsafePointer<Float>,
        of channels: Range<Int>, products: UnsafeMutablePointer<Float>
    ) {
        kernels.passes.multiply(
            shape, tiles, weights, Int32(block.count), Int32(room), Int32(channels.count),
            products)
        kernels.passes.store_output(
            shape, products, Int32(block.lowerBound), Int32(block.count), Int32(room),
            Int32(channels.lowerBound), Int32(channels.count), bias, ending, output)
    }
}
