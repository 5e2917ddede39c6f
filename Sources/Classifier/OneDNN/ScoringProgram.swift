import COneDNN
import CWinograd

/// The convolutions with their batch norms folded in, for scoring with running statistics.
final class FoldedStore {
    struct Slot {
        let weights: Memory
        let bias: Memory
    }

    private let device: Device
    private let buffer: PageBuffer
    private var slots: [String: Slot] = [:]

    init(
        _ network: ResNet18, _ device: Device,
        weightLayout: (ResNet18.Convolution) throws(ClassifierError) -> Layout
    ) throws(ClassifierError) {
        self.device = device
        var plan = ArenaPlan()
        var offsets: [String: (weights: Int, bias: Int)] = [:]
        for unit in network.units {
            let name = unit.convolution.name
            let slot = Slot(
                weights: try Memory(weightLayout(unit.convolution), device),
                bias: try Memory(.plain([unit.convolution.outputChannels]), device))
            slots[name] = slot
            offsets[name] = (
                plan.acquire(byteCount: slot.weights.layout.byteCount).lowerBound,
                plan.acquire(byteCount: slot.bias.layout.byteCount).lowerBound
            )
        }
        buffer = PageBuffer(byteCount: plan.byteCount)
        for unit in network.units {
            let name = unit.convolution.name
            try slots[name]!.weights.bind(to: buffer.address + offsets[name]!.weights)
            try slots[name]!.bias.bind(to: buffer.address + offsets[name]!.bias)
        }
    }

    subscript(convolution: ResNet18.Convolution) -> Slot { slots[convolution.name]! }

    func fold(
        _ unit: ResNet18.Unit, _ store: ParameterStore, _ running: RunningStatistics,
        _ numbers: Numbers
    ) throws(ClassifierError) {
        let folded = FoldedUnit(
            weights: try store.values(unit.convolution.name + ".weight"),
            factors: try store.values(unit.normName + ".weight"),
            summands: try store.values(unit.normName + ".bias"), running)
        try write(folded.weights, to: self[unit.convolution].weights, device)
        if numbers.emulatesBFloat16 { roundToBFloat16(self[unit.convolution].weights.floats) }
        try write(folded.bias, to: self[unit.convolution].bias, device)
    }
}

/// The forward pass with running statistics, of one batch size.
final class ScoringProgram {
    let program: Program
    /// Plain NCHW images.
    let input: Memory
    /// Row-major `(batch, featureCount)`.
    let features: Memory
    /// Row-major `(batch, classes)`.
    let logits: Memory
    /// The network's, with a stream of its own.
    private let device: Device

    init(
        _ network: ResNet18, batch: Int, _ store: ParameterStore, _ folded: FoldedStore,
        _ device: Device, _ numbers: Numbers
    ) throws(ClassifierError) {
        var builder = try ScoringBuilder(batch: batch, folded, device, numbers)
        input = try builder.program.tensor(
            .plain([batch, ResNet18.imageChannels, ResNet18.imageSide, ResNet18.imageSide]))
        builder.program.roundIfEmulating(input)
        var output = try builder.append(network.stem.convolution, input, withRelu: true)
        for block in network.blocks {
            output = try builder.append(block, output)
        }
        let layer = try LinearLayer(network, batch: batch)
        let pool = try builder.operations.pool(
            network, dnnl_forward_inference, batch: batch, source: output.layout)
        let pooled = try builder.program.tensor(pool.layout(dnnl_query_dst_md))
        try builder.program.append(
            .pool, pool, [(DNNL_ARG_SRC_0, output), (DNNL_ARG_DST_0, pooled)])
        features = try builder.program.bring(pooled, to: layer.source)
        logits = try builder.program.tensor(layer.destination)
        try builder.program.append(
            .linear, layer.forward(dnnl_forward_inference, builder.operations),
            [
                (DNNL_ARG_SRC_0, features), (DNNL_ARG_WEIGHTS_0, store["linear.weight"].value),
                (DNNL_ARG_BIAS, store["linear.bias"].value), (DNNL_ARG_DST_0, logits),
            ])
        program = builder.program.finish()
        self.device = try Device(sharing: device)
    }

    func run(_ images: Span<Float>, _ arena: Arena, _ profile: Profile?) throws(ClassifierError) {
        try program.bind(to: arena)
        input.fill(from: images)
        try program.run(0..<program.stepCount, device, profile: profile)
    }
}

