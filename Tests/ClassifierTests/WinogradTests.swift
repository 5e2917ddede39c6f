import COneDNN
import CWinograd
import Testing

@testable import Classifier

/// Those that this CPU can execute, AVX2's and AVX-512's.
private let allKernels = [
    winograd_kernels_avx2(), winograd_kernels_avx512(), winograd_kernels_avx512_bfloat16(),
].compactMap { $0?.pointee }

private let hasBFloat16 =
    OneDNNEngine.supports(.bfloat16) && !OneDNNEngine.emulatesBFloat16

/// The fewest channels that the kernels work on, and more of the input's, or the output's.
private let cases = allKernels.flatMap { kernels in
    [(1, 4, 1, 1), (3, 8, 1, 2), (2, 12, 2, 1), (2, 32, 1, 1)].map {
        ConvolutionCase(
            kernels,
            winograd_shape(
                batch: $0.0, side: $0.1, inputs: $0.2 * kernels.panel,
                outputs: $0.3 * kernels.panel))
    }
}

/// The functions of `CWinograd` against sums in float64, and against themselves under other
/// divisions of the work.
@Suite("Convolutions by minimal filtering", .enabled(if: !allKernels.isEmpty))
struct WinogradTests {
    @Test("equals the sum in float64, with every ending", arguments: cases)
    fileprivate func forward(example: ConvolutionCase) {
        let expected = example.forward()
        let shape = example.shape
        for ending in [
            winograd_store, winograd_bias, winograd_bias_relu, winograd_sum_bias_relu,
        ] {
            let before = example.outputGradient
            var output = example.blocked(before, shape.outputs)
            example.filter(turned: false, ending: ending, room: 5, into: &output)
            let sums = expected.indices.map { index in
                let channel = index / example.pixelCount % Int(shape.outputs)
                let bias = Double(example.bias[channel])
                return switch ending {
                case winograd_bias: expected[index] + bias
                case winograd_bias_relu: max(0, expected[index] + bias)
                case winograd_sum_bias_relu:
                    max(0, expected[index] + bias + Double(before[index]))
                default: expected[index]
                }
            }
            #expect(example.holds(example.plain(output, shape.outputs), sums))
        }
    }

    @Test("the input's gradient equals the sum in float64", arguments: cases)
    fileprivate func inputGradient(example: ConvolutionCase) {
        var output = [Float](repeating: .nan, count: example.input.count)
        example.filter(turned: true, ending: winograd_store, room: 4, into: &output)
        let actual = example.plain(output, example.shape.inputs)
        #expect(example.holds(actual, example.inputGradient()))
    }

    @Test("the weights' gradient equals the sum in float64", arguments: cases)
    fileprivate func weightGradient(example: ConvolutionCase) {
        let actual = example.filterWeightGradient(room: 6)
        #expect(deviation(example.plainWeights(actual), from: example.weightGradient()) < 1e-5)
    }

    @Test("no bit depends on how many tiles are transformed at a time", arguments: cases)
    fileprivate func division(example: ConvolutionCase) {
        let tiles = Int(winograd_tile_count(example.shape))
        var outputs: Set<[UInt32]> = []
        var gradients: Set<[UInt32]> = []
        for room in [1, 7, 18, tiles, tiles + 3] {
            var output = [Float](repeating: .nan, count: example.outputGradient.count)
            example.filter(turned: false, ending: winograd_store, room: room, into: &output)
            outputs.insert(output.map(\.bitPattern))
            gradients.insert(example.filterWeightGradient(room: room).map(\.bitPattern))
        }
        #expect(outputs.count == 1)
        #expect(gradients.count == 1)
    }

    @Test("what is not a number stays visible behind a relu", arguments: cases)
    fileprivate func notANumber(example: ConvolutionCase) {
        var example = example
        example.input[5] = .nan
        var output = [Float](repeating: 0, count: example.outputGradient.count)
        example.filter(turned: false, ending: winograd_bias_relu, room: 8, into: &output)
        #expect(output.contains { $0.isNaN })
    }

