import SweepModel

/// A setting's value, of one of the types that settings have.
enum SettingValue: Hashable, CustomStringConvertible {
    case count(Int)
    case number(Double)
    case truth(Bool)
    case counts([Int])
    /// A word of an enumeration.
    case word(String)

    init(_ value: Any) {
        self =
            switch value {
            case let value as Int: .count(value)
            case let value as Double: .number(value)
            case let value as Bool: .truth(value)
            case let value as [Int]: .counts(value)
            default: .word("\(value)")
            }
    }

    var description: String {
        switch self {
        case .count(let value): "\(value)"
        case .number(let value): "\(value)"
        case .truth(let value): "\(value)"
        case .counts(let values): "[" + values.map(String.init).joined(separator: ",") + "]"
        case .word(let value): value
        }
    }
}

extension StudyProtocol {
    /// Every setting as sweep files name it, with its value; nil where the dataset decides.
    ///
    /// Read by reflection, so that a setting added later cannot be forgotten here.
    var settings: [(name: String, value: SettingValue?)] {
        Mirror(reflecting: self).children.map { label, value in
            let name = (label ?? "").reduce(into: "") { name, letter in
                if letter.isUppercase { name += "_" }
                name += letter.lowercased()
            }
            let mirror = Mirror(reflecting: value)
            guard mirror.displayStyle == .optional else { return (name, SettingValue(value)) }
            return (name, mirror.children.first.map { SettingValue($0.value) })
        }
    }

    /// The settings that are not the defaults: `epochs=20 width=8`.
    var departures: String {
        zip(settings, StudyProtocol().settings)
            .filter { $0.value != $1.value }
            .map { "\($0.0.name)=\($0.0.value?.description ?? "")" }
            .joined(separator: " ")
    }

    /// Sets what `departures` wrote; returns what is wrong with it, if anything.
    mutating func apply(departures: String) -> String? {
        for departure in departures.split(separator: " ") {
            let parts = departure.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, apply(name: parts[0], value: String(parts[1])) else {
                return "the setting '\(departure)' is unknown"
            }
        }
        return nil
    }

    private mutating func apply(name: Substring, value: String) -> Bool {
        switch name {
        case "epochs": Self.assign(Int(value), to: &epochs)
        case "batch_size": Self.assign(Int(value), to: &batchSize)
        case "learning_rate": Self.assign(Double(value), to: &learningRate)
        case "milestones":
            Self.assign(
                value.dropFirst().dropLast().split(separator: ",").map { Int($0) ?? -1 },
                to: &milestones)
        case "gamma": Self.assign(Double(value), to: &gamma)
        case "momentum": Self.assign(Double(value), to: &momentum)
        case "weight_decay": Self.assign(Double(value), to: &weightDecay)
        case "cycles": Self.assign(Int(value), to: &cycles)
        case "width": Self.assign(Int(value), to: &width)
        case "initial": Self.assign(Int(value), to: &initial)
        case "addendum": Self.assign(Int(value), to: &addendum)
        case "pool_limit": Self.assign(Int(value), to: &poolLimit)
        case "test_limit": Self.assign(Int(value), to: &testLimit)
        case "pool_transform": Self.assign(PoolTransform(rawValue: value), to: &poolTransform)
        case "reset": Self.assign(Bool(value), to: &reset)
        case "engine": Self.assign(EngineName(rawValue: value), to: &engine)
        case "precision": Self.assign(Precision(rawValue: value), to: &precision)
        default: false
        }
    }

    private static func assign<Value>(_ value: Value?, to setting: inout Value) -> Bool {
        guard let value else { return false }
        setting = value
        return true
    }

    private static func assign<Value>(_ value: Value?, to setting: inout Value?) -> Bool {
        guard let value else { return false }
        setting = value
        return true
    }
}
