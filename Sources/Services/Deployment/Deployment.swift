import FunctionModel
import JSON
import Posix
import StackModel

/// What is deployed: the stack as it was, and where its code is. Kept in `deployment.json`.
package struct Deployment: Sendable {
    /// What a function needs beyond its definition.
    package struct Code: Equatable, Sendable {
        package var interpreter: Interpreter?
        /// The folder of its packages, below the function's own; `nil` without any.
        package var packages: String?
    }

    static let format: Int64 = 1

    /// Absolute.
    package let stateDirectory: String
    package var stack: Stack
    package var code: [String: Code]
    package var deployedAt: Timestamp
    /// Queues that are no longer part of the stack, and may not be gone yet.
    package var removing: [String]
    package var alarms: [String: AlarmLife] = [:]

    static func path(_ stateDirectory: String) -> String { "\(stateDirectory)/deployment.json" }

    /// - Returns: `nil` if nothing is deployed.
    package static func load(_ stateDirectory: String) throws -> Deployment? {
        let path = path(stateDirectory)
        guard FileSystem.exists(path) else { return nil }
        let json: JSONValue
        do {
            json = try JSONValue.parse(try FileSystem.read(path))
        } catch let error as JSONError {
            throw DeploymentError.unreadable(path, "\(error.message)")
        }
        guard json["format"]?.intValue == format else {
            throw DeploymentError.unreadable(path, "it is of another version of msorch")
        }
        return Deployment(json: json, stateDirectory: FileSystem.absolute(stateDirectory))
    }

    /// Makes this the deployment, in one step.
    func save() throws(SystemError) {
        let text = json.serialized(pretty: true) + "\n"
        try FileSystem.replace(Self.path(stateDirectory), with: Array(text.utf8))
    }

    var json: JSONValue {
        var json: JSONObject = [
            "format": .int(Self.format), "deployedAt": .string(deployedAt.iso8601),
            "stack": stack.json,
            "functions": .object(
                JSONObject(code.sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) })),
        ]
        if !alarms.isEmpty {
            json["alarms"] = .object(
                JSONObject(alarms.sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) }))
        }
        if !removing.isEmpty { json["removing"] = .array(removing.map { .string($0) }) }
        return .object(json)
    }

    /// The folder that holds a function's code and packages.
    static func folder(_ stateDirectory: String, _ key: String) -> String {
        "\(stateDirectory)/functions/\(key)"
    }

    /// Every function, ready to run.
    package func functions() throws -> [DeployedFunction] {
        let credentials = try CredentialStore(stateDirectory: stateDirectory).load()
        return try stack.functions.map { definition in
            let folder = Self.folder(stateDirectory, definition.key)
            guard let hash = definition.codeSHA256,
                let credentials = credentials[definition.functionName]
            else { throw DeploymentError.unreadable(Self.path(stateDirectory), "it is not whole") }
            let code = code[definition.key]
            return DeployedFunction(
                definition: definition, arn: stack.functionARN(definition),
                taskRoot: "\(folder)/\(hash)",
                packages: code?.packages.map { "\(folder)/\($0)" },
                interpreter: code?.interpreter, credentials: credentials)
        }
    }
}

extension Deployment {
    /// - Parameter json: what `json` gave.
    init(json: JSONValue, stateDirectory: String) {
        let members = json["functions"]?.objectValue?.members ?? []
        self.init(
            stateDirectory: stateDirectory, stack: Stack(json: json["stack"] ?? .null),
            code: Dictionary(members.map { ($0.key, Code(json: $0.value)) }) { $1 },
            deployedAt: json["deployedAt"]?.stringValue.flatMap { Timestamp(iso8601: $0) }
                ?? Timestamp(milliseconds: 0),
            removing: (json["removing"]?.arrayValue ?? []).compactMap(\.stringValue),
            alarms: Dictionary(
                (json["alarms"]?.objectValue?.members ?? []).compactMap { name, life in
                    AlarmLife(json: life).map { (name, $0) }
                }
            ) { $1 })
    }
}

extension Deployment.Code {
    init(json: JSONValue) {
        if let program = json["interpreter"]?.stringValue {
            interpreter = Interpreter(
                program: program, version: json["version"]?.stringValue ?? "")
        }
        packages = json["packages"]?.stringValue
    }

    var json: JSONValue {
        var json = JSONObject()
        json["interpreter"] = interpreter.map { .string($0.program) }
        json["version"] = interpreter.map { .string($0.version) }
        json["packages"] = packages.map { .string($0) }
        return .object(json)
    }
}

/// Why a stack cannot be deployed, or a deployment not be used.
package enum DeploymentError: Error, Sendable {
    case unreadable(String, String)
    case noCode(function: String, path: String)
    case codeTooLarge(function: String, limit: Int)
    /// A folder below so many others; or one that leads back to where it lies.
    case codeTooDeep(function: String, folder: String, limit: Int)
    /// Somebody changed it after the deploy had begun.
    case codeChanged(function: String)
    /// The token issuer's key set cannot be used, and why.
    case noKeySet(String, String)
    case noInterpreter(function: String, runtime: String, programs: [String])
    case noPip(function: String, interpreter: String)
    /// What pip said.
    case packagesFailed(function: String, output: String)
    /// Queues that would be removed, and what they hold.
    case holdsMessages([(queue: String, count: UInt64)])
    /// Everything is deployed, but for queues to be removed that got messages meanwhile.
    case filledMeanwhile([(queue: String, count: UInt64)])
    case interrupted
}
