import CChannelSums
import Testing

@testable import Classifier

@Suite("Sums over channels") struct ChannelSumsTests {
    struct Case: CustomTestStringConvertible {
        let channels: Int
        let pixels: Int
        let lanes: Int
        let isBFloat16: Bool

        var testDescription: String {
            "\(channels) channels, \(pixels) pixels, \(lanes) lanes\(isBFloat16 ? ", bfloat16" : "")"
        }

        var layout: channel_layout {
            channel_layout(
                channels: Int32(channels), pixels: Int32(pixels), lanes: Int32(lanes),
                is_bfloat16: isBFloat16)
        }

        /// The floats of an image, with those that fill up the last block.
        var imageCount: Int { (channels + lanes - 1) / lanes * lanes * pixels }

        func place(image: Int, channel: Int, pixel: Int) -> Int {
            image * imageCount + channel / lanes * pixels * lanes + pixel * lanes + channel % lanes
        }

        static let all: [Case] = [false, true].flatMap { isBFloat16 in
            [
                // Plain, channels last, blocks of 8 and 16; whole and filled up.
                (3, 21, 1), (5, 64, 1), (4, 9, 4), (24, 16, 24), (13, 5, 13), (16, 9, 8),
                (12, 16, 8),
                (32, 7, 16), (20, 4, 16), (8, 1, 8),
            ].map { Case(channels: $0, pixels: $1, lanes: $2, isBFloat16: isBFloat16) }
        }
    }

    @Test("are exact for every order of the elements, image by image", arguments: Case.all)
    func orders(_ test: Case) {
        // Small integers: their sums and those of their squares are exact in any order.
        let batch = 3
        let count = batch * test.imageCount
        let numbers = (0..<count).map { Float($0 * 37 % 127 - 63) }
        var found = [Double](repeating: .nan, count: batch * 2 * test.channels)
        let halves = numbers.map { UInt16($0.bitPattern >> 16) }
        for images in [1..<3, 0..<1] {
            let (first, end) = (Int32(images.lowerBound), Int32(images.upperBound))
            if test.isBFloat16 {
                channel_sums(halves, test.layout, first, end, &found)
            } else {
                channel_sums(numbers, test.layout, first, end, &found)
            }
        }
        var expected: [Double] = []
        for image in 0..<batch {
            let values = (0..<test.channels).map { channel in
                (0..<test.pixels).map {
                    Double(numbers[test.place(image: image, channel: channel, pixel: $0)])
                }
            }
            expected += values.map { $0.reduce(0, +) }
            expected += values.map { $0.reduce(0) { $0 + $1 * $1 } }
        }
        let isEqual = found == expected
        #expect(isEqual)
    }
}
