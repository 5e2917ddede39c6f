import Foundation

/// A file in the place of the plug-in for libtorch, removed with this value. It needs a C compiler, and no
/// PyTorch.
public final class FakePlugIn {
    public let path: String

    public struct CompilerFailure: Error {
        public let status: Int32
    }

    /// The first of the usual compilers that is there.
    public static let compiler = ["cc", "clang", "gcc"].lazy.compactMap { name in
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }.first

    private static let header = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/CTorchEngine/include").path

    public init(bytes: String) throws {
        path = Self.newPath()
        try bytes.write(toFile: path, atomically: false, encoding: .utf8)
    }

    /// - Parameter source: in C.
    public init(source: String) throws {
        path = Self.newPath()
        let sourcePath = path + ".c"
        try source.write(toFile: sourcePath, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: sourcePath) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.compiler ?? "/usr/bin/cc")
        process.arguments = ["-shared", "-fPIC", "-I", Self.header, sourcePath, "-o", path]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CompilerFailure(status: process.terminationStatus)
        }
    }

    /// One of this version of the interface whose device is called `Device` and lacks TF32, and whose
    /// `create` fails with a status because of "the reason".
    public convenience init(torchVersion: String = "9.9.9", createStatus: Int = 1) throws {
        try self.init(
            source: """
                #include <string.h>
                #include "alsweep_torch.h"
                static const char *last_error(void) { return "the reason"; }
                static int32_t examine(int32_t device, int32_t precision) {
                    return precision == ALSWEEP_TORCH_TF32 ? ALSWEEP_TORCH_UNSUPPORTED : ALSWEEP_TORCH_OK;
                }
                static int32_t device_name(int32_t device, char *name, int64_t capacity) {
                    strncpy(name, "Device", capacity);
                    return ALSWEEP_TORCH_OK;
                }
                static int32_t create(const alsweep_torch_setup *setup, alsweep_torch_engine **engine) {
                    return \(createStatus);
                }
                static const alsweep_torch_interface interface = {
                    .version = ALSWEEP_TORCH_VERSION, .torch_version = "\(torchVersion)",
                    .last_error = last_error, .examine = examine, .device_name = device_name,
                    .create = create,
                };
                const alsweep_torch_interface *alsweep_torch(void) { return &interface; }
                """)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func newPath() -> String {
        NSTemporaryDirectory() + "alsweep-torch-\(UUID().uuidString).so"
    }
}
