import CChannelSums
import COneDNN

/// Every channel's mean and biased variance over a batch, summed in double precision.
///
/// oneDNN sums in float32, value after value. Where many of them are alike, as on the plain background of
/// real images, every addition rounds to the same side: with 128 images the variance is off by 4·10⁻⁴, which
/// turns relus over and a gradient by a twentieth of its length (docs/decisions/0027-batch-statistics.md).
struct ChannelStatistics {
    /// What the statistics are of.
    let values: Memory
    /// Room for the images' sums.
    let sums: Memory
    let mean: Memory
    /// The biased variance.
    let variance: Memory
    private let layout: channel_layout

    /// The channels of a block.
    ///
    /// - Returns: nil where the tensor lies in none of the orders that are summed up.
    static func lanes(of layout: Layout) throws(ClassifierError) -> Int? {
        let orders = [
            (dnnl_abcd, 1), (dnnl_acdb, layout.shape[1]), (dnnl_aBcd8b, 8), (dnnl_aBcd16b, 16),
        ]
        for (order, lanes) in orders {
            let known = try Layout(layout.shape, layout.type, order: order)
            if layout.isSame(as: known) { return lanes }
        }
        return nil
    }

    /// The floats that the images' sums take.
    static func sumsShape(of layout: Layout) -> [Int] {
        [2 * 2 * layout.shape[0] * layout.shape[1]]
    }

    init(values: Memory, lanes: Int, sums: Memory, mean: Memory, variance: Memory) {
        let shape = values.layout.shape
        self.values = values
        self.sums = sums
        self.mean = mean
        self.variance = variance
        layout = channel_layout(
            channels: Int32(shape[1]), pixels: Int32(shape[2] * shape[3]), lanes: Int32(lanes),
            is_bfloat16: values.layout.type == dnnl_bf16)
    }

    /// No bit depends on the number of threads: they share the images, whose sums are added in order.
    func compute() {
        let shape = values.layout.shape
        let (batch, channels) = (shape[0], shape[1])
        let sums = sums.address!.bindMemory(to: Double.self, capacity: 2 * batch * channels)
        forEachThread { thread, threads in
            let part = share(of: batch, thread, threads)
            channel_sums(
                values.address!, layout, Int32(part.lowerBound), Int32(part.upperBound), sums)
        }
        let count = Double(batch * shape[2] * shape[3])
        let (mean, variance) = (mean.floatAddress, variance.floatAddress)
        for image in 1..<max(1, batch) {
            for entry in 0..<2 * channels { sums[entry] += sums[image * 2 * channels + entry] }
        }
        for channel in 0..<channels {
            let center = sums[channel] / count
            mean[channel] = Float(center)
            variance[channel] = Float(max(0, sums[channels + channel] / count - center * center))
        }
    }
}
