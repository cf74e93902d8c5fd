import JSON
import QueueModel

/// The Query protocol writes nested parameters flat: `Tag.1.Key=a&Tag.1.Value=b`. Here they become
/// the JSON that the same call would have, and are read as that.
///
/// Names: botocore before 1.31.80, `sqs/2012-11-05`.
extension SQSInput {
    mutating func read(_ form: QueryForm, _ operation: SQSOperation) throws(SQSError) {
        var root = Node()
        for (name, value) in form.parameters {
            let path = name.split(separator: ".", omittingEmptySubsequences: false)
            guard path.count <= Self.depthLimit else { throw .malformedQuery }
            root.set(path[...], value)
        }
        try read(json: Array(try Self.members(root, operation).serialized().utf8))
    }

    /// `SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue` has six names.
    private static let depthLimit = 8

    /// Parameters by the dots in their names.
    private struct Node {
        var value: String?
        var children: [String: Node] = [:]

        mutating func set(_ path: ArraySlice<Substring>, _ value: String) {
            guard let first = path.first else {
                self.value = value
                return
            }
            children[String(first), default: Node()].set(path.dropFirst(), value)
        }

        /// `Name`, `Name.1`, `Name.2` …, in order of their numbers.
        var list: [Node] {
            let numbered = children.compactMap { key, node in Int(key).map { ($0, node) } }
                .sorted { $0.0 < $1.0 }.map(\.1)
            return value.map { [Node(value: $0)] + numbered } ?? numbered
        }
    }

    private static let lists = [
        "AttributeName": "AttributeNames", "MessageAttributeName": "MessageAttributeNames",
        "MessageSystemAttributeName": "MessageSystemAttributeNames",
        "AWSAccountId": "AWSAccountIds", "ActionName": "Actions", "TagKey": "TagKeys",
    ]
    private static let maps = [
        "Attribute": (name: "Attributes", key: "Name"), "Tag": (name: "Tags", key: "Key"),
        "MessageAttribute": (name: "MessageAttributes", key: "Name"),
        "MessageSystemAttribute": (name: "MessageSystemAttributes", key: "Name"),
    ]
    private static let integers: Set<String> = [
        "DelaySeconds", "VisibilityTimeout", "WaitTimeSeconds", "MaxNumberOfMessages",
        "MaxResults", "MaxNumberOfMessagesPerSecond",
    ]

    private static func members(
        _ node: Node, _ operation: SQSOperation
    ) throws(SQSError) -> JSONValue {
        var json = JSONObject()
        for (name, child) in node.children.sorted(by: { $0.key < $1.key }) {
            if name == operation.entryShape {
                var entries: [JSONValue] = []
                for entry in child.list { entries.append(try members(entry, operation)) }
                json["Entries"] = .array(entries)
            } else if let list = lists[name] {
                json[list] = .array(child.list.compactMap { $0.value.map { .string($0) } })
            } else if let map = maps[name] {
                json[map.name] = .object(pairs(child, key: map.key))
            } else if name == "Entries" || lists.values.contains(name) {
                // How botocore writes an empty list: a name that only JSON has.
            } else if let value = child.value {
                json[name] = try scalar(name, value)
            }
        }
        return .object(json)
    }

    private static func scalar(_ name: String, _ value: String) throws(SQSError) -> JSONValue {
        guard integers.contains(name) else { return .string(value) }
        guard let number = Int64(value) else {
            throw .invalidValue(value, of: name, reason: "Must be an integer.")
        }
        return .int(number)
    }

    private static func pairs(_ node: Node, key: String) -> JSONObject {
        var object = JSONObject()
        // `Attribute.Name=…&Attribute.Value=…`, without a number, is one pair.
        let isPlain = node.children[key] != nil
        for pair in isPlain ? [node] + node.list : node.list {
            guard let name = pair.children[key]?.value, let value = pair.children["Value"] else {
                continue
            }
            // A message attribute's value has members of its own.
            object[name] =
                value.value.map { .string($0) }
                ?? .object(
                    JSONObject(
                        value.children.sorted { $0.key < $1.key }.map { member, node in
                            guard let text = node.value else {
                                let texts = node.list.compactMap(\.value)
                                return (member + "s", .array(texts.map { .string($0) }))
                            }
                            return (member, .string(text))
                        }))
        }
        return object
    }
}
