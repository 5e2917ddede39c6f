import COneDNN
import CWinograd

/// The passes of convolutions by minimal filtering, for the vectors that oneDNN uses on this CPU.
struct WinogradKernels {
    let passes: winograd_kernels

    /// - Returns: nil where the CPU has no such vectors, or the network's channels do not fill them:
    ///   oneDNN's own convolutions between blocks and other layouts are very slow.
    init?(for network: ResNet18) {
        let passes = onednn_uses_avx512() != 0 ? winograd_kernels_avx512() : winograd_kernels_avx2()
        guard let passes, network.width % Int(passes.pointee.lanes) == 0 else { return nil }
        self.passes = passes.pointee
    }

    /// The channels in a block.
    var lanes: Int { Int(passes.lanes) }
    /// Channels are multiples of this many.
    var panel: Int { Int(passes.panel) }

    /// Whether a convolution is of the kind that they compute, and takes less time so.
    func suit(_ convolution: ResNet18.Convolution) -> Bool {
        convolution.kernel == 3 && convolution.stride == 1 && convolution.padding == 1
            && convolution.inputSide % winograd_tile_side == 0
            && [convolution.inputChannels, convolution.outputChannels].allSatisfy {
                $0 >= Self.smallestChannelCount && $0 % panel == 0
            }
    }

    /// With fewer channels the transforms take longer than the multiplications that they save.
    private static let smallestChannelCount = 32

    /// (batch, channels/lanes, row, column, lanes).
    var activationOrder: dnnl_format_tag_t { lanes == 16 ? dnnl_aBcd16b : dnnl_aBcd8b }
    /// (out/lanes, in/lanes, 3, 3, lanes in, lanes out).
    var weightOrder: dnnl_format_tag_t { lanes == 16 ? dnnl_ABcd16b16a : dnnl_ABcd8b8a }
}
