import Services
import StackModel

/// Errors about keys and users, in the user's words.
extension CommandError {
    init(_ error: StateFileError) {
        switch error {
        case .unreadable:
            self.init(
                .damaged, "\(error).",
                hint: "Nothing was changed. Queues and messages are not affected.")
        case .busy(_, let holder):
            self.init(
                .inputOutput, "\(error).",
                hint: holder.map { "See 'ps -p \($0)'." })
        }
    }

    init(_ error: CredentialError) {
        switch error {
        case .invalidName(let name):
            self.init(
                .usage, "'\(name)' cannot be a key's name.",
                hint: "1 to 64 letters, digits and _+=,.@-.")
        case .exists(let name):
            self.init(
                .refused, "There is a key '\(name)' already.",
                hint: name == CredentialStore.developer
                    ? "It is the developer's own: 'msorch env' shows it."
                    : "'msorch keys show \(name) --secret' shows it.")
        case .tooMany:
            self.init(.refused, "There are \(CredentialStore.limitUsers) keys, and no more fit.")
        case .noSuchKey(let name, let existing):
            let near = closestMatch(to: name, among: existing)
            self.init(
                .notFound, "There is no key '\(name)'.",
                hint: near.map { "Did you mean '\($0)'?" } ?? "'msorch keys list' lists them.")
        }
    }

    init(_ error: UserPoolError) {
        switch error.name {
        case "UserNotFoundException":
            self.init(
                .notFound, "\(error.name): \(error.message)",
                hint: "'msorch users list' lists the users.")
        case "UsernameExistsException":
            self.init(.refused, "\(error.name): \(error.message)")
        case "InvalidParameterException", "InvalidPasswordException":
            self.init(.usage, "\(error.name): \(error.message)")
        default: self.init(.failure, "\(error.name): \(error.message)")
        }
    }
}
