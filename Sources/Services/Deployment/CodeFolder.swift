import Crypto
import Posix

/// A function's code as stack.json names it: its files, their digest, and copies of them.
struct CodeFolder {
    /// AWS's limit for unzipped code.
    static let byteLimit = 262_144_000
    private static let fileLimit = 20_000
    private static let depthLimit = 32
    /// Left out: what interpreters write themselves, version control, and what msorch keeps.
    private static let ignored: Set<String> = ["__pycache__", ".git", ".DS_Store", ".msorch"]

    let path: String
    private let function: String
    private let stateDirectory: String
    /// Relative, sorted.
    let files: [String]
    let sha256: String

    /// - Parameter stateDirectory: absolute; left out, whatever it is called: it has the stack's
    ///   keys, and changes with each deploy.
    init(function: String, path: String, stateDirectory: String) throws {
        guard FileSystem.isDirectory(path) else {
            throw DeploymentError.noCode(function: function, path: path)
        }
        self.path = path
        self.function = function
        self.stateDirectory = stateDirectory
        var found: [String] = []
        func visit(_ folder: String, _ depth: Int) throws {
            for name in try FileSystem.list("\(path)/\(folder)") where !Self.ignored.contains(name)
            {
                let relative = folder + name
                if FileSystem.isDirectory("\(path)/\(relative)") {
                    if FileSystem.absolute("\(path)/\(relative)") == stateDirectory { continue }
                    if depth < Self.depthLimit { try visit("\(relative)/", depth + 1) }
                } else {
                    found.append(relative)
                }
                guard found.count <= Self.fileLimit else {
                    throw DeploymentError.codeTooLarge(function: function, limit: Self.byteLimit)
                }
            }
        }
        try visit("", 0)
        files = found
        var list: [UInt8] = []
        var total = 0
        for file in files {
            let bytes = try FileSystem.read("\(path)/\(file)")
            total += bytes.count
            guard total <= Self.byteLimit else {
                throw DeploymentError.codeTooLarge(function: function, limit: Self.byteLimit)
            }
            let mode = FileSystem.isExecutable("\(path)/\(file)") ? "x" : "-"
            list += "\(Digest.sha256Hex(bytes)) \(mode) \(file)\n".utf8
        }
        sha256 = Digest.sha256Hex(list)
    }

    /// Puts a copy at `target`, whole and durable or not at all. Not an error if it is there.
    /// - Throws: `DeploymentError.codeChanged` if the files are not what they were.
    func copy(to target: String) throws {
        guard !FileSystem.isDirectory(target) else { return }
        let temporary = "\(target).new-\(ProcessEnvironment.processID)"
        try FileSystem.removeTree(temporary)
        try FileSystem.makeDirectory(temporary)
        for file in files {
            let copy = "\(temporary)/\(file)"
            try FileSystem.makeDirectory(FileSystem.parent(of: copy))
            try FileSystem.copyFile("\(path)/\(file)", to: copy)
        }
        let copied = try CodeFolder(
            function: function, path: temporary, stateDirectory: stateDirectory)
        guard copied.sha256 == sha256 else {
            try FileSystem.removeTree(temporary)
            throw DeploymentError.codeChanged(function: function)
        }
        try FileSystem.settle(temporary, as: target)
    }
}
