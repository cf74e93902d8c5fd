import Crypto
import JSON
import QueueModel

/// Message attributes as clients send them, checked (SQS Developer Guide, *sqs-message-metadata*).
package struct MessageAttributes: Sendable {
    package struct Attribute: Sendable {
        package var name: String
        package var type: String
        package var isBinary: Bool
        package var value: [UInt8]
    }

    /// As the client named them.
    package var json: JSONObject
    /// Sorted by name, as their digest wants it.
    package var attributes: [Attribute]

    package init(_ json: JSONValue?) throws(SQSError) {
        self.json = json?.objectValue ?? JSONObject()
        attributes = []
        guard !self.json.isEmpty else { return }
        guard self.json.count <= QueueLimits.attributes else {
            throw .invalidParameter(
                "Number of message attributes [\(self.json.count)] exceeds the allowed maximum "
                    + "[\(QueueLimits.attributes)].")
        }
        for (name, value) in self.json.members {
            attributes.append(try Self.attribute(name, value))
        }
        attributes.sort { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }
    }

    /// None.
    private init() {
        json = JSONObject()
        attributes = []
    }

    /// Those of a message that is sent now: each has one value, and a number is in SQS's range.
    /// Messages of before that was asked are received all the same.
    ///
    /// - Parameter operation: whose words a refusal takes.
    package init(
        sending json: JSONValue?, by operation: String = "SendMessage"
    ) throws(SQSError) {
        // Few messages have any.
        guard let json else {
            self.init()
            return
        }
        try self.init(json)
        try checkValues(operation)
    }

    private func checkValues(_ operation: String) throws(SQSError) {
        for attribute in attributes {
            let given = json[attribute.name]
            for list in ["StringListValues", "BinaryListValues"]
            where given?[list]?.arrayValue?.isEmpty == false {
                throw SQSError(
                    shape: "UnsupportedOperation",
                    queryCode: "AWS.SimpleQueueService.UnsupportedOperation",
                    message: "Message attribute list values in \(operation) operation are not "
                        + "supported.")
            }
            let other = attribute.isBinary ? "StringValue" : "BinaryValue"
            guard json[attribute.name]?[other]?.stringValue?.isEmpty != false else {
                throw .invalidParameter(
                    "Message (user) attribute '\(attribute.name)' must have a single value.")
            }
            let text = String(decoding: attribute.value, as: UTF8.self)
            guard attribute.type.prefix(6) != "Number" || Self.isInRange(text) else {
                throw Self.noNumber(attribute.name)
            }
        }
    }

    /// What they add to the message's size: names, types and values.
    package var size: Int {
        attributes.reduce(0) { $0 + $1.name.utf8.count + $1.type.utf8.count + $1.value.count }
    }

    /// `MD5OfMessageAttributes`; `nil` if there are none.
    package var md5: String? {
        guard !attributes.isEmpty else { return nil }
        var bytes: [UInt8] = []
        func append(_ field: some Collection<UInt8>) {
            let count = UInt32(field.count)
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
            bytes += field
        }
        for attribute in attributes {
            append(attribute.name.utf8)
            append(attribute.type.utf8)
            bytes.append(attribute.isBinary ? 2 : 1)
            append(attribute.value)
        }
        return Digest.md5Hex(bytes)
    }

    /// Those that a receive asked for: names, prefixes as `foo.*`; `All`, `.*` or `*`.
    package func selected(by names: [String]) -> MessageAttributes {
        func isWanted(_ name: String) -> Bool {
            names.contains { wanted in
                ["All", ".*", "*"].contains(wanted) || wanted.isExactly(name)
                    || (wanted.hasSuffix(".*") && name.beginsExactly(with: wanted.dropLast(2)))
            }
        }
        var selection = self
        selection.attributes.removeAll { !isWanted($0.name) }
        selection.json = JSONObject(json.members.filter { isWanted($0.key) })
        return selection
    }

    private static func attribute(
        _ name: String, _ json: JSONValue
    ) throws(SQSError) -> Attribute {
        try check(name: name)
        let type = json["DataType"]?.stringValue ?? ""
        guard !type.isEmpty else {
            throw .invalidParameter(
                "The message attribute '\(name)' must contain non-empty message attribute type.")
        }
        let prefix = type.prefix { $0 != "." }
        guard ["String", "Number", "Binary"].contains(prefix),
            type.utf8.count <= QueueLimits.attributeNameLength
        else {
            throw .invalidParameter(
                "The type of message (user) attribute '\(name)' is invalid. You must use only "
                    + "the following supported type prefixes: Binary, Number, String.")
        }
        let isBinary = prefix == "Binary"
        let text = json[isBinary ? "BinaryValue" : "StringValue"]?.stringValue ?? ""
        let value = isBinary ? Base64.decode(text) ?? [] : Array(text.utf8)
        guard !value.isEmpty else {
            throw .invalidParameter(
                "Message (user) attribute '\(name)' must contain a non-empty value of type "
                    + "'\(prefix)'.")
        }
        guard isBinary || MessageCharacters.areValid(value) else { throw .invalidMessageContents }
        guard prefix != "Number" || isNumber(text) else {
            throw noNumber(name)
        }
        return Attribute(name: name, type: type, isBinary: isBinary, value: value)
    }

    private static func check(name: String) throws(SQSError) {
        let isPlain = name.unicodeScalars.allSatisfy { character in
            switch character {
            case "0"..."9", "A"..."Z", "a"..."z", "-", ".", "_": true
            // Not documented, but AWS was recorded to take the letters of Latin-1 and the like.
            case "\u{C0}"..."\u{17F}": true
            default: false
            }
        }
        let lower = name.lowercased()
        guard isPlain, (1...QueueLimits.attributeNameLength).contains(name.unicodeScalars.count),
            !name.hasPrefix("."), !name.hasSuffix("."), !name.contains(".."),
            !lower.hasPrefix("aws."), !lower.hasPrefix("amazon.")
        else {
            throw .invalidParameter(
                "Message (user) attribute name '\(name)' is invalid: 1 to 256 letters, digits, "
                    + "'-', '_' and single dots inside, not starting with 'AWS.' or 'Amazon.'.")
        }
    }

    private static func noNumber(_ name: String) -> SQSError {
        .invalidParameter("Can't cast the value of message (user) attribute '\(name)' to a number.")
    }

    /// 0, or of 10^-128 to 10^126 in size (Developer Guide, *sqs-message-metadata*).
    private static func isInRange(_ number: String) -> Bool {
        Double(number).map { $0 == 0 || (1e-128...1e126).contains($0.magnitude) } ?? false
    }

    /// Up to 38 digits, with sign, point and exponent.
    private static func isNumber(_ text: String) -> Bool {
        guard Double(text)?.isFinite == true, !text.lowercased().contains("x") else { return false }
        let mantissa = text.prefix { $0 != "e" && $0 != "E" }
        return mantissa.count(where: \.isNumber) <= 38
    }
}
