import JSON
import Services
import StackModel

extension Command {
    static let usersToken = Command(
        path: ["users", "token"],
        abstract: "Makes a user's tokens, without a password; the access token is printed.",
        arguments: [Argument(name: "USER", help: "The user's name.")],
        options: [
            .text("client", "ID", "The app client (default: the pool's first)."),
            .text("scopes", "SCOPE,...", "The access token's scopes (default: Cognito's own)."),
            .flag("id", "Print the ID token instead."),
        ],
        examples: [
            "curl -H \"Authorization: Bearer $(msorch users token ana)\" "
                + "localhost:8080/prod/orders",
            "msorch users token ana --scopes orders/read --output json",
        ],
        run: { invocation in
            let pool = try invocation.userPool()
            guard let user = try pool.store.user(invocation.arguments[0]) else {
                throw UserPoolError("UserNotFoundException", "User does not exist.")
            }
            let client = invocation.text("client") ?? pool.definition.clientIDs[0]
            guard pool.definition.clientIDs.contains(client) else {
                throw CommandError(
                    .notFound, "The pool has no client '\(client)'.",
                    hint: "'msorch users pool' lists them.")
            }
            let scopes = (invocation.text("scopes") ?? "").split(separator: ",").map(String.init)
            let tokens = try pool.issue(
                user, client: client, authenticatedAt: StackClock().now(), scopes: scopes)
            var json: JSONObject = [
                "accessToken": .string(tokens.access), "idToken": .string(tokens.id),
                "expiresIn": .int(tokens.expiresInSeconds), "tokenType": "Bearer",
            ]
            json["refreshToken"] = tokens.refresh.map { .string($0) }
            try invocation.output.result(.object(json)) {
                invocation.has("id") ? tokens.id : tokens.access
            }
        })
}
