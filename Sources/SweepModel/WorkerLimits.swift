/// What one worker may be.
public enum WorkerLimits {
    /// Trials at once. A worker presents all that it holds in one message, and more would not fit.
    public static let slots = 1_024
}
