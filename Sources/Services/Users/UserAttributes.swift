/// What may be known of a user: OpenID Connect's standard claims, and a pool's own as
/// `custom:name` (Cognito developer guide, *user-pool-settings-attributes*).
enum UserAttributes {
    private static let limitCount = 75
    private static let limitBytes = 2048
    private static let standard: Set<String> = [
        "address", "birthdate", "email", "family_name", "gender", "given_name", "locale",
        "middle_name", "name", "nickname", "phone_number", "picture", "preferred_username",
        "profile", "updated_at", "website", "zoneinfo",
    ]

    /// Whether it says that an address is the user's own.
    static func isVerification(_ name: String) -> Bool {
        name == "email_verified" || name == "phone_number_verified"
    }

    /// - Parameter mayVerify: whether the caller may say that an address is the user's own.
    static func check(
        _ attributes: [(name: String, value: String)], mayVerify: Bool
    ) throws(UserPoolError) {
        guard attributes.count <= limitCount else {
            throw .invalidParameter("A user has at most \(limitCount) attributes.")
        }
        for (name, value) in attributes {
            let isVerification = isVerification(name)
            if isVerification, !mayVerify {
                throw .notAuthorized("A client attempted to write unauthorized attribute")
            }
            let isCustom = name.hasPrefix("custom:") && (8...27).contains(name.utf8.count)
            guard standard.contains(name) || isVerification || isCustom else {
                throw .invalidParameter(
                    "Attributes did not conform to the schema: Type for attribute {\(name)} "
                        + "could not be determined")
            }
            guard value.utf8.count <= limitBytes else {
                throw .invalidParameter(
                    "Attributes did not conform to the schema: \(name): String must be no "
                        + "longer than \(limitBytes) characters")
            }
            try check(value, of: name)
        }
    }

    /// What a blank deletes is not looked at.
    private static func check(_ value: String, of name: String) throws(UserPoolError) {
        guard !value.isEmpty else { return }
        if name == "email", !isEmail(value) {
            throw .invalidParameter("Invalid email address format.")
        }
        if name == "phone_number", !isPhoneNumber(value) {
            throw .invalidParameter("Invalid phone number format.")
        }
        if isVerification(name), Bool(value.lowercased()) == nil {
            throw .invalidParameter(
                "Attributes did not conform to the schema: \(name): Boolean must be true or false")
        }
    }

    /// Something before an `@` and something behind it, without blanks.
    private static func isEmail(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        return parts.count == 2 && !parts.contains(where: \.isEmpty)
            && !text.unicodeScalars.contains { $0.properties.isWhitespace }
    }

    /// A `+` and digits.
    private static func isPhoneNumber(_ text: String) -> Bool {
        let digits = text.utf8.dropFirst()
        return text.utf8.first == UInt8(ascii: "+") && !digits.isEmpty
            && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// What is known of a user after a change: many changes make no more of it than one may.
    static func check(total user: User) throws(UserPoolError) {
        guard user.attributes.count <= limitCount else {
            throw .invalidParameter("A user has at most \(limitCount) attributes.")
        }
    }

    /// Whether it may be a name: 1 to 128 letters, marks, symbols, digits and punctuation marks.
    static func isUsername(_ text: String) -> Bool {
        guard (1...512).contains(text.utf8.count), text.count <= 128 else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            let properties = scalar.properties
            return !properties.isWhitespace
                && ![.control, .format, .unassigned, .privateUse, .surrogate]
                    .contains(properties.generalCategory)
        }
    }

    static func check(username: String) throws(UserPoolError) {
        guard isUsername(username) else {
            throw .invalidParameter(
                "1 validation error detected: Value at 'username' failed to satisfy constraint: "
                    + "Member must be 1 to 128 letters, marks, symbols, digits and punctuation "
                    + "marks")
        }
    }
}