    @Test(
        "a network trains and scores as with oneDNN's own convolutions", arguments: [32, 64],
        [Precision.float32] + (hasBFloat16 ? [.bfloat16] : []))
    func network(width: Int, precision: Precision) throws {
        let network = ResNet18(width: width, classes: 10)
        let (images, labels) = network.randomBatch(7, seed: 3)
        let engines = try [true, false].map {
            try OneDNNEngine(
                network, network.initialState(seed: 2), precision, usingWinograd: $0)
        }
        var logits: [[Float]] = []
        for engine in engines {
            let profile = Profile()
            engine.profile = profile
            for rate in [0, 0.05] {
                _ = try engine.trainStep(
                    images: images.span, labels: labels.span,
                    optimizer: SGD(learningRate: Float(rate), momentum: 0.9, weightDecay: 5e-4))
            }
            logits.append(engine.trainingLogits)
            var scores = [Float](repeating: 0, count: 7 * 10)
            var span = scores.mutableSpan
            try engine.evaluate(images: images.span, imageCount: 7, logits: &span)
            logits.append(scores)
        }
        let isRounded = precision == .bfloat16
        #expect(deviation(logits[0], from: logits[2]) < (isRounded ? 0.02 : tolerance))
        #expect(deviation(logits[1], from: logits[3]) < (isRounded ? 0.02 : 1e-3))
        // Equal bits would mean that both took the same way.
        let type = Numbers(precision, emulatingBFloat16: false).type
        let usesWinograd = WinogradKernels(for: network, type) != nil
        #expect((logits[0] != logits[2]) == usesWinograd)
    }
}

/// The passes as a network runs them: blocks of tiles, or all tiles and groups of channels, shared by threads.
@Suite("Convolutions by minimal filtering in a team of threads")
struct WinogradTeamTests {
    @Test(
        "no bit depends on the number of threads", arguments: [(64, 8), (96, 16), (256, 4)],
        [Precision.float32] + (hasBFloat16 ? [.bfloat16] : []))
    func threads(example: (channels: Int, side: Int), precision: Precision) throws {
        let type = Numbers(precision, emulatingBFloat16: false).type
        let network = ResNet18(width: 64, classes: 10)
        guard let kernels = WinogradKernels(for: network, type) else { return }
        let before = omp_get_max_threads()
        defer { omp_set_num_threads(before) }
        let results = try [1, 2, 3, 5].map { (threads: Int32) in
            omp_set_num_threads(threads)
            return try gradients(example.channels, example.side, kernels)
        }
        for result in results {
            // Not inside the macro, which would print megabytes.
            let isSame = (result.weights, result.input) == (results[0].weights, results[0].input)
            #expect(isSame)
        }
        #expect(results[0].weights.contains { $0 != 0 })
    }

    private func gradients(
        _ channels: Int, _ side: Int, _ kernels: WinogradKernels
    ) throws -> (weights: [UInt8], input: [UInt8]) {
        let convolution = ResNet18.Convolution(
            name: "one", inputChannels: channels, outputChannels: channels, kernel: 3, stride: 1,
            inputSide: side)
        let filtering = try #require(
            try WinogradConvolution.replacing(convolution, .weightGradient, batch: 9, kernels))
        let device = try Device()
        var buffers: [[UInt8]] = []
        var generator = TestGenerator(seed: 5)
        let layouts = [
            filtering.inputLayout, filtering.outputLayout, filtering.weightLayout,
            filtering.weightLayout, filtering.inputLayout,
            try Layout.plain([filtering.workspaceCount]),
        ]
        let memories = try layouts.map { try Memory($0, device) }
        for (place, layout) in layouts.enumerated() {
            // Small numbers in either type; what is written begins as something else.
            buffers.append(
                place < 3
                    ? (0..<layout.byteCount / 2).flatMap { _ in
                        let bits = BFloat16(rounding: generator.uniform() - 0.5).bits
                        return [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)]
                    } : [UInt8](repeating: 0xFF, count: layout.byteCount))
        }
        let addresses = buffers.map { buffer in
            let address = UnsafeMutableRawPointer.allocate(byteCount: buffer.count, alignment: 64)
            address.copyMemory(from: buffer, byteCount: buffer.count)
            return address
        }
        defer { for address in addresses { address.deallocate() } }
        for (memory, address) in zip(memories, addresses) { try memory.bind(to: address) }
        filtering.weightGradient(
            .init(
                input: memories[0], outputGradient: memories[1], weightGradient: memories[3],
                workspace: memories[5]))
        filtering.inputGradient(
            .init(
                input: memories[1], weights: memories[2], output: memories[4],
                workspace: memories[5]))
        func bytes(_ place: Int) -> [UInt8] {
            Array(
                UnsafeRawBufferPointer(start: addresses[place], count: buffers[place].count))
        }
        return (bytes(3), bytes(4))
    }
}

/// Random tensors in PyTorch's layouts, and one convolution's passes over them in float64.
private struct ConvolutionCase: CustomTestStringConvertible {
    let kernels: winograd_kernels
    let shape: winograd_shape
    var input: [Float]
    let weights: [Float]
    let bias: [Float]
    let outputGradient: [Float]

