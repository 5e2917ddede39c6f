import ActiveLearning
import ArgumentParser
import Classifier
import Datasets
import Foundation
import SweepModel

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "A model file's accuracy on a dataset's test images.",
        discussion: """
            The file is one that a sweep left in its models folder, or PyTorch's state_dict of such a \
            ResNet-18 in the safetensors format. With the engine and the precision of the training it \
            gives the accuracy that the sweep recorded; with others a few images may differ.
            """)

    @Argument(help: "A model file (safetensors).", completion: .file())
    var model: String

    @Option(help: "cifar10, cifar100 or fashionmnist.")
    var dataset: DatasetName

    @Option(help: EngineName.help)
    var engine = EngineName.onednn

    @Option(
        help: ArgumentHelp(
            PrecisionSetting.help.abstract
                + " Default: the training's, where the file says it and this machine has it, else float32."
        ))
    var precision: PrecisionSetting?

    @Option(help: "Only the first images of the test files.")
    var testLimit: Int?

    @Option(help: "The only folder in which datasets are looked for.", completion: .directory)
    var data: String?

    @Option(
        help: "Write the logits there: safetensors, `logits` of shape (images, classes).",
        completion: .file())
    var logits: String?

    @Option(help: "Threads. Default: one per core.")
    var threads: Int?

    @Option(help: "human, json or quiet.")
    var outputMode = OutputMode.human

    func validate() throws {
        if let testLimit, !(1...dataset.fullTestCount).contains(testLimit) {
            throw ValidationError(
                "--test-limit is \(testLimit); \(dataset.rawValue) has "
                    + "\(dataset.fullTestCount) test images")
        }
    }

    func run() throws {
        try LibraryEnvironment.restart(threads: threads)
        let (network, state) = try NetworkState.read(path: model)
        guard network.classes == dataset.classCount else {
            throw CommandFailure(
                "\(model) tells \(network.classes) classes apart, and \(dataset.rawValue) has "
                    + "\(dataset.classCount)",
                hint: "evaluate it on the dataset that it was trained on")
        }
        let test = try DatasetSearch(
            folder: data, environment: ProcessInfo.processInfo.environment
        ).load(dataset, poolCount: 1, testCount: testLimit ?? dataset.fullTestCount).test
        let precision = try precision?.resolved(for: engine) ?? trainingPrecision()
        let scores = try score(test, by: engine.make(network, state, precision))
        let correct = (0..<test.count).count { image in
            let row = scores[image * network.classes..<(image + 1) * network.classes]
            // Ties go to the first class, as in the experiment.
            return row.firstIndex(of: row.max()!)! - row.startIndex == Int(test.labels[image])
        }
        if let logits {
            try Safetensors.write(
                [
                    .init(
                        name: "logits", shape: [test.count, network.classes],
                        values: .float32(scores))
                ], metadata: ["dataset": dataset.rawValue], to: logits)
        }
        let output = EvaluateOutput(
            model: model, dataset: dataset, width: network.width, precision: precision,
            correct: correct, total: test.count)
        switch outputMode {
        case .human: print(output.text)
        case .json: try printJSON(output)
        case .quiet: print("\(correct)/\(test.count)")
        }
    }

    /// What the model was trained in, if its file says so and the engine has it here.
    private func trainingPrecision() throws -> SweepModel.Precision {
        let known = try Safetensors.metadata(ofFile: model)[ModelRemark.precision]
            .flatMap(SweepModel.Precision.init)
        guard let known, engine.isOfferedHere(known) else { return .float32 }
        return known
    }

    /// `(images, classes)`, row-major.
    private func score(_ images: ImageSet, by engine: any ClassifierEngine) throws -> [Float] {
        do throws(ExperimentError) {
            return try ActiveLearning.logits(of: images, by: engine)
        } catch {
            guard case .diverged = error else { throw error }
            throw CommandFailure(
                "the network in \(model) gives logits that are not finite",
                hint: "its training diverged: see its parameters for what is not a number")
        }
    }
}

private struct EvaluateOutput: Encodable {
    var schema = 1
    var model: String
    var dataset: DatasetName
    var width: Int
    var precision: SweepModel.Precision
    var correct: Int
    var total: Int

    var accuracy: Double { 100 * Double(correct) / Double(total) }

    var text: String {
        String(
            format: "%.2f %%  %d/%d correct  %@  width %d  %@", accuracy, correct, total,
            dataset.title, width, precision.rawValue)
    }
}
