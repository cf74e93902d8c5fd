import JSON

/// A value of the file with its path, read without fuss: what is not there, or of another kind, is
/// `nil`.
struct Node {
    let value: LocatedJSON
    let path: String

    subscript(key: String) -> Node? { members.last { $0.key == key }?.node }

    var members: [(key: String, node: Node)] {
        guard case .object(let members) = value.value else { return [] }
        return members.map { member in
            let path = SchemaValidator.join(path, member.key)
            return (member.key, Node(value: member.value, path: path))
        }
    }
    var elements: [Node] {
        guard case .array(let elements) = value.value else { return [] }
        return elements.enumerated().map { Node(value: $1, path: "\(path)[\($0)]") }
    }
    var text: String? {
        if case .string(let text) = value.value { text } else { nil }
    }
    var integer: Int64? {
        if case .number(let number) = value.value { number.int } else { nil }
    }
    var boolean: Bool? {
        if case .bool(let boolean) = value.value { boolean } else { nil }
    }

    /// What lies below; as far as there is something, the place that comes nearest.
    func descendant(_ path: [String]) -> Node {
        path.reduce(self) { node, part in
            node[part] ?? Int(part).flatMap { index in
                node.elements.indices.contains(index) ? node.elements[index] : nil
            } ?? node
        }
    }
}
