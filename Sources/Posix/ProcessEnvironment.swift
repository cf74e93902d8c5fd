import Glibc

/// What this process was started with.
package enum ProcessEnvironment {
    package static var processID: Int32 { getpid() }

    /// Ends the process.
    package static func exit(_ code: Int32) -> Never { Glibc.exit(code) }

    /// A variable's value; `nil` if it is not set or empty.
    package static func value(_ name: String) -> String? {
        guard let text = getenv(name), text.pointee != 0 else { return nil }
        return String(cString: text)
    }

    /// The folder that relative paths start from.
    package static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "." }
        defer { free(path) }
        return String(cString: path)
    }
}
