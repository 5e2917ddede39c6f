import COneDNN

/// Makes the descriptions of a network's operations, so that training, scoring and the choice of
/// the parameters' layouts ask for them in one way. Activations have the element type `type`;
/// parameters, their gradients and statistics are float32.
struct Operations {
    let device: Device
    /// For operations without post-ops.
    let attributes: Attributes
    let type: dnnl_data_type_t
    /// What computes convolutions by minimal filtering; nil where oneDNN computes them all.
    var winograd: WinogradKernels?

    func inputShape(_ convolution: ResNet18.Convolution, batch: Int) -> [Int] {
        [batch, convolution.inputChannels, convolution.inputSide, convolution.inputSide]
    }

    func outputShape(_ convolution: ResNet18.Convolution, batch: Int) -> [Int] {
        [batch, convolution.outputChannels, convolution.outputSide, convolution.outputSide]
    }

    /// The layout of an image's channels around a convolution: blocks where some convolutions are
    /// computed on blocks, so that nothing is reordered between them and the others.
    private func activations(_ shape: [Int]) throws(ClassifierError) -> Layout {
        guard let winograd, shape[1] % winograd.lanes == 0 else { return try .any(shape, type) }
        return try Layout(shape, type, order: winograd.activationOrder)
    }

    /// A convolution whose result goes into batch statistics.
    func trainedConvolution(
        _ convolution: ResNet18.Convolution, batch: Int
    ) throws(ClassifierError) -> PrimitiveDescription {
        let source = try activations(inputShape(convolution, batch: batch))
        let weights = try Layout.any(convolution.weightShape, type)
        let destination = try activations(outputShape(convolution, batch: batch))
        return try PrimitiveDescription("dnnl_convolution_forward_primitive_desc_create") {
            onednn_convolution_forward(
                $0, device.engine, dnnl_forward_training, source.handle, weights.handle, nil,
                destination.handle, Int64(convolution.stride), Int64(convolution.padding),
                attributes.handle)
        }
    }

    /// A convolution with the batch norm folded in, that ends as `attributes` say.
    func foldedConvolution(
        _ convolution: ResNet18.Convolution, batch: Int, _ attributes: Attributes
    ) throws(ClassifierError) -> PrimitiveDescription {
        let source = try activations(inputShape(convolution, batch: batch))
        let weights = try Layout.any(convolution.weightShape, type)
        let bias = try Layout.plain([convolution.outputChannels])
        let destination = try activations(outputShape(convolution, batch: batch))
        return try PrimitiveDescription("dnnl_convolution_forward_primitive_desc_create") {
            onednn_convolution_forward(
                $0, device.engine, dnnl_forward_inference, source.handle, weights.handle,
                bias.handle, destination.handle, Int64(convolution.stride),
                Int64(convolution.padding), attributes.handle)
        }
    }

    /// The same by minimal filtering, where that is possible.
    func winograd(
        _ convolution: ResNet18.Convolution, _ product: WinogradKernels.Product, batch: Int
    ) throws(ClassifierError) -> WinogradConvolution? {
        guard let winograd else { return nil }
        return try .replacing(convolution, product, batch: batch, winograd)
    }

    /// The layout in which a convolution with the batch norm folded in takes its weights.
    func foldedWeights(
        _ convolution: ResNet18.Convolution, batch: Int
    ) throws(ClassifierError) -> Layout {
        if let winograd = try winograd(convolution, .outputs, batch: batch) {
            return winograd.weightLayout
        }
        return try foldedConvolution(convolution, batch: batch, attributes)
            .layout(dnnl_query_weights_md)
    }

    func convolutionInputGradient(
        _ convolution: ResNet18.Convolution, batch: Int, forward: PrimitiveDescription
    ) throws(ClassifierError) -> PrimitiveDescription {
        let source = try activations(inputShape(convolution, batch: batch))
        let weights = try Layout.any(convolution.weightShape, type)
        let destination = try activations(outputShape(convolution, batch: batch))
        return try PrimitiveDescription("dnnl_convolution_backward_data_primitive_desc_create") {
            onednn_convolution_backward_data(
                $0, device.engine, source.handle, weights.handle, destination.handle,
                Int64(convolution.stride), Int64(convolution.padding), forward.handle,
                attributes.handle)
        }
    }

    func convolutionWeightGradient(
        _ convolution: ResNet18.Convolution, batch: Int, forward: PrimitiveDescription
    ) throws(ClassifierError) -> PrimitiveDescription {
        let source = try activations(inputShape(convolution, batch: batch))
        let weights = try Layout.any(convolution.weightShape)
        let destination = try activations(outputShape(convolution, batch: batch))
        return try PrimitiveDescription("dnnl_convolution_backward_weights_primitive_desc_create") {
            onednn_convolution_backward_weights(
                $0, device.engine, source.handle, weights.handle, destination.handle,
                Int64(convolution.stride), Int64(convolution.padding), forward.handle,
                attributes.handle)
        }
    }

