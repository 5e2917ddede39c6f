import Foundation

/// A program that turns SVG into PNG, if one is installed: drawing is not alsweep's business.
struct ImageConverter {
    let name: String
    private let path: String

    /// In the order of how faithfully they draw.
    static let names = ["rsvg-convert", "inkscape", "magick", "convert"]

    /// The first one that the environment's `PATH` has.
    init?(environment: [String: String]) {
        let folders = (environment["PATH"] ?? "").split(separator: ":")
        for name in Self.names {
            for folder in folders
            where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                self.name = name
                path = "\(folder)/\(name)"
                return
            }
        }
        return nil
    }

    /// Draws at twice the size in CSS pixels, which is sharp in a document.
    ///
    /// - Returns: what went wrong, if anything.
    func convert(svg: String, png: String) -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments =
            switch name {
            case "rsvg-convert": ["--zoom", "2", "--output", png, svg]
            case "inkscape":
                [svg, "--export-type=png", "--export-dpi=192", "--export-filename=\(png)"]
            default: ["-density", "192", svg, png]
            }
        process.standardOutput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        do {
            try process.run()
        } catch {
            return "\(name) cannot be started: \(error.localizedDescription)"
        }
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationReason == .exit, process.terminationStatus == 0,
            FileManager.default.fileExists(atPath: png)
        else {
            let words = String(decoding: said.prefix(300), as: UTF8.self)
            return
                "\(name) failed on \(svg): \(words.trimmingCharacters(in: .whitespacesAndNewlines))"
        }
        return nil
    }
}
