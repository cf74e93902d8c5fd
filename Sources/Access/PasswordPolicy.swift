/// What a user pool asks of passwords (Cognito's `PasswordPolicyType`).
package struct PasswordPolicy: Equatable, Sendable {
    /// Cognito takes no longer ones.
    package static let mostBytes = 256

    package var minimumLength = 8
    package var requiresLowercase = true
    package var requiresUppercase = true
    package var requiresNumbers = true
    package var requiresSymbols = true

    package init() {}

    /// What is wrong with a password, in Cognito's words; `nil` if nothing is.
    package func complaint(about password: String) -> String? {
        guard password.count >= minimumLength else { return "Password not long enough" }
        guard password.utf8.count <= Self.mostBytes else { return "Password is too long" }
        func has(_ test: (Unicode.Scalar) -> Bool) -> Bool {
            password.unicodeScalars.contains(where: test)
        }
        if has({ $0.properties.isWhitespace }) { return "Password must not have white space" }
        let rules: [(Bool, String, (Unicode.Scalar) -> Bool)] = [
            (requiresUppercase, "uppercase", { ("A"..."Z").contains($0) }),
            (requiresLowercase, "lowercase", { ("a"..."z").contains($0) }),
            (requiresNumbers, "numeric", { ("0"..."9").contains($0) }),
            (requiresSymbols, "symbol", { Self.symbols.contains($0) }),
        ]
        return rules.first { $0.0 && !has($0.2) }.map { "Password must have \($0.1) characters" }
    }

    /// Cognito developer guide, *user-pool-settings-policies*.
    private static let symbols = Set("^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+= ".unicodeScalars)
}
