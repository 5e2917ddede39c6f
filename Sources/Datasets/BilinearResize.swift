/// Pillow's bilinear resize of 8-bit planes, in the same integers: coefficients of 22 fractional
/// bits, a horizontal pass into 8-bit values, then a vertical one.
struct BilinearResize {
    let sourceSide: Int
    let targetSide: Int

    private let taps: [Tap]

    /// The source pixels that one target pixel is made of.
    private struct Tap {
        var start: Int
        var coefficients: [Int32]
    }

    private static let fractionBits: Int32 = 22

    /// - Parameter sourceSide: at most `targetSide`: shrinking would need a wider filter.
    init(from sourceSide: Int, to targetSide: Int) {
        precondition(0 < sourceSide && sourceSide <= targetSide, "this resize only enlarges")
        self.sourceSide = sourceSide
        self.targetSide = targetSide
        let scale = Double(sourceSide) / Double(targetSide)
        let support = 1.0
        taps = (0..<targetSide).map { target in
            let center = (Double(target) + 0.5) * scale
            let start = max(0, Int(center - support + 0.5))
            let end = min(sourceSide, Int(center + support + 0.5))
            let weights = (start..<end).map { max(0, 1 - abs(Double($0) - center + 0.5)) }
            let sum = weights.reduce(0, +)
            let one = Double(Int32(1) << Self.fractionBits)
            return Tap(
                start: start, coefficients: weights.map { Int32(0.5 + $0 / sum * one) })
        }
    }

    /// Resizes planes that lie one after another.
    ///
    /// - Parameter planes: `(count, sourceSide, sourceSide)`.
    /// - Returns: `(count, targetSide, targetSide)`.
    func resized(_ planes: [UInt8]) -> [UInt8] {
        let sourceCount = sourceSide * sourceSide
        let targetCount = targetSide * targetSide
        precondition(planes.count % sourceCount == 0, "the planes are not complete")
        let planeCount = planes.count / sourceCount
        var result = [UInt8](repeating: 0, count: planeCount * targetCount)
        var rows = [UInt8](repeating: 0, count: sourceSide * targetSide)
        let source = planes.span
        var target = result.mutableSpan
        var middle = rows.mutableSpan
        for plane in 0..<planeCount {
            let sourceRange = plane * sourceCount..<(plane + 1) * sourceCount
            widen(source.extracting(sourceRange), into: &middle)
            heighten(middle.span, into: &target, from: plane * targetCount)
        }
        return result
    }

    /// `(sourceSide, sourceSide)` to `(sourceSide, targetSide)`.
    private func widen(_ source: Span<UInt8>, into target: inout MutableSpan<UInt8>) {
        for column in 0..<targetSide {
            let tap = taps[column]
            for row in 0..<sourceSide {
                var sum = Int32(1) << (Self.fractionBits - 1)
                for (offset, coefficient) in tap.coefficients.enumerated() {
                    let pixel = source[row * sourceSide + tap.start + offset]
                    sum += Int32(pixel) * coefficient
                }
                target[row * targetSide + column] = UInt8(clamping: sum >> Self.fractionBits)
            }
        }
    }

    /// `(sourceSide, targetSide)` to `(targetSide, targetSide)`, written from `start` on.
    private func heighten(
        _ source: Span<UInt8>, into target: inout MutableSpan<UInt8>, from start: Int
    ) {
        for row in 0..<targetSide {
            let tap = taps[row]
            for column in 0..<targetSide {
                var sum = Int32(1) << (Self.fractionBits - 1)
                for (offset, coefficient) in tap.coefficients.enumerated() {
                    let pixel = source[(tap.start + offset) * targetSide + column]
                    sum += Int32(pixel) * coefficient
                }
                target[start + row * targetSide + column] = UInt8(
                    clamping: sum >> Self.fractionBits)
            }
        }
    }
}
