import FunctionModel
import JSON
import Posix
import StackModel

/// A function that is ready to run: its code in place, its interpreter found.
package struct DeployedFunction: Equatable, Sendable {
    package var definition: FunctionDefinition
    package var arn: String
    /// The folder with its code, absolute.
    package var taskRoot: String
    /// The folder with packages that its interpreter lacks, absolute; `nil` without any.
    package var packages: String?
    /// `nil` for `provided`.
    package var interpreter: Interpreter?
    package var credentials: Credentials

    package init(
        definition: FunctionDefinition, arn: String, taskRoot: String, packages: String?,
        interpreter: Interpreter?, credentials: Credentials
    ) {
        self.definition = definition
        self.arn = arn
        self.taskRoot = taskRoot
        self.packages = packages
        self.interpreter = interpreter
        self.credentials = credentials
    }

    package var logGroup: String { "/aws/lambda/\(definition.functionName)" }

    /// The program of an execution environment, and its arguments.
    func command(_ host: FunctionHost) -> (program: String, arguments: [String]) {
        guard let interpreter, let runtime = RuntimeIdentifier(definition.runtime) else {
            return ("\(taskRoot)/bootstrap", [])
        }
        return (interpreter.program, [RuntimeClients.path(of: runtime, in: host.runtimeFolder)])
    }

    /// Every variable that the function sees (Lambda guide, *configuration-envvars*).
    func environment(
        _ host: FunctionHost, port: UInt16, logStream: String, temporaryFolder: String
    ) -> [String: String] {
        var path = "/usr/local/bin:/usr/bin:/bin"
        if let interpreter { path = "\(FileSystem.parent(of: interpreter.program)):\(path)" }
        var variables = [
            "_HANDLER": definition.handler, "LAMBDA_TASK_ROOT": taskRoot,
            "LAMBDA_RUNTIME_DIR": host.runtimeFolder,
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:\(port)",
            "AWS_LAMBDA_FUNCTION_NAME": definition.functionName,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": String(definition.memorySize),
            "AWS_LAMBDA_LOG_GROUP_NAME": logGroup, "AWS_LAMBDA_LOG_STREAM_NAME": logStream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_REGION": host.region,
            "AWS_DEFAULT_REGION": host.region, "AWS_ENDPOINT_URL": host.endpointURL,
            "AWS_ACCESS_KEY_ID": credentials.accessKeyID,
            "AWS_SECRET_ACCESS_KEY": credentials.secretAccessKey,
            "AWS_SESSION_TOKEN": credentials.sessionToken, "LANG": "en_US.UTF-8",
            "TZ": ":UTC", "PATH": path,
            "LD_LIBRARY_PATH": "\(taskRoot):\(taskRoot)/lib", "TMPDIR": temporaryFolder,
            "HOME": temporaryFolder,
        ]
        if interpreter != nil {
            variables["AWS_EXECUTION_ENV"] = "AWS_Lambda_\(definition.runtime)"
        }
        variables.merge(definition.environment) { $1 }
        if let packages {
            // Beside those that it names itself: they must be found, as in a folder's own on AWS.
            let own = definition.environment["PYTHONPATH"] ?? ""
            variables["PYTHONPATH"] = own.isEmpty ? packages : "\(own):\(packages)"
        }
        return variables
    }
}

/// An access key with its secret and session token.
package struct Credentials: Equatable, Sendable {
    package var accessKeyID: String
    package var secretAccessKey: String
    package var sessionToken: String

    package init(accessKeyID: String, secretAccessKey: String, sessionToken: String) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }
}

/// What all functions of a stack share while it runs.
package struct FunctionHost: Sendable {
    package var loop: EventLoop
    package var region: String
    package var endpointURL: String
    /// An `msorch` that can be a guard.
    package var guardExecutable: String
    /// Holds the runtime clients.
    package var runtimeFolder: String
    /// Gets a private folder for each environment.
    package var temporaryFolder: String
    package var clock: StackClock
    /// Gets each log line as it comes; on the loop.
    package var log: @Sendable (FunctionLogLine) -> Void
    /// Whether `log` may get more now; who prints waits otherwise.
    package var hasRoomForLog: @Sendable () -> Bool
}

package struct FunctionLogLine: Equatable, Sendable {
    package var functionName: String
    package var stream: String
    package var time: Timestamp
    package var text: String

    /// What it holds, about.
    var heldBytes: Int { text.utf8.count + MemoryLayout<FunctionLogLine>.stride }
}