/// Scores images in one thread.
final class Scorer {
    private let arena: Arena
    private var programs = ProgramCache<ScoringProgram>(
        capacity: OneDNNEngine.maximumProgramCount)
    /// The program with the last results; none of no images.
    private(set) var outcome = Result<ScoringProgram?, ClassifierError>.success(nil)

    /// - Parameter arena: lent for as long as images are scored.
    init(_ arena: Arena) {
        self.arena = arena
    }

    /// - Parameter make: makes the program of a batch size, in the thread that runs it.
    func score(
        _ images: Span<Float>, imageCount: Int, profile: Profile?,
        make: (Int) throws(ClassifierError) -> ScoringProgram
    ) {
        outcome = .success(nil)
        guard imageCount > 0 else { return }
        do throws(ClassifierError) {
            let part = try programs.program(batch: imageCount, make: make)
            try part.run(images, arena, profile)
            outcome = .success(part)
        } catch {
            outcome = .failure(error)
        }
    }
}

private struct ScoringBuilder {
    var program: ProgramBuilder
    let operations: Operations
    private let batch: Int
    private let folded: FoldedStore
    private let relu: Attributes
    private let sumRelu: Attributes

    init(
        batch: Int, _ folded: FoldedStore, _ device: Device, _ numbers: Numbers
    ) throws(ClassifierError) {
        program = try ProgramBuilder(
            device: device, emulatesBFloat16: numbers.emulatesBFloat16)
        operations = Operations(
            device: device, attributes: program.attributes, type: numbers.type,
            winograd: numbers.winograd)
        self.batch = batch
        self.folded = folded
        relu = try Attributes(relu: true)
        sumRelu = try Attributes(sum: true, relu: true)
    }

    /// - Parameter input: released.
    mutating func append(
        _ block: ResNet18.Block, _ input: Memory
    ) throws(ClassifierError) -> Memory {
        let hidden = try append(block.first.convolution, input, withRelu: true)
        var side = input
        if let shortcut = block.shortcut {
            side = try append(shortcut.convolution, input, withRelu: false)
            program.release(input)
        }
        // The second convolution adds itself to the shortcut in place, then applies relu.
        let description = try operations.foldedConvolution(
            block.second.convolution, batch: batch, sumRelu)
        let output = try program.bring(side, to: description.layout(dnnl_query_dst_md))
        program.release(side, broughtFrom: output)
        try append(
            block.second.convolution, description, hidden, output, ending: winograd_sum_bias_relu)
        program.release(hidden)
        return output
    }

    mutating func append(
        _ convolution: ResNet18.Convolution, _ input: Memory, withRelu: Bool
    ) throws(ClassifierError) -> Memory {
        let description = try operations.foldedConvolution(
            convolution, batch: batch, withRelu ? relu : operations.attributes)
        let output = try program.tensor(description.layout(dnnl_query_dst_md))
        try append(
            convolution, description, input, output,
            ending: withRelu ? winograd_bias_relu : winograd_bias)
        return output
    }

    private mutating func append(
        _ convolution: ResNet18.Convolution, _ description: PrimitiveDescription, _ input: Memory,
        _ output: Memory, ending: winograd_ending
    ) throws(ClassifierError) {
        program.layer = convolution.name
        defer { program.layer = nil }
        let slot = folded[convolution]
        if let winograd = try operations.winograd(convolution, .outputs, batch: batch) {
            let source = try program.bring(input, to: winograd.inputLayout)
            try program.append(
                .convolution, winograd, source, slot.weights, bias: slot.bias, ending: ending,
                into: output)
            program.release(source, broughtFrom: input)
            return
        }
        let source = try program.bring(input, to: description.layout(dnnl_query_src_md))
        let weights = try program.bring(slot.weights, to: description.layout(dnnl_query_weights_md))
        try program.append(
            .convolution, description,
            [
                (DNNL_ARG_SRC_0, source), (DNNL_ARG_WEIGHTS_0, weights),
                (DNNL_ARG_BIAS, slot.bias), (DNNL_ARG_DST_0, output),
            ])
        program.release(source, broughtFrom: input)
        program.release(weights, broughtFrom: slot.weights)
    }
}
