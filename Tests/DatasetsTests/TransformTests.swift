import Classifier
import Foundation
import SweepModel
import Testing

@testable import Datasets

/// 16 images before and after Pillow's resize.
struct ResizeFixture {
    let indices: [Int]
    let raw: [UInt8]
    let resized: [UInt8]

    init() throws {
        let folder =
            ProcessInfo.processInfo.environment["ALSWEEP_FIXTURES"].map(URL.init(fileURLWithPath:))
            ?? Bundle.module.resourceURL!.appendingPathComponent("Fixtures")
        let file = try Safetensors(
            path: folder.appendingPathComponent("fashionmnist_resize.safetensors").path)
        indices = try file.integers("indices").map(Int.init)
        raw = try file.bytes("raw", shape: [indices.count, 28, 28])
        resized = try file.bytes("resized", shape: [indices.count, 32, 32])
    }

    func resized(_ row: Int) -> [UInt8] { Array(resized[row * 1_024..<(row + 1) * 1_024]) }
}

@Suite struct TransformTests {
    @Test("the resize equals Pillow's to the byte")
    func resize() throws {
        let fixture = try ResizeFixture()
        #expect(BilinearResize(from: 28, to: 32).resized(fixture.raw) == fixture.resized)
    }

    @Test("a resize to the same size changes nothing, and a constant stays constant")
    func trivialResizes() {
        let pixels = rawPixels(count: 2)
        #expect(BilinearResize(from: 28, to: 28).resized(pixels) == pixels)
        let white = [UInt8](repeating: 255, count: 784)
        #expect(BilinearResize(from: 28, to: 32).resized(white).allSatisfy { $0 == 255 })
    }

    @Test("normalised values are those of the study's constants")
    func normalization() {
        // (x/255 − mean)/sd worked out by hand in double precision.
        let grey = Normalization(of: .fashionmnist).table(ofChannel: 2)
        #expect(abs(grey[0] - -0.810_198_3) < 1e-6)
        #expect(abs(grey[255] - 2.022_662_9) < 1e-6)
        let blue = Normalization(of: .cifar100).table(ofChannel: 2)
        #expect(abs(blue[0] - -2.221_393_0) < 1e-6)
        #expect(abs(blue[51] - -1.226_368_2) < 1e-6)
    }

    /// An image set whose channels all differ.
    private func images(_ name: DatasetName, channels: Int) -> ImageSet {
        ImageSet(
            name: name, channels: channels,
            pixels: (0..<3 * channels * 1_024).map {
                UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 7)
            },
            labels: [0, 1, 2])
    }

    /// The transform step by step, as it is described: flip, pad, crop, normalise.
    private func reference(_ images: ImageSet, _ index: Int, _ choice: Augmentation) -> [Float] {
        let normalization = Normalization(of: images.name)
        var result: [Float] = []
        for channel in 0..<3 {
            let plane = index * images.channels + (images.channels == 1 ? 0 : channel)
            var padded = [[UInt8]](repeating: [UInt8](repeating: 0, count: 40), count: 40)
            for row in 0..<32 {
                var pixels = Array(
                    images.pixels[plane * 1_024 + row * 32..<plane * 1_024 + row * 32 + 32])
                if choice.isFlipped { pixels.reverse() }
                padded[row + 4].replaceSubrange(4..<36, with: pixels)
            }
            for row in padded[choice.row..<choice.row + 32] {
                result += row[choice.column..<choice.column + 32].map {
                    (Float($0) / 255 - normalization.mean[channel])
                        / normalization.standardDeviation[channel]
                }
            }
        }
        return result
    }

    @Test(
        "every flip and crop equals flip, pad, crop and normalise done one after another",
        arguments: [(DatasetName.fashionmnist, 1), (.cifar10, 3)])
    func augmentations(_ name: DatasetName, _ channels: Int) {
        let images = images(name, channels: channels)
        let assembly = BatchAssembly(images)
        for isFlipped in [false, true] {
            for (column, row) in [(0, 0), (4, 4), (8, 8), (0, 8), (3, 5), (7, 1)] {
                let choice = Augmentation(isFlipped: isFlipped, column: column, row: row)
                var batch = [Float](repeating: .nan, count: BatchAssembly.imageFloatCount)
                var span = batch.mutableSpan
                assembly.write(1, choice, toSlot: 0, of: &span)
                #expect(batch == reference(images, 1, choice), "\(choice)")
            }
        }
    }

    @Test("an image fills its own slot and no other")
    func slots() {
        let images = images(.fashionmnist, channels: 1)
        let floatCount = BatchAssembly.imageFloatCount
        var batch = [Float](repeating: .infinity, count: 3 * floatCount)
        var span = batch.mutableSpan
        BatchAssembly(images).write(2, toSlot: 1, of: &span)
        #expect(batch[..<floatCount].allSatisfy { $0 == .infinity })
        #expect(Array(batch[floatCount..<2 * floatCount]) == reference(images, 2, .none))
        #expect(batch[(2 * floatCount)...].allSatisfy { $0 == .infinity })
    }
}