    init(_ kernels: winograd_kernels, _ shape: winograd_shape) {
        self.kernels = kernels
        self.shape = shape
        var state: UInt64 = 0x9e37_79b9
        func random(_ count: Int) -> [Float] {
            (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let value = Float(Int64(state >> 40)) / Float(1 << 23) - 1
                return kernels.element_size == 2 ? BFloat16(rounding: value).float : value
            }
        }
        let pixels = Int(shape.side * shape.side)
        let (inputs, outputs) = (Int(shape.inputs), Int(shape.outputs))
        input = random(Int(shape.batch) * inputs * pixels)
        weights = random(outputs * inputs * 9)
        bias = random(outputs)
        outputGradient = random(Int(shape.batch) * outputs * pixels)
    }

    var testDescription: String {
        "\(kernels.lanes) lanes of \(kernels.element_size) bytes, \(shape.batch) images of \(shape.inputs)×\(shape.side)×\(shape.side) "
            + "to \(shape.outputs) channels"
    }

    var side: Int { Int(shape.side) }
    var lanes: Int { Int(kernels.lanes) }
    var pixelCount: Int { side * side }
}

extension ConvolutionCase {
    /// Calls `body` with the indices of each product's image, output, input, weight and pixels.
    private func forEachProduct(_ body: (_ output: Int, _ input: Int, _ weight: Int) -> Void) {
        let (inputs, outputs) = (Int(shape.inputs), Int(shape.outputs))
        for image in 0..<Int(shape.batch) {
            for (out, into) in (0..<outputs).flatMap({ o in (0..<inputs).map { (o, $0) } }) {
                for kernel in 0..<9 {
                    let (down, right) = (kernel / 3 - 1, kernel % 3 - 1)
                    for row in max(0, -down)..<min(side, side - down) {
                        for column in max(0, -right)..<min(side, side - right) {
                            body(
                                ((image * outputs + out) * side + row) * side + column,
                                ((image * inputs + into) * side + row + down) * side + column
                                    + right,
                                (out * inputs + into) * 9 + kernel)
                        }
                    }
                }
            }
        }
    }

    func forward() -> [Double] {
        var sums = [Double](repeating: 0, count: outputGradient.count)
        forEachProduct { sums[$0] += Double(input[$1]) * Double(weights[$2]) }
        return sums
    }

    func inputGradient() -> [Double] {
        var sums = [Double](repeating: 0, count: input.count)
        forEachProduct { sums[$1] += Double(outputGradient[$0]) * Double(weights[$2]) }
        return sums
    }

    func weightGradient() -> [Double] {
        var sums = [Double](repeating: 0, count: weights.count)
        forEachProduct { sums[$2] += Double(outputGradient[$0]) * Double(input[$1]) }
        return sums
    }
}

extension ConvolutionCase {
    /// From (batch, channel, row, column) to blocks of channels.
    func blocked(_ values: [Float], _ channels: Int32) -> [Float] {
        reordered(values, Int(channels)) { plain, blocked in (blocked, plain) }
    }

    func plain(_ values: [Float], _ channels: Int32) -> [Float] {
        reordered(values, Int(channels)) { plain, blocked in (plain, blocked) }
    }

    private func reordered(
        _ values: [Float], _ channels: Int, _ places: (Int, Int) -> (to: Int, from: Int)
    ) -> [Float] {
        var result = values
        for image in 0..<Int(shape.batch) {
            for channel in 0..<channels {
                for pixel in 0..<pixelCount {
                    let block = (image * channels / lanes + channel / lanes) * pixelCount + pixel
                    let (to, from) = places(
                        (image * channels + channel) * pixelCount + pixel,
                        block * lanes + channel % lanes)
                    result[to] = values[from]
                }
            }
        }
        return result
    }

    /// The place of a weight in blocks of inputs and outputs.
    private func blockedWeight(_ out: Int, _ into: Int, _ kernel: Int) -> Int {
        let block = (out / lanes * (Int(shape.inputs) / lanes) + into / lanes) * 9 + kernel
        return (block * lanes + into % lanes) * lanes + out % lanes
    }

    private func forEachWeight(_ body: (_ plain: Int, _ blocked: Int) -> Void) {
        for out in 0..<Int(shape.outputs) {
            for into in 0..<Int(shape.inputs) {
                for kernel in 0..<9 {
                    body(
                        (out * Int(shape.inputs) + into) * 9 + kernel,
                        blockedWeight(out, into, kernel))
                }
            }
        }
    }

