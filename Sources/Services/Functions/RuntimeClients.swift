import Crypto
import FunctionModel
import Posix

/// The built-in runtime clients as files, named by their content.
package enum RuntimeClients {
    /// Writes what is missing.
    package static func install(in folder: String) throws(SystemError) {
        try FileSystem.makeDirectory(folder)
        for (name, source) in clients where !FileSystem.exists("\(folder)/\(name)") {
            try FileSystem.replace("\(folder)/\(name)", with: Array(source.utf8))
        }
    }

    static func path(of runtime: RuntimeIdentifier, in folder: String) -> String {
        "\(folder)/\(runtime.family == .python ? clients[0].name : clients[1].name)"
    }

    private static let clients = [
        client("python", PythonRuntime.source, "py"), client("node", NodeRuntime.source, "cjs"),
    ]

    private static func client(
        _ name: String, _ source: String, _ suffix: String
    ) -> (name: String, source: String) {
        ("\(name)-\(Digest.sha256Hex(Array(source.utf8)).prefix(12)).\(suffix)", source)
    }
}
