/// The statistics of a batch in one batch norm.
struct BatchStatistics {
    var mean: [Float]
    /// The biased variance.
    var variance: [Float]
    /// 1/√(variance + ε).
    var scale: [Float]
}

/// The sums over pixels of two terms for each channel, in float64 over short runs of float32: long
/// float32 sums lose digits that the batch norm's gradient needs.
///
/// - Parameter term: the two terms at an element and its channel.
@inline(__always)
private func channelSums(
    _ pixelCount: Int, _ channels: Int, _ term: (_ index: Int, _ channel: Int) -> (Float, Float)
) -> (first: [Double], second: [Double]) {
    let runLength = 64
    var first = [Double](repeating: 0, count: channels)
    var second = first
    var firstRun = [Float](repeating: 0, count: channels)
    var secondRun = firstRun
    for start in stride(from: 0, to: pixelCount, by: runLength) {
        var ones = firstRun.mutableSpan
        var others = secondRun.mutableSpan
        ones.update(repeating: 0)
        others.update(repeating: 0)
        for pixel in start..<min(start + runLength, pixelCount) {
            for channel in 0..<channels {
                let (one, other) = term(pixel * channels + channel, channel)
                ones[unchecked: channel] += one
                others[unchecked: channel] += other
            }
        }
        for channel in 0..<channels {
            first[channel] += Double(firstRun[channel])
            second[channel] += Double(secondRun[channel])
        }
    }
    return (first, second)
}

/// The mean and the biased variance of every channel.
///
/// - Parameter values: `(pixels, channels)`.
func batchStatistics(_ values: Span<Float>, channels: Int) -> BatchStatistics {
    let pixelCount = values.count / channels
    let count = Double(pixelCount)
    let mean = channelSums(pixelCount, channels) { index, _ in (values[unchecked: index], 0) }
        .first.map { Float($0 / count) }
    // The mean is rounded, so the squares are corrected by what is left of it.
    let means = mean.span
    let sums = channelSums(pixelCount, channels) { index, channel in
        let difference = values[unchecked: index] - means[unchecked: channel]
        return (difference, difference * difference)
    }
    let variance = zip(sums.first, sums.second).map { sum, square in
        Float(max(0, square / count - (sum / count) * (sum / count)))
    }
    return BatchStatistics(
        mean: mean, variance: variance,
        scale: variance.map { 1 / ($0 + ResNet18.epsilon).squareRoot() })
}

/// output ← γ·(values − mean)·scale + β, then relu if asked.
///
/// - Parameters:
///   - values: `(pixels, channels)`.
///   - factors: γ; one a channel, as `summands`, β.
///   - output: like `values`; overwritten.
func normalise(
    _ values: Span<Float>, _ statistics: BatchStatistics, factors: Span<Float>,
    summands: Span<Float>, withRelu: Bool, output: inout MutableSpan<Float>
) {
    let channels = factors.count
    precondition(values.count == output.count && summands.count == channels)
    let mean = statistics.mean.span
    let scale = statistics.scale.span
    let floor: Float = withRelu ? 0 : -.infinity
    for start in stride(from: 0, to: values.count, by: channels) {
        for channel in 0..<channels {
            let normalised =
                (values[unchecked: start + channel] - mean[unchecked: channel])
                * scale[unchecked: channel]
            let value =
                normalised * factors[unchecked: channel] + summands[unchecked: channel]
            output[unchecked: start + channel] = value < floor ? floor : value
        }
    }
}

/// Replaces the gradient of a batch norm's output by that of its input.
///
/// - Parameters:
///   - values: the norm's input, `(pixels, channels)`.
///   - gradient: like `values`; changed.
///   - factorGradient: of γ, one a channel, as `summandGradient`, of β; overwritten.
func normaliseBackward(
    _ values: Span<Float>, _ statistics: BatchStatistics, factors: Span<Float>,
    gradient: inout MutableSpan<Float>, factorGradient: inout MutableSpan<Float>,
    summandGradient: inout MutableSpan<Float>
) {
    let channels = factors.count
    let pixelCount = values.count / channels
    precondition(values.count == gradient.count && factorGradient.count == channels)
    let mean = statistics.mean.span
    let scale = statistics.scale.span
    let sums = channelSums(pixelCount, channels) { index, channel in
        let normalised =
            (values[unchecked: index] - mean[unchecked: channel]) * scale[unchecked: channel]
        let value = gradient[unchecked: index]
        return (value, value * normalised)
    }
    var steepness = [Float](repeating: 0, count: channels)
    var offsets = steepness
    var slopes = steepness
    for channel in 0..<channels {
        summandGradient[channel] = Float(sums.first[channel])
        factorGradient[channel] = Float(sums.second[channel])
        steepness[channel] = factors[channel] * scale[channel]
        offsets[channel] = Float(sums.first[channel] / Double(pixelCount))
        slopes[channel] = Float(sums.second[channel] / Double(pixelCount)) * scale[channel]
    }
    let (steep, offset, slope) = (steepness.span, offsets.span, slopes.span)
    for start in stride(from: 0, to: values.count, by: channels) {
        for channel in 0..<channels {
            let difference = values[unchecked: start + channel] - mean[unchecked: channel]
            let projected =
                gradient[unchecked: start + channel] - offset[unchecked: channel]
                - difference * slope[unchecked: channel]
            gradient[unchecked: start + channel] = steep[unchecked: channel] * projected
        }
    }
}
