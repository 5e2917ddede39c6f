import COneDNN
import CWinograd

/// The passes of convolutions by minimal filtering, for the vectors that oneDNN uses on this CPU.
struct WinogradKernels {
    let passes: winograd_kernels

    /// - Parameter type: of activations.
    /// - Returns: nil where the CPU has no such vectors, or multiplies bfloat16 in tiles, which is
    ///   faster; and where the network's channels do not fill the vectors: oneDNN's own
    ///   convolutions between blocks and other layouts are very slow.
    init?(for network: ResNet18, _ type: dnnl_data_type_t) {
        let passes =
            switch type {
            case dnnl_f32:
                onednn_uses_avx512() != 0 ? winograd_kernels_avx512() : winograd_kernels_avx2()
            case dnnl_bf16 where onednn_has_native_bfloat16() != 0 && onednn_has_tiles() == 0:
                winograd_kernels_avx512_bfloat16()
            default: nil as UnsafePointer<winograd_kernels>?
            }
        guard let passes, network.width % Int(passes.pointee.lanes) == 0 else { return nil }
        self.passes = passes.pointee
    }

    /// The type of activations and their gradients.
    var type: dnnl_data_type_t { passes.element_size == 2 ? dnnl_bf16 : dnnl_f32 }
    /// The channels in a block.
    var lanes: Int { Int(passes.lanes) }
    /// Channels are multiples of this many.
    var panel: Int { Int(passes.panel) }

    /// What is computed from transformed tiles.
    enum Product {
        /// Outputs, or the input's gradient: tiles times weights.
        case outputs
        /// Tiles times tiles.
        case weightGradient
    }

    /// Whether a convolution is of the kind that they compute, and takes less time so.
    func suit(_ convolution: ResNet18.Convolution, _ product: Product) -> Bool {
        convolution.kernel == 3 && convolution.stride == 1 && convolution.padding == 1
            && convolution.inputSide % winograd_tile_side == 0
            && convolution.inputSide >= smallestSide(product)
            && [convolution.inputChannels, convolution.outputChannels].allSatisfy {
                $0 >= Self.smallestChannelCount && $0 % panel == 0
            }
    }

    /// With fewer channels the transforms take longer than the multiplications that they save.
    private static let smallestChannelCount = 32

    /// With fewer pixels there are so few tiles that transforming the weights takes as long as what is
    /// saved: half of what is in float32, for direct convolutions in bfloat16 are twice as fast.
    private func smallestSide(_ product: Product) -> Int {
        type == dnnl_bf16 && product == .outputs ? 8 : winograd_tile_side
    }

    /// (batch, channels/lanes, row, column, lanes).
    var activationOrder: dnnl_format_tag_t { lanes == 16 ? dnnl_aBcd16b : dnnl_aBcd8b }
    /// (out/lanes, in/lanes, 3, 3, lanes in, lanes out).
    var weightOrder: dnnl_format_tag_t { lanes == 16 ? dnnl_ABcd16b16a : dnnl_ABcd8b8a }
}
