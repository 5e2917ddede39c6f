import COneDNN
import COpenBLAS

// Convolutions as matrix products over channels-last activations (batch, row, column, channel).
// Weights are (outChannels, kernel row, kernel column, inChannels), so that a window of the input
// is one row of a matrix and its runs of pixels are copied whole.

/// A convolution over a batch, in tiles of output pixels whose windows fit a cache.
struct TiledConvolution {
    let shape: ResNet18.Convolution
    let batch: Int
    var library = MatrixLibrary.openBLAS

    /// The number of inputs of one output.
    var windowCount: Int { shape.fanIn }
    var pixelCount: Int { batch * shape.outputSide * shape.outputSide }

    /// The floats in a tile of windows. About the second-level cache's size was fastest for
    /// narrow layers; for wide ones the matrix product needs enough rows to be worth its packing.
    private static let tileElementCount = 1 << 17
    private static let smallestTile = 256
    /// The room that any tile takes, at least.
    static func columnsCount(_ shape: ResNet18.Convolution) -> Int {
        max(smallestTile * shape.fanIn, tileElementCount)
    }

    private var tileSize: Int { max(Self.smallestTile, Self.tileElementCount / windowCount) }

    /// What happens to a tile of the output before it leaves the cache.
    enum Ending {
        case none
        /// Adds the channel's bias.
        case bias([Float])
        /// Adds the channel's bias, then replaces negative values by 0.
        case biasRelu([Float])
        /// Adds what the output held before and the channel's bias, then replaces negative values
        /// by 0.
        case sumBiasRelu([Float])
    }

    /// - Parameters:
    ///   - input: `(batch, inputSide, inputSide, inChannels)`.
    ///   - weights: `(outChannels, kernel, kernel, inChannels)`.
    ///   - columns: room for a tile's windows.
    ///   - output: `(batch, outputSide, outputSide, outChannels)`; overwritten or added to as
    ///     `ending` says.
    func forward(
        input: Span<Float>, weights: Span<Float>, columns: inout MutableSpan<Float>,
        output: inout MutableSpan<Float>, ending: Ending = .none
    ) {
        let channels = shape.outputChannels
        var keepsOutput: Float = 0
        if case .sumBiasRelu = ending { keepsOutput = 1 }
        for start in stride(from: 0, to: pixelCount, by: tileSize) {
            let tile = start..<min(start + tileSize, pixelCount)
            copyWindows(tile, input, to: &columns)
            multiply(
                .init(tile.count, channels, windowCount), columns.span, weights,
                transposingRight: true, into: &output, at: tile.lowerBound * channels,
                keeping: keepsOutput)
            finish(tile.lowerBound * channels..<tile.upperBound * channels, &output, ending)
        }
    }

    /// - Parameter weightGradient: like the weights; overwritten.
    func weightGradient(
        input: Span<Float>, outputGradient: Span<Float>, columns: inout MutableSpan<Float>,
        weightGradient: inout MutableSpan<Float>
    ) {
        let channels = shape.outputChannels
        for start in stride(from: 0, to: pixelCount, by: tileSize) {
            let tile = start..<min(start + tileSize, pixelCount)
            copyWindows(tile, input, to: &columns)
            multiply(
                .init(channels, windowCount, tile.count, library),
                outputGradient.extracting(tile.lowerBound * channels..<tile.upperBound * channels),
                columns.span, transposingLeft: true, into: &weightGradient, at: 0,
                keeping: start == 0 ? 0 : 1)
        }
    }

    /// - Parameter inputGradient: like the input; overwritten.
    func inputGradient(
        weights: Span<Float>, outputGradient: Span<Float>, columns: inout MutableSpan<Float>,
        inputGradient: inout MutableSpan<Float>
    ) {
        let channels = shape.outputChannels
        inputGradient.update(repeating: 0)
        for start in stride(from: 0, to: pixelCount, by: tileSize) {
            let tile = start..<min(start + tileSize, pixelCount)
            multiply(
                .init(tile.count, windowCount, channels),
                outputGradient.extracting(tile.lowerBound * channels..<tile.upperBound * channels),
                weights, into: &columns, at: 0, keeping: 0)
            addWindows(tile, columns.span, to: &inputGradient)
        }
    }
}

extension TiledConvolution {
    /// Where the windows of some pixels lie: for each row of a window, the run of input values
    /// that is inside the image, and where it begins in the window.
    private func forEachRun(
        _ pixels: Range<Int>,
        _ body: (_ column: Int, _ skipped: Int, _ input: Int, _ count: Int) -> Void
    ) {
        let (side, kernel, channels) = (shape.inputSide, shape.kernel, shape.inputChannels)
        let rowCount = kernel * channels
        var column = 0
        for pixel in pixels {
            let (image, place) = pixel.quotientAndRemainder(
                dividingBy: shape.outputSide * shape.outputSide)
            let (y, x) = place.quotientAndRemainder(dividingBy: shape.outputSide)
            let left = x * shape.stride - shape.padding
            let first = max(left, 0)
            let end = min(left + kernel, side)
            for row in 0..<kernel {
                let inputRow = y * shape.stride - shape.padding + row
                let isInside = 0 <= inputRow && inputRow < side
                body(
                    column, (first - left) * channels,
                    ((image * side + inputRow) * side + first) * channels,
                    isInside ? (end - first) * channels : 0)
                column += rowCount
            }
        }
    }

