import Foundation

/// The vectors that other programs computed. `ALSWEEP_FIXTURES` names another folder of the same
/// shape.
enum FixtureFiles {
    static let folder =
        ProcessInfo.processInfo.environment["ALSWEEP_FIXTURES"].map(URL.init(fileURLWithPath:))
        ?? Bundle.module.resourceURL!.appendingPathComponent("Fixtures")

    static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    /// The vectors of the Q-network, one file per number of classes.
    static let qNetworkNames: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (names ?? []).filter { $0.hasPrefix("qnetwork_") && $0.hasSuffix(".safetensors") }
            .sorted()
    }()

    /// The draws of CPython.
    static func pythonRandom() throws -> PythonRandomFixture {
        let data = try Data(contentsOf: URL(fileURLWithPath: path("python_random.json")))
        return try JSONDecoder().decode(PythonRandomFixture.self, from: data)
    }
}

struct PythonRandomFixture: Decodable {
    struct Case: Decodable {
        struct Cycle: Decodable {
            var cycle: Int
            var firstAdded: [Int]
            var inOrder: String
            var sorted: String

            enum CodingKeys: String, CodingKey {
                case cycle
                case firstAdded = "first_added"
                case inOrder = "labelled_in_order_sha256_u32le"
                case sorted = "labelled_sorted_sha256_u32le"
            }
        }

        var seed: UInt64
        var pool: Int
        var initial: Int
        var addendum: Int
        var first: [Int]
        var initialDigest: String
        var cycles: [Cycle]

        enum CodingKeys: String, CodingKey {
            case seed, pool, initial, addendum, first, cycles
            case initialDigest = "initial_sha256_u32le"
        }
    }

    var cases: [Case]
}

/// The largest difference relative to the larger magnitude, but at least to `scale`.
func relativeDifference(_ first: [Float], _ second: [Float], scale: Float) -> Float {
    precondition(first.count == second.count)
    return zip(first, second).map { abs($0 - $1) / max(abs($0), abs($1), scale) }.max() ?? 0
}
