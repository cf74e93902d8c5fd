/// The keys of `api` and `routes`.
extension StackSchema {
    private static let headerName = SchemaRule.text(
        pattern: "[!#$%&'*+.^_`|~0-9A-Za-z-]+", meaning: "a header's name")

    private static let throttle = SchemaRule.object([
        SchemaProperty(
            "rate", .integer(0...1_000_000), required: true, "Requests a second."),
        SchemaProperty(
            "burst", .integer(0...1_000_000), required: true, "Requests that may come at once."),
    ])

    private static let cors = SchemaRule.object([
        SchemaProperty(
            "origins",
            .list(
                of: .text(
                    pattern: "\\*|https?://(\\*|[^/*\\s]+)",
                    meaning: "an origin such as https://shop.example, https://*, or *"),
                maximum: 100), "Whose pages may call (default: *)."),
        SchemaProperty(
            "methods",
            .list(
                of: .choice(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "*"]),
                maximum: 10), "With which methods (default: those of the path's routes)."),
        SchemaProperty(
            "headers", .list(of: headerName, maximum: 100),
            "With which headers (default: those that API Gateway's console proposes)."),
        SchemaProperty(
            "exposeHeaders", .list(of: headerName, maximum: 100),
            "Which headers of the answer a page may read."),
        SchemaProperty(
            "maxAge", .integer(0...86_400, unit: "seconds"),
            "Seconds that a browser may keep the answer to its preflight."),
        SchemaProperty(
            "credentials", .boolean, "Whether cookies may come along (default: false)."),
    ])

    private static let keyName = "[A-Za-z0-9_.-]{1,128}"
    private static let keyNameMeaning = "1 to 128 letters, digits, '-', '_' and '.'"

    private static let key = SchemaRule.object([
        SchemaProperty("description", .text(), "Whose key it is."),
        SchemaProperty("enabled", .boolean, "Whether it counts (default: true)."),
    ])

    private static let usagePlan = SchemaRule.object([
        SchemaProperty("description", .text(), "Whom the plan is for."),
        SchemaProperty(
            "keys", .list(of: .text(), maximum: 10_000), required: true, "Its keys, by name."),
        SchemaProperty("throttle", throttle, "How often each key may call."),
        SchemaProperty(
            "quota",
            .object([
                SchemaProperty(
                    "limit", .integer(1...1_000_000_000_000), required: true,
                    "Requests of each key in a period."),
                SchemaProperty(
                    "period", .choice(["DAY", "WEEK", "MONTH"]), required: true,
                    "How long it is; it begins at midnight, UTC, a week on Sunday."),
                SchemaProperty(
                    "offset", .integer(0...27, unit: "days"),
                    "Days by which it begins later (default: 0)."),
            ]), "How much each key may call in all."),
    ])

    static let api = SchemaRule.object([
        SchemaProperty("name", .text(), "The API's name (default: the stack's)."),
        SchemaProperty(
            "id", .text(pattern: "[a-z0-9]{1,64}", meaning: "lower-case letters and digits"),
            "Its id in ARNs (default: the letters and digits of its name, in lower case)."),
        SchemaProperty(
            "type", .choice(["rest", "http"]),
            "Which of API Gateway's two kinds it behaves like (default: rest)."),
        SchemaProperty(
            "stage",
            .text(
                pattern: "[A-Za-z0-9_-]{1,128}|\\$default",
                meaning: "letters, digits, '-', '_', or $default"),
            "The stage, first part of each path (default: prod)."),
        SchemaProperty(
            "stageVariables",
            .map(names: "[A-Za-z0-9_]+", meaning: "letters, digits, '_'", of: .text()),
            "Variables that events carry."),
        SchemaProperty(
            "throttle", throttle, "How often the stage may be called (default: 10000 and 5000)."),
        SchemaProperty(
            "binaryMediaTypes",
            .list(
                of: .text(pattern: "[^/\\s]+/[^/\\s]+", meaning: "a type such as image/png or */*"),
                maximum: 100), "Bodies of these types travel in base64."),
        SchemaProperty(
            "cors", .toggle(cors), "Which pages of other origins may call, on every route."),
        SchemaProperty(
            "keys", .map(names: keyName, meaning: keyNameMeaning, of: key),
            "API keys, by name; their values are made by msorch."),
        SchemaProperty(
            "usagePlans", .map(names: keyName, meaning: keyNameMeaning, of: usagePlan),
            "Which keys may call how much, by the plan's name."),
    ])

    static let route = SchemaRule.object([
        SchemaProperty("lambda", .text(), required: true, "The function, by key or name."),
        SchemaProperty(
            "integration", .choice(["lambda", "proxy"]),
            "lambda: the body is the event (default); proxy: the whole request is."),
        SchemaProperty(
            "payloadVersion", .choice(["1.0", "2.0"]),
            "The proxy event's format (default: 1.0, and 2.0 for an http API)."),
        SchemaProperty(
            "responses", .list(of: response, maximum: 50),
            "Which status an answer gets; for the lambda integration."),
        SchemaProperty(
            "contentTypes", .list(of: .text(), maximum: 50),
            "The bodies that are taken, by their type (default: all)."),
        SchemaProperty(
            "authorization", .choice(["none", "iam", "jwt", "apiKey"]),
            "Who may call (default: none)."),
        SchemaProperty(
            "apiKeyRequired", .boolean, "Whether an API key is needed, too (default: false)."),
        SchemaProperty(
            "scopes", .list(of: .text(), maximum: 100), "jwt: one of these is needed."),
        SchemaProperty(
            "requestSchema", .anything, "JSON Schema, draft 4, that the body must fit."),
        SchemaProperty(
            "requiredParameters",
            .list(
                of: .text(
                    pattern: "(querystring|header|path)\\.\\S+",
                    meaning: "querystring.NAME, header.NAME or path.NAME"), maximum: 100),
            "What must be there, and not blank."),
        SchemaProperty("throttle", throttle, "How often the route may be called."),
        SchemaProperty(
            "timeout", .integer(1...30, unit: "seconds"),
            "Seconds until the answer is 504 (default: 29, and 30 for an http API)."),
        SchemaProperty("cors", .toggle(cors), "Which pages of other origins may call."),
    ])

    private static let response = SchemaRule.object([
        SchemaProperty(
            "pattern", .text(),
            "Fits the whole error message of a failed function; without one: every other answer."),
        SchemaProperty("statusCode", .integer(200...599), required: true, "The HTTP status."),
        SchemaProperty(
            "headers",
            .map(names: "[!#$%&'*+.^_`|~0-9A-Za-z-]+", meaning: "a header's name", of: .text()),
            "Headers of the answer."),
    ])
}