    /// Writes the windows of some output pixels, one a row, with zeros outside the image.
    private func copyWindows(
        _ pixels: Range<Int>, _ input: Span<Float>, to columns: inout MutableSpan<Float>
    ) {
        precondition(columns.count >= pixels.count * windowCount)
        precondition(input.count == batch * shape.inputSide * shape.inputSide * shape.inputChannels)
        let rowCount = shape.kernel * shape.inputChannels
        forEachRun(pixels) { column, skipped, source, count in
            if count < rowCount {
                for index in column..<column + rowCount { columns[unchecked: index] = 0 }
            }
            for index in 0..<count {
                columns[unchecked: column + skipped + index] = input[unchecked: source + index]
            }
        }
    }

    /// Adds windows to where they came from.
    private func addWindows(
        _ pixels: Range<Int>, _ columns: Span<Float>, to input: inout MutableSpan<Float>
    ) {
        precondition(columns.count >= pixels.count * windowCount)
        precondition(input.count == batch * shape.inputSide * shape.inputSide * shape.inputChannels)
        forEachRun(pixels) { column, skipped, target, count in
            for index in 0..<count {
                input[unchecked: target + index] += columns[unchecked: column + skipped + index]
            }
        }
    }

    private func finish(
        _ range: Range<Int>, _ output: inout MutableSpan<Float>, _ ending: Ending
    ) {
        switch ending {
        case .none: return
        case .bias(let bias): addBias(bias.span, range, &output, floor: -.infinity)
        case .biasRelu(let bias), .sumBiasRelu(let bias):
            addBias(bias.span, range, &output, floor: 0)
        }
    }

    private func addBias(
        _ bias: Span<Float>, _ range: Range<Int>, _ output: inout MutableSpan<Float>, floor: Float
    ) {
        precondition(bias.count == shape.outputChannels && range.upperBound <= output.count)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: bias.count) {
            for channel in 0..<bias.count {
                let value = output[unchecked: start + channel] + bias[unchecked: channel]
                output[unchecked: start + channel] = value < floor ? floor : value
            }
        }
    }
}

/// Whose matrix product, and thereby whose threads, are used.
enum MatrixLibrary {
    case openBLAS
    case oneDNN
}

/// The sides of a matrix product (rows × depth)·(depth × columns).
struct ProductShape {
    let rows: Int
    let columns: Int
    let depth: Int
    let library: MatrixLibrary

    init(_ rows: Int, _ columns: Int, _ depth: Int, _ library: MatrixLibrary = .openBLAS) {
        self.rows = rows
        self.columns = columns
        self.depth = depth
        self.library = library
    }
}

private let transposed = CChar(UInt8(ascii: "T"))
private let untransposed = CChar(UInt8(ascii: "N"))

/// into ← left·right + keeping·into, row-major.
///
/// - Parameters:
///   - left: `(rows, depth)`, or `(depth, rows)` if transposed.
///   - right: `(depth, columns)`, or `(columns, depth)` if transposed.
///   - start: the first element of the result in `into`.
///   - keeping: 0 overwrites the result, 1 adds to it.
func multiply(
    _ shape: ProductShape, _ left: Span<Float>, _ right: Span<Float>,
    transposingLeft: Bool = false, transposingRight: Bool = false,
    into result: inout MutableSpan<Float>, at start: Int, keeping: Float
) {
    precondition(left.count >= shape.rows * shape.depth)
    precondition(right.count >= shape.depth * shape.columns)
    precondition(start >= 0 && result.count - start >= shape.rows * shape.columns)
    result.withUnsafeMutableBufferPointer { result in
        left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { right in
                let leftStride = transposingLeft ? shape.rows : shape.depth
                let rightStride = transposingRight ? shape.depth : shape.columns
                let target = result.baseAddress! + start
                switch shape.library {
                case .openBLAS:
                    cblas_sgemm(
                        CblasRowMajor, transposingLeft ? CblasTrans : CblasNoTrans,
                        transposingRight ? CblasTrans : CblasNoTrans, Int32(shape.rows),
                        Int32(shape.columns), Int32(shape.depth), 1, left.baseAddress,
                        Int32(leftStride), right.baseAddress, Int32(rightStride), keeping, target,
                        Int32(shape.columns))
                case .oneDNN:
                    let status = dnnl_sgemm(
                        transposingLeft ? transposed : untransposed,
                        transposingRight ? transposed : untransposed, Int64(shape.rows),
                        Int64(shape.columns), Int64(shape.depth), 1, left.baseAddress,
                        Int64(leftStride), right.baseAddress, Int64(rightStride), keeping, target,
                        Int64(shape.columns))
                    precondition(status == dnnl_success, "dnnl_sgemm takes any float32 product")
                }
            }
        }
    }
}
