import JSON

/// The parameters of one call, read strictly.
struct UserPoolRequest {
    /// Longer texts are nobody's name, password or token.
    private static let limitBytes = 16_384

    let json: JSONValue

    func text(_ name: String) throws(UserPoolError) -> String? {
        guard let value = json[name], !value.isNull else { return nil }
        guard let text = value.stringValue, text.utf8.count <= Self.limitBytes else {
            throw .invalidParameter("\(name) must be a string of up to \(Self.limitBytes) bytes.")
        }
        return text
    }

    func required(_ name: String) throws(UserPoolError) -> String {
        guard let text = try text(name), !text.isEmpty else {
            let first = name.prefix(1).lowercased() + name.dropFirst()
            throw .invalidParameter(
                "1 validation error detected: Value null at '\(first)' failed to satisfy "
                    + "constraint: Member must not be null")
        }
        return text
    }

    /// `Username`: what is no name is refused before anybody looks for it.
    func username() throws(UserPoolError) -> String {
        let name = try required("Username")
        try UserAttributes.check(username: name)
        return name
    }

    func flag(_ name: String) -> Bool { json[name]?.boolValue ?? false }

    /// A parameter of an authentication flow or a challenge.
    func parameter(_ name: String, of map: String) throws(UserPoolError) -> String {
        guard let text = json[map]?[name]?.stringValue, !text.isEmpty,
            text.utf8.count <= Self.limitBytes
        else { throw .invalidParameter("Missing required parameter \(name)") }
        return text
    }

    /// A list of texts; `nil` if there is none.
    func names(_ name: String) throws(UserPoolError) -> [String]? {
        guard let value = json[name], !value.isNull else { return nil }
        let names = value.arrayValue?.compactMap(\.stringValue)
        guard let names, names.count == value.arrayValue?.count else {
            throw .invalidParameter("\(name) must be a list of strings.")
        }
        return names
    }

    /// A list of `{"Name", "Value"}`.
    func attributes(
        _ name: String = "UserAttributes"
    ) throws(UserPoolError) -> [(name: String, value: String)] {
        var attributes: [(name: String, value: String)] = []
        for item in json[name]?.arrayValue ?? [] {
            guard let name = item["Name"]?.stringValue else {
                throw .invalidParameter("An attribute needs a Name.")
            }
            attributes.append((name, item["Value"]?.stringValue ?? ""))
        }
        return attributes
    }
}