    func norm(
        over data: Layout, withRelu: Bool
    ) throws(ClassifierError) -> PrimitiveDescription {
        try PrimitiveDescription("dnnl_batch_normalization_forward_primitive_desc_create") {
            onednn_batch_norm_forward(
                $0, device.engine, data.handle, ResNet18.epsilon, withRelu ? 1 : 0,
                attributes.handle)
        }
    }

    func normGradient(
        over data: Layout, withRelu: Bool, forward: PrimitiveDescription
    ) throws(ClassifierError) -> PrimitiveDescription {
        try PrimitiveDescription("dnnl_batch_normalization_backward_primitive_desc_create") {
            onednn_batch_norm_backward(
                $0, device.engine, data.handle, data.handle, ResNet18.epsilon, withRelu ? 1 : 0,
                forward.handle, attributes.handle)
        }
    }

    /// The mean over all pixels of `source`.
    func pool(
        _ network: ResNet18, _ kind: dnnl_prop_kind_t, batch: Int, source: Layout
    ) throws(ClassifierError) -> PrimitiveDescription {
        let destination = try Layout.any([batch, network.featureCount, 1, 1], type)
        return try PrimitiveDescription("dnnl_pooling_forward_primitive_desc_create") {
            onednn_average_pool_forward(
                $0, device.engine, kind, source.handle, destination.handle,
                Int64(network.poolSide), attributes.handle)
        }
    }

    func poolGradient(
        _ network: ResNet18, source: Layout, destination: Layout, forward: PrimitiveDescription
    ) throws(ClassifierError) -> PrimitiveDescription {
        try PrimitiveDescription("dnnl_pooling_backward_primitive_desc_create") {
            onednn_average_pool_backward(
                $0, device.engine, source.handle, destination.handle, Int64(network.poolSide),
                forward.handle, attributes.handle)
        }
    }
}

extension Operations {
    /// Asks for one of each operation of a training step; throws where one does not exist for the
    /// element type.
    func describeTraining(_ network: ResNet18) throws(ClassifierError) {
        let convolution = network.blocks[0].first.convolution
        let forward = try trainedConvolution(convolution, batch: 1)
        _ = try convolutionInputGradient(convolution, batch: 1, forward: forward)
        _ = try convolutionWeightGradient(convolution, batch: 1, forward: forward)
        let output = try forward.layout(dnnl_query_dst_md)
        for withRelu in [false, true] {
            let norm = try norm(over: output, withRelu: withRelu)
            _ = try normGradient(over: output, withRelu: withRelu, forward: norm)
        }
        let last = network.blocks[network.blocks.count - 1].second.convolution
        let pooled = try trainedConvolution(last, batch: 1).layout(dnnl_query_dst_md)
        let pool = try pool(network, dnnl_forward_training, batch: 1, source: pooled)
        _ = try poolGradient(
            network, source: pooled, destination: pool.layout(dnnl_query_dst_md), forward: pool)
    }
}

/// The plain layouts around the linear layer, which is too small for blocks to matter.
struct LinearLayer {
    let source: Layout
    let weights: Layout
    let bias: Layout
    let destination: Layout

    init(_ network: ResNet18, batch: Int) throws(ClassifierError) {
        source = try .plain([batch, network.featureCount, 1, 1])
        weights = try .plain([network.classes, network.featureCount, 1, 1])
        bias = try .plain([network.classes])
        destination = try .plain([batch, network.classes])
    }

    func forward(
        _ kind: dnnl_prop_kind_t, _ operations: Operations
    ) throws(ClassifierError) -> PrimitiveDescription {
        try PrimitiveDescription("dnnl_inner_product_forward_primitive_desc_create") {
            onednn_inner_product_forward(
                $0, operations.device.engine, kind, source.handle, weights.handle, bias.handle,
                destination.handle, operations.attributes.handle)
        }
    }

    func inputGradient(
        _ operations: Operations, forward: PrimitiveDescription
    ) throws(ClassifierError) -> PrimitiveDescription {
        try PrimitiveDescription("dnnl_inner_product_backward_data_primitive_desc_create") {
            onednn_inner_product_backward_data(
                $0, operations.device.engine, source.handle, weights.handle, destination.handle,
                forward.handle, operations.attributes.handle)
        }
    }

    func weightGradient(
        _ operations: Operations, forward: PrimitiveDescription
    ) throws(ClassifierError) -> PrimitiveDescription {
        try PrimitiveDescription("dnnl_inner_product_backward_weights_primitive_desc_create") {
            onednn_inner_product_backward_weights(
                $0, operations.device.engine, source.handle, weights.handle, bias.handle,
                destination.handle, forward.handle, operations.attributes.handle)
        }
    }
}
