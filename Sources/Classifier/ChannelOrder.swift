/// Moves channels from before the pixels, as PyTorch has them, to after them: NCHW to NHWC for
/// images, OIHW to OHWI for weights.
///
/// - Parameters:
///   - values: `(outer, channels, pixels)`.
///   - result: `(outer, pixels, channels)`; overwritten.
func moveChannelsLast(
    _ values: Span<Float>, channels: Int, pixels: Int, to result: inout MutableSpan<Float>
) {
    precondition(values.count == result.count && values.count % (channels * pixels) == 0)
    for start in stride(from: 0, to: values.count, by: channels * pixels) {
        for channel in 0..<channels {
            for pixel in 0..<pixels {
                result[unchecked: start + pixel * channels + channel] =
                    values[unchecked: start + channel * pixels + pixel]
            }
        }
    }
}

/// The other way round: NHWC to NCHW, OHWI to OIHW.
func movedChannelsFirst(_ values: Span<Float>, channels: Int, pixels: Int) -> [Float] {
    var result = [Float](repeating: 0, count: values.count)
    var target = result.mutableSpan
    // With the roles exchanged it is the same transposition.
    moveChannelsLast(values, channels: pixels, pixels: channels, to: &target)
    return result
}
