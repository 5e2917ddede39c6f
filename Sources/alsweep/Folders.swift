import Foundation

/// Makes a folder, and those above it, unless it is there.
///
/// - Parameter permissions: of the folders that it makes; nil for what the user's mask leaves.
func makeFolder(_ path: String, permissions: Int? = nil) throws(CommandFailure) {
    do {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: permissions.map { [.posixPermissions: $0] })
    } catch {
        throw CommandFailure(
            "the folder \(path) cannot be made: \(systemReason(error))",
            hint: "choose another place, or check the permissions and the space that is left")
    }
}

/// Writes a file whole or not at all.
func writeText(_ text: String, to path: String) throws(CommandFailure) {
    do {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    } catch {
        throw CommandFailure(
            "\(path) cannot be written: \(systemReason(error))",
            hint: "check the folder, its permissions and the space that is left")
    }
}

/// Why a file operation failed, in the system's words.
func systemReason(_ error: any Error) -> String {
    if let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error {
        return systemReason(cause)
    }
    let cause = error as NSError
    return cause.domain == NSPOSIXErrorDomain
        ? String(cString: strerror(Int32(cause.code))) : error.localizedDescription
}
