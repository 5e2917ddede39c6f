/// The version of this program. Workers of another version could find other numbers, and are
/// refused.
public let softwareVersion = "0.1.0"
