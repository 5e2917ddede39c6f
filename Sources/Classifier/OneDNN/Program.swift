import COneDNN
import CWinograd

/// One step of a program.
enum Step {
    case primitive(Primitive)
    /// into ← relu(into + other).
    case rectifiedSum(into: Memory, other: Memory)
    /// into ← (into + other)·[active > 0]; without `other`, into·[active > 0].
    case maskedSum(into: Memory, other: Memory?, active: Memory)
    /// into ← into + other.
    case sum(into: Memory, other: Memory)
    /// memory ← memory, each element rounded to bfloat16.
    case rounding(Memory)
    case statistics(ChannelStatistics)
    /// A convolution's weight gradient as a matrix product over channels-last tensors.
    case weightGradient(TiledConvolution, ChannelsLastTensors)
    case winograd(WinogradConvolution, WinogradConvolution.ForwardTensors)
    case winogradInputGradient(WinogradConvolution, WinogradConvolution.ForwardTensors)
    case winogradWeightGradient(WinogradConvolution, WinogradConvolution.WeightGradientTensors)
}

/// What a weight gradient is computed from and goes to, all float32 and channels-last.
struct ChannelsLastTensors {
    let input: Memory
    let outputGradient: Memory
    /// Room for a tile of windows.
    let columns: Memory
    let weightGradient: Memory
}

extension Step {
    fileprivate func run(_ device: Device) throws(ClassifierError) {
        switch self {
        case .primitive(let primitive): try primitive.run(device)
        case .rectifiedSum(let into, let other):
            switch into.layout.type {
            case dnnl_bf16: addAndRectify(into.bfloats, other.bfloats)
            default: addAndRectify(into.floats, other.floats)
            }
        case .maskedSum(let into, let other, let active):
            switch into.layout.type {
            case dnnl_bf16: addAndMask(into.bfloats, other?.bfloats, active.bfloats)
            default: addAndMask(into.floats, other?.floats, active.floats)
            }
        case .sum(let into, let other):
            switch into.layout.type {
            case dnnl_bf16: add(into.bfloats, other.bfloats)
            default: add(into.floats, other.floats)
            }
        case .rounding(let memory): roundToBFloat16(memory.floats)
        case .statistics(let statistics): statistics.compute()
        case .weightGradient(let convolution, let tensors):
            var columns = tensors.columns.floats.mutableSpan
            var weightGradient = tensors.weightGradient.floats.mutableSpan
            convolution.weightGradient(
                input: tensors.input.floats.span,
                outputGradient: tensors.outputGradient.floats.span, columns: &columns,
                weightGradient: &weightGradient)
        case .winograd(let convolution, let tensors): convolution.forward(tensors)
        case .winogradInputGradient(let convolution, let tensors):
            convolution.inputGradient(tensors)
        case .winogradWeightGradient(let convolution, let tensors):
            convolution.weightGradient(tensors)
        }
    }
}

extension StepKind {
    /// Whether its results are activations or their gradients, which bfloat16 networks store as
    /// bfloat16.
    fileprivate var yieldsActivations: Bool {
        switch self {
        case .convolution, .convolutionData, .norm, .normGradient, .pool: true
        case .convolutionWeights, .residual, .residualGradient, .reorder, .linear, .optimizer,
            .other:
            false
        }
    }
}

/// A fixed sequence of operations on tensors in an arena, built once for a batch size.
final class Program {
    private let steps: [(label: Profile.Label, step: Step)]
    private let places: [(memory: Memory, offset: Int)]
    private let byteCount: Int
    private var boundGeneration = -1

    fileprivate init(
        steps: [(label: Profile.Label, step: Step)], places: [(memory: Memory, offset: Int)],
        byteCount: Int
    ) {
        self.steps = steps
        self.places = places
        self.byteCount = byteCount
    }

    var stepCount: Int { steps.count }

    /// Gives every tensor its address, unless they are where they were.
    func bind(to arena: Arena) throws(ClassifierError) {
        arena.reserve(byteCount: byteCount)
        guard boundGeneration != arena.generation else { return }
        for place in places {
            try place.memory.bind(to: arena.address + place.offset)
        }
        boundGeneration = arena.generation
    }

    /// Runs some of the steps.
    func run(
        _ range: Range<Int>, _ device: Device, profile: Profile?
    ) throws(ClassifierError) {
        for entry in steps[range] {
            let start = profile.map { _ in Profile.threadSeconds }
            try entry.step.run(device)
            if let profile, let start {
                try device.wait()
                profile.add(entry.label, since: start)
            }
        }
        try device.wait()
    }
}

/// Builds a program: places tensors in the arena, and inserts a reorder wherever the layout that
/// an operation wants is not the one its input has.
struct ProgramBuilder {
    let device: Device
    /// For operations without post-ops.
    let attributes: Attributes
    /// Whether float32 tensors are rounded wherever a bfloat16 network stores bfloat16.
    let emulatesBFloat16: Bool
    /// The convolution whose unit the next steps belong to, for profiles.
    var layer: String?
    private var plan = ArenaPlan()
    private var steps: [(label: Profile.Label, step: Step)] = []
    private var places: [(memory: Memory, offset: Int)] = []
    private var regions: [ObjectIdentifier: Range<Int>] = [:]
    private var scratchpads: [Memory] = []

    init(device: Device, emulatesBFloat16: Bool) throws(ClassifierError) {
        self.device = device
        self.emulatesBFloat16 = emulatesBFloat16
        attributes = try Attributes()
    }

    var stepCount: Int { steps.count }

    /// A tensor in the arena, with undefined contents until a step writes it.
    mutating func tensor(_ layout: Layout) throws(ClassifierError) -> Memory {
        let memory = try Memory(layout, device)
        let region = plan.acquire(byteCount: layout.byteCount)
        regions[ObjectIdentifier(memory)] = region
        places.append((memory, region.lowerBound))
        return memory
    }

