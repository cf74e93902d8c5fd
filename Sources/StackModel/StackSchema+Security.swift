extension StackSchema {
    private static let seconds = "seconds"

    static let security = SchemaRule.object([
        SchemaProperty(
            "iam", .choice(["enforce", "audit", "off"]),
            "Whether policies are enforced (default: enforce)."),
        SchemaProperty(
            "clockSkew", .integer(1...86_400, unit: seconds),
            "Seconds that a signature's date may be off (default: 900, as on AWS)."),
        SchemaProperty("userPool", userPool, "Users with passwords, as Cognito has them."),
        SchemaProperty("jwt", tokenIssuer, "Whose tokens jwt routes take, if not the pool's."),
    ])

    private static let userPool = SchemaRule.object([
        SchemaProperty(
            "name", .text(pattern: "[A-Za-z0-9_ +=,.@-]{1,128}", meaning: "1 to 128 characters"),
            "The pool's name (default: the stack's)."),
        SchemaProperty(
            "id",
            .text(
                pattern: "[A-Za-z0-9-]{1,25}_[0-9A-Za-z]{1,29}",
                meaning: "a region, '_', letters and digits"),
            "The pool's id (default: made from its name)."),
        SchemaProperty(
            "clientIds",
            .list(
                of: .text(
                    pattern: "[A-Za-z0-9_+]{1,128}", meaning: "letters, digits, '_' and '+'"),
                maximum: 20), "The app clients (default: one, made from the pool's name)."),
        SchemaProperty(
            "issuer", .text(), "What tokens name as their issuer (default: Cognito's address)."),
        SchemaProperty("passwordPolicy", passwordPolicy, "What passwords must have."),
        SchemaProperty("tokenValidity", tokenValidity, "How long tokens are good for."),
        SchemaProperty("signUp", .boolean, "Whether anybody may sign up (default: true)."),
        SchemaProperty(
            "autoConfirm", .boolean, "Whether who signs up needs no code (default: false)."),
        SchemaProperty(
            "preventUserExistenceErrors", .boolean,
            "Whether unknown users are answered as wrong passwords are (default: true)."),
    ])

    private static let passwordPolicy = SchemaRule.object([
        SchemaProperty(
            "minimumLength", .integer(6...99), "Characters at least (default: 8)."),
        SchemaProperty("requireLowercase", .boolean, "A small letter (default: true)."),
        SchemaProperty("requireUppercase", .boolean, "A capital letter (default: true)."),
        SchemaProperty("requireNumbers", .boolean, "A digit (default: true)."),
        SchemaProperty("requireSymbols", .boolean, "Something else (default: true)."),
    ])

    private static let tokenValidity = SchemaRule.object([
        SchemaProperty(
            "accessToken", .integer(300...86_400, unit: seconds), "Access tokens (default: 3600)."),
        SchemaProperty(
            "idToken", .integer(300...86_400, unit: seconds), "ID tokens (default: 3600)."),
        SchemaProperty(
            "refreshToken", .integer(3600...315_360_000, unit: seconds),
            "Refresh tokens (default: 2592000, thirty days)."),
    ])

    private static let tokenIssuer = SchemaRule.object([
        SchemaProperty("issuer", .text(), required: true, "The iss that tokens must have."),
        SchemaProperty(
            "audience", .oneOrMany(.text()), required: true,
            "The aud, or without one the client_id, that tokens must have."),
        SchemaProperty(
            "jwksFile", .text(), required: true,
            "The issuer's keys, a JWK Set, relative to the stack file."),
    ])
}