    var blockedWeights: [Float] {
        var result = weights
        forEachWeight { result[$1] = weights[$0] }
        return result
    }

    func plainWeights(_ values: [Float]) -> [Float] {
        var result = values
        forEachWeight { result[$0] = values[$1] }
        return result
    }
}

extension ConvolutionCase {
    /// Activations in the kernels' element type, as halves of float32s or upper halves alone.
    private func encoded(_ values: [Float]) -> [UInt16] {
        kernels.element_size == 2
            ? values.map { BFloat16(rounding: $0).bits }
            : values.map(\.bitPattern).flatMap {
                [UInt16(truncatingIfNeeded: $0), UInt16($0 >> 16)]
            }
    }

    private func decoded(_ elements: [UInt16]) -> [Float] {
        guard kernels.element_size == 4 else {
            return elements.map { Float(bitPattern: UInt32($0) << 16) }
        }
        return stride(from: 0, to: elements.count, by: 2).map {
            Float(bitPattern: UInt32(elements[$0]) | UInt32(elements[$0 + 1]) << 16)
        }
    }

    /// Whether outputs are what they should be, rounded once if at all.
    func holds(_ actual: [Float], _ expected: [Double]) -> Bool {
        guard kernels.element_size == 2 else { return deviation(actual, from: expected) < 1e-5 }
        let largest = expected.reduce(0) { max($0, abs($1)) }
        return actual.count == expected.count
            && zip(actual, expected).allSatisfy {
                // Half of a last place of 8 bits, beside float32's own rounding.
                abs(Double($0) - $1) <= abs($1) / 256 / (1 + 1 / 256) + 1e-5 * largest
            }
    }
}

extension ConvolutionCase {
    /// The forward pass, or the input's gradient if `turned`, `room` tiles at a time.
    func filter(turned: Bool, ending: winograd_ending, room: Int, into output: inout [Float]) {
        var shape = shape
        if turned { swap(&shape.inputs, &shape.outputs) }
        let source = encoded(
            turned ? blocked(outputGradient, shape.inputs) : blocked(input, shape.inputs))
        var elements = encoded(output)
        let (inputs, outputs) = (shape.inputs, shape.outputs)
        var transformed = buffer(winograd_weights_size(inputs, outputs))
        let transform =
            turned ? kernels.transform_turned_weights : kernels.transform_weights
        transform(shape, blockedWeights, 0, outputs, 0, outputs, &transformed)
        var tiles = buffer(winograd_tiles_size(Int32(room), inputs))
        var products = buffer(winograd_tiles_size(Int32(room), outputs))
        let count = Int(winograd_tile_count(shape))
        for first in stride(from: 0, to: count, by: room) {
            let (start, size) = (Int32(first), Int32(min(room, count - first)))
            kernels.transform_input(shape, source, start, size, 0, Int32(room), &tiles)
            kernels.multiply(shape, tiles, transformed, size, Int32(room), outputs, &products)
            kernels.store_output(
                shape, products, start, size, Int32(room), 0, outputs, bias, ending, &elements)
        }
        output = decoded(elements)
    }

    /// In blocks, like the weights that the functions take.
    func filterWeightGradient(room: Int) -> [Float] {
        let (inputs, outputs) = (shape.inputs, shape.outputs)
        let source = encoded(blocked(input, inputs))
        let gradient = encoded(blocked(outputGradient, outputs))
        var tiles = buffer(winograd_tiles_size(Int32(room), inputs))
        var gradientTiles = buffer(winograd_tiles_size(Int32(room), outputs))
        var sums = buffer(winograd_weights_size(inputs, outputs))
        let count = Int(winograd_tile_count(shape))
        for first in stride(from: 0, to: count, by: room) {
            let (start, size) = (Int32(first), Int32(min(room, count - first)))
            kernels.transform_input(shape, source, start, size, 0, Int32(room), &tiles)
            // A panel at a time, as threads do.
            for channel in stride(from: 0, to: outputs, by: Int(kernels.panel)) {
                let next = channel + Int32(kernels.panel)
                kernels.transform_gradient(
                    shape, gradient, start, size, channel, next, Int32(room), &gradientTiles)
            }
            kernels.accumulate(
                shape, tiles, gradientTiles, size, Int32(room), 0, outputs, 0, outputs,
                first == 0 ? 0 : 1, &sums)
        }
        var result = [Float](repeating: .nan, count: weights.count)
        kernels.store_weight_gradient(shape, sums, 0, outputs, 0, outputs, &result)
        return result
    }

    private func buffer(_ count: Int) -> [Float] {
        [Float](repeating: .nan, count: count)
    }
}