    /// Lets later tensors have this one's place.
    mutating func release(_ memory: Memory) {
        guard let region = regions.removeValue(forKey: ObjectIdentifier(memory)) else {
            preconditionFailure("only a tensor of the arena is released, and once")
        }
        plan.release(region)
    }

    mutating func append(
        _ kind: StepKind, _ description: PrimitiveDescription,
        _ tensors: [(role: Int32, memory: Memory)]
    ) throws(ClassifierError) {
        var tensors = tensors
        let layout = try description.layout(dnnl_query_scratchpad_md)
        if layout.byteCount > 0 {
            let scratchpad = try Memory(layout, device)
            scratchpads.append(scratchpad)
            tensors.append((DNNL_ARG_SCRATCHPAD, scratchpad))
        }
        append(kind, .primitive(try Primitive(description, tensors)))
        for (role, memory) in tensors
        where kind.yieldsActivations && [DNNL_ARG_DST_0, DNNL_ARG_DIFF_SRC_0].contains(role) {
            roundIfEmulating(memory)
        }
    }

    /// Rounds a tensor that a bfloat16 network would store as bfloat16.
    mutating func roundIfEmulating(_ memory: Memory) {
        guard emulatesBFloat16 else { return }
        append(.other, .rounding(memory))
    }

    /// Parameters, which stay float32, as a convolution wants them.
    mutating func bringWeights(
        _ memory: Memory, to layout: Layout
    ) throws(ClassifierError) -> Memory {
        guard emulatesBFloat16 else { return try bring(memory, to: layout) }
        let copy = try tensor(layout)
        try reorder(memory, to: copy)
        roundIfEmulating(copy)
        return copy
    }

    mutating func append(_ kind: StepKind, _ step: Step) {
        steps.append((Profile.Label(kind: kind, layer: layer), step))
    }

    /// A convolution by minimal filtering.
    mutating func append(
        _ kind: StepKind, _ convolution: WinogradConvolution, _ input: Memory, _ weights: Memory,
        bias: Memory? = nil, ending: winograd_ending = winograd_store, into output: Memory
    ) throws(ClassifierError) {
        let workspace = try tensor(.plain([convolution.workspaceCount]))
        append(
            kind,
            .winograd(
                convolution,
                .init(
                    input: input, weights: weights, bias: bias, ending: ending, output: output,
                    workspace: workspace)))
        release(workspace)
    }

    /// - Parameter weights: of the convolution itself, not turned.
    mutating func appendInputGradient(
        _ convolution: WinogradConvolution, _ outputGradient: Memory, _ weights: Memory,
        into inputGradient: Memory
    ) throws(ClassifierError) {
        let workspace = try tensor(.plain([convolution.workspaceCount]))
        append(
            .convolutionData,
            .winogradInputGradient(
                convolution,
                .init(
                    input: outputGradient, weights: weights, output: inputGradient,
                    workspace: workspace)))
        release(workspace)
    }

    mutating func appendWeightGradient(
        _ convolution: WinogradConvolution, _ input: Memory, _ outputGradient: Memory,
        into weightGradient: Memory
    ) throws(ClassifierError) {
        let workspace = try tensor(.plain([convolution.workspaceCount]))
        append(
            .convolutionWeights,
            .winogradWeightGradient(
                convolution,
                .init(
                    input: input, outputGradient: outputGradient, weightGradient: weightGradient,
                    workspace: workspace)))
        release(workspace)
    }

    /// The statistics of a batch's channels.
    mutating func appendStatistics(
        of values: Memory, mean: Memory, variance: Memory
    ) throws(ClassifierError) {
        var source = values
        if try ChannelStatistics.lanes(of: values.layout) == nil {
            source = try bring(
                values, to: Layout(values.layout.shape, values.layout.type, order: dnnl_acdb))
        }
        let sums = try tensor(.plain(ChannelStatistics.sumsShape(of: values.layout)))
        append(
            .norm,
            .statistics(
                ChannelStatistics(
                    values: source, lanes: try ChannelStatistics.lanes(of: source.layout)!,
                    sums: sums, mean: mean, variance: variance)))
        release(sums)
        release(source, broughtFrom: values)
    }

    /// Copies a tensor into another of the same shape.
    mutating func reorder(_ from: Memory, to: Memory) throws(ClassifierError) {
        let description = try PrimitiveDescription("dnnl_reorder_primitive_desc_create") {
            onednn_reorder(
                $0, device.engine, from.layout.handle, to.layout.handle, attributes.handle)
        }
        try append(.reorder, description, [(DNNL_ARG_FROM, from), (DNNL_ARG_TO, to)])
    }

    /// The tensor itself where it has the layout already, else a reordered copy.
    mutating func bring(_ memory: Memory, to layout: Layout) throws(ClassifierError) -> Memory {
        guard !memory.layout.isSame(as: layout) else { return memory }
        let copy = try tensor(layout)
        try reorder(memory, to: copy)
        return copy
    }

    /// Releases what `bring` made, if it made anything.
    mutating func release(_ memory: Memory, broughtFrom original: Memory) {
        if memory !== original {
            release(memory)
        }
    }

    /// All scratchpads share one place, because one primitive runs at a time. It lies behind the
    /// tensors: a place that is free at the end was some tensor's in between.
    func finish() -> Program {
        let offset = plan.byteCount
        let byteCount = scratchpads.map(\.layout.byteCount).max() ?? 0
        return Program(
            steps: steps, places: places + scratchpads.map { ($0, offset) },
            byteCount: offset + byteCount)
    }
}
