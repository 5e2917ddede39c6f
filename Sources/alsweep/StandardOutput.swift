@preconcurrency import Glibc

/// What is printed goes to a buffer first, where it is no terminal.
enum StandardOutput {
    /// Writes what is in the buffer.
    ///
    /// - Returns: whether all that was printed so far could be written.
    @discardableResult
    static func flush() -> Bool {
        fflush(stdout)
        return ferror(stdout) == 0
    }
}
