import Foundation
import Yams

/// Kubernetes' own description of its objects, as far as it is JSON Schema: types, required and known
/// fields, enumerations, alternatives. Formats and what only a server checks are not in it.
struct KubernetesSchema {
    private typealias Schema = [String: Any]

    private let definitions: [String: Schema]

    init() throws {
        let url = Bundle.module.url(
            forResource: "kubernetes-1.31", withExtension: "json", subdirectory: "Fixtures")!
        let root = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? Schema
        definitions = root?["$defs"] as? [String: Schema] ?? [:]
    }

    /// What is wrong with an object, each with its place; none is what `kubectl` would take.
    func faults(of object: Node) -> [String] {
        let version = object["apiVersion"]?.string ?? ""
        let kind = object["kind"]?.string ?? ""
        let name =
            version == "v1"
            ? "io.k8s.api.core.v1.\(kind)"
            : "io.k8s.api.\(version.replacingOccurrences(of: "/", with: ".")).\(kind)"
        guard let schema = definitions[name] else { return ["there is no \(version) \(kind)"] }
        return faults(object, schema, at: kind)
    }

    private func faults(_ node: Node, _ schema: Schema, at place: String) -> [String] {
        if let reference = schema["$ref"] as? String {
            let name = reference.replacingOccurrences(of: "#/$defs/", with: "")
            guard let target = definitions[name] else { return ["\(place): no \(name)"] }
            return faults(node, target, at: place)
        }
        if let alternatives = schema["oneOf"] as? [Schema] {
            let isOne = alternatives.count { faults(node, $0, at: place).isEmpty } == 1
            return isOne ? [] : ["\(place) is none of its alternatives"]
        }
        let type = type(of: node)
        let allowed = (schema["type"] as? [String]) ?? (schema["type"] as? String).map { [$0] }
        if let allowed, !allowed.contains(type), !(type == "integer" && allowed.contains("number"))
        {
            return ["\(place) is of type \(type), not \(allowed.joined(separator: " or "))"]
        }
        if let values = schema["enum"] as? [String], !values.contains(node.string ?? "") {
            return ["\(place) is '\(node.string ?? "")', not one of \(values)"]
        }
        if let items = schema["items"] as? Schema, let sequence = node.sequence {
            return sequence.enumerated().flatMap { faults($1, items, at: "\(place)[\($0)]") }
        }
        return node.mapping.map { faults($0, schema, at: place) } ?? []
    }

    private func faults(_ mapping: Node.Mapping, _ schema: Schema, at place: String) -> [String] {
        let properties = schema["properties"] as? [String: Schema] ?? [:]
        var faults = (schema["required"] as? [String] ?? [])
            .filter { mapping[Node($0)] == nil }.map { "\(place) lacks \($0)" }
        for (key, value) in mapping {
            let name = key.string ?? ""
            if let property = properties[name] {
                faults += self.faults(value, property, at: "\(place).\(name)")
            } else if let others = schema["additionalProperties"] as? Schema {
                faults += self.faults(value, others, at: "\(place).\(name)")
            } else if schema["additionalProperties"] as? Bool == false {
                faults.append("\(place) has no field \(name)")
            }
        }
        return faults
    }

    private func type(of node: Node) -> String {
        if node.mapping != nil { return "object" }
        if node.sequence != nil { return "array" }
        return switch node.tag.rawValue {
        case Tag.Name.bool.rawValue: "boolean"
        case Tag.Name.int.rawValue: "integer"
        case Tag.Name.float.rawValue: "number"
        case Tag.Name.null.rawValue: "null"
        default: "string"
        }
    }
}
