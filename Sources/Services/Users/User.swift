import Crypto
import JSON

/// A user of the pool, as it is kept.
package struct User: Equatable, Sendable {
    package enum Status: String, Sendable {
        case unconfirmed = "UNCONFIRMED"
        case confirmed = "CONFIRMED"
        /// Has a password for the first time only.
        case forceChangePassword = "FORCE_CHANGE_PASSWORD"
        case resetRequired = "RESET_REQUIRED"
    }

    /// A code that a user must know, and that nobody sends: there is no e-mail here.
    package struct Code: Equatable, Sendable {
        package var digits: String
        package var expiresAt: Timestamp
        /// Wrong guesses so far.
        package var failures: Int64
    }

    /// As it was written at first; without case it is one user's alone.
    package var username: String
    /// A UUID; never changes.
    package var subject: String
    package var status: Status
    package var isEnabled = true
    /// Name and value, without `sub`, in the order in which they came.
    package var attributes: [(name: String, value: String)]
    package var createdAt: Timestamp
    package var modifiedAt: Timestamp
    /// `nil`: nobody can sign in by one.
    package var password: PasswordHash?
    /// Until when a password for the first time is good.
    package var passwordExpiresAt: Timestamp?
    package var confirmationCode: Code?
    package var resetCode: Code?
    /// Tokens that were made before do not count.
    package var tokensValidFrom: Timestamp

    package init(
        username: String, status: Status, attributes: [(name: String, value: String)],
        at now: Timestamp
    ) {
        self.username = username
        self.status = status
        self.attributes = []
        subject = RandomBytes.uuid()
        createdAt = now
        modifiedAt = now
        tokensValidFrom = Timestamp(milliseconds: 0)
        set(attributes)
    }

    package static func key(_ username: String) -> ExactText { ExactText(username.lowercased()) }

    package func attribute(_ name: String) -> String? {
        attributes.first { $0.name.isExactly(name) }?.value
    }

    package mutating func set(_ name: String, _ value: String) {
        if let index = attributes.firstIndex(where: { $0.name.isExactly(name) }) {
            attributes[index].value = value
        } else {
            attributes.append((name, value))
        }
    }

    /// Sets all of them. A new address has not been shown to be the user's, unless the same call
    /// says so (Cognito developer guide, *user-pool-settings-email-phone-verification*). What is
    /// blank goes (API reference, *AdminUpdateUserAttributes*), and what was said of its address.
    mutating func set(_ attributes: [(name: String, value: String)]) {
        let addresses = ["email", "phone_number"]
        for (name, value) in attributes where addresses.contains(name) {
            let flag = "\(name)_verified"
            if attribute(name)?.isExactly(value) != true, attribute(flag) != nil {
                set(flag, "false")
            }
        }
        for (name, value) in attributes { set(name, value) }
        for (name, _) in attributes where attribute(name) == "" {
            let flag = addresses.contains(name) ? "\(name)_verified" : name
            self.attributes.removeAll { $0.name.isExactly(name) || $0.name.isExactly(flag) }
        }
    }

    package static func == (lhs: User, rhs: User) -> Bool { lhs.json == rhs.json }
}

extension User {
    /// `nil` if it lacks what every user has.
    init?(json: JSONValue) {
        guard let name = json["username"]?.stringValue, let subject = json["sub"]?.stringValue,
            let status = json["status"]?.stringValue.flatMap(Status.init(rawValue:)),
            let created = Self.moment(json["createdAt"])
        else { return nil }
        let attributes = json["attributes"]?.objectValue?.members ?? []
        self.init(
            username: name, status: status,
            attributes: attributes.map { ($0.key, $0.value.stringValue ?? "") }, at: created)
        self.subject = subject
        isEnabled = json["enabled"]?.boolValue ?? true
        modifiedAt = Self.moment(json["modifiedAt"]) ?? created
        password = json["password"].flatMap(PasswordHash.init(json:))
        passwordExpiresAt = Self.moment(json["passwordExpiresAt"])
        confirmationCode = json["confirmationCode"].flatMap(Code.init(json:))
        resetCode = json["resetCode"].flatMap(Code.init(json:))
        tokensValidFrom = Self.moment(json["tokensValidFrom"]) ?? tokensValidFrom
    }

    /// As the file has it.
    var json: JSONValue {
        var json: JSONObject = [
            "username": .string(username), "sub": .string(subject),
            "status": .string(status.rawValue), "enabled": .bool(isEnabled),
            "attributes": .object(
                JSONObject(attributes.map { (key: $0.name, value: .string($0.value)) })),
            "createdAt": .string(createdAt.iso8601), "modifiedAt": .string(modifiedAt.iso8601),
        ]
        json["password"] = password?.json
        json["passwordExpiresAt"] = passwordExpiresAt.map { .string($0.iso8601) }
        json["confirmationCode"] = confirmationCode?.json
        json["resetCode"] = resetCode?.json
        json["tokensValidFrom"] = .string(tokensValidFrom.iso8601)
        return .object(json)
    }

    fileprivate static func moment(_ json: JSONValue?) -> Timestamp? {
        json?.stringValue.flatMap { Timestamp(iso8601: $0) }
    }
}

extension User.Code {
    fileprivate init?(json: JSONValue) {
        guard let digits = json["code"]?.stringValue, let expiry = User.moment(json["expiresAt"])
        else { return nil }
        self.init(
            digits: digits, expiresAt: expiry, failures: json["failures"]?.intValue ?? 0)
    }

    fileprivate var json: JSONValue {
        [
            "code": .string(digits), "expiresAt": .string(expiresAt.iso8601),
            "failures": .int(failures),
        ]
    }
}

extension PasswordHash {
    fileprivate init?(json: JSONValue) {
        guard json["kdf"] == "scrypt",
            let salt = json["salt"]?.stringValue.flatMap(Base64.decode),
            let hash = json["hash"]?.stringValue.flatMap(Base64.decode),
            let rounds = json["n"]?.intValue.flatMap({ UInt64(exactly: $0) }),
            let block = json["r"]?.intValue.flatMap({ UInt64(exactly: $0) }),
            let parallel = json["p"]?.intValue.flatMap({ UInt64(exactly: $0) })
        else { return nil }
        self.init(
            salt: salt, rounds: rounds, blockSize: block, parallelism: parallel, hash: hash)
    }

    fileprivate var json: JSONValue {
        [
            "kdf": "scrypt", "n": .int(Int64(rounds)), "r": .int(Int64(blockSize)),
            "p": .int(Int64(parallelism)), "salt": .string(Base64.encode(salt)),
            "hash": .string(Base64.encode(hash)),
        ]
    }
}
