import JSON
import Posix
import Services
import StackModel

extension Invocation {
    /// The stack's user pool, on its files: `serve` need not run.
    func userPool() throws -> UserPool {
        let deployment = try deployment()
        guard let definition = deployment.stack.userPool else {
            throw CommandError(
                .notFound, "The stack has no user pool.",
                hint: "\"security\": {\"userPool\": {}} in the stack file makes one; then deploy.")
        }
        return UserPool(definition, stateDirectory: stateDirectory, clock: StackClock())
    }

    /// The password of `--password`, or a line of standard input; `nil` if none was given.
    func password() throws -> String? {
        guard let text = text("password"), text == "-" else { return self.text("password") }
        let limit = 4096
        var bytes: [UInt8] = []
        // Whoever writes it may do so in several parts.
        while !bytes.contains(0x0A), bytes.count < limit {
            let part = try StandardStream.input.read(upTo: limit - bytes.count)
            guard Signals.termination == nil else { throw CommandError(.failure, "Interrupted.") }
            if part.isEmpty { break }
            bytes += part
        }
        let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
        guard !line.isEmpty, line.count < limit else {
            throw CommandError(.usage, "Standard input holds no password.")
        }
        guard let password = String(validating: line, as: UTF8.self) else {
            throw CommandError(.usage, "The password on standard input is not UTF-8.")
        }
        return password
    }
}

extension User {
    /// Without the password's hash.
    var output: JSONValue {
        let attributes = attributes.map { (key: $0.name, value: JSONValue.string($0.value)) }
        var json: JSONObject = [
            "username": .string(username), "sub": .string(subject),
            "status": .string(status.rawValue), "enabled": .bool(isEnabled),
            "attributes": .object(JSONObject(attributes)),
            "createdAt": .string(createdAt.iso8601),
        ]
        json["confirmationCode"] = confirmationCode.map { .string($0.digits) }
        json["resetCode"] = resetCode.map { .string($0.digits) }
        return .object(json)
    }
}
