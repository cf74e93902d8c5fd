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

    /// What was found; the path is relative.
    private struct File {
        var path: String
        var sha256: String
        var isExecutable: Bool
    }

    let path: String
    private let function: String
    /// Sorted.
    private let files: [File]
    let sha256: String

    /// - Parameter stateDirectory: absolute; left out, whatever it is called: it has the stack's
    ///   keys, and changes with each deploy.
    init(function: String, path: String, stateDirectory: String) throws {
        guard FileSystem.isDirectory(path) else {
            throw DeploymentError.noCode(function: function, path: path)
        }
        self.path = path
        self.function = function
        var found: [String] = []
        func visit(_ folder: String, _ depth: Int) throws {
            for name in try FileSystem.list("\(path)/\(folder)") where !Self.ignored.contains(name)
            {
                let relative = folder + name
                if FileSystem.isDirectory("\(path)/\(relative)") {
                    if FileSystem.absolute("\(path)/\(relative)") == stateDirectory { continue }
                    guard depth < Self.depthLimit else {
                        throw DeploymentError.codeTooDeep(
                            function: function, folder: "\(path)/\(relative)",
                            limit: Self.depthLimit)
                    }
                    try visit("\(relative)/", depth + 1)
                } else {
                    found.append(relative)
                }
                guard found.count <= Self.fileLimit else {
                    throw DeploymentError.codeTooLarge(function: function, limit: Self.byteLimit)
                }
            }
        }
        try visit("", 0)
        var total = 0
        files = try found.map { file in
            let bytes = try FileSystem.read("\(path)/\(file)")
            total += bytes.count
            guard total <= Self.byteLimit else {
                throw DeploymentError.codeTooLarge(function: function, limit: Self.byteLimit)
            }
            return File(
                path: file, sha256: Digest.sha256Hex(bytes),
                isExecutable: FileSystem.isExecutable("\(path)/\(file)"))
        }
        sha256 = Digest.sha256Hex(
            files.flatMap { file in
                "\(file.sha256) \(file.isExecutable ? "x" : "-") \(file.path)\n".utf8
            })
    }

    /// Puts a copy at `target`, whole and durable or not at all. Not an error if it is there.
    /// - Throws: `DeploymentError.codeChanged` if the files are not what they were.
    func copy(to target: String) throws {
        guard !FileSystem.isDirectory(target) else { return }
        let temporary = "\(target).new-\(ProcessEnvironment.processID)"
        try FileSystem.removeTree(temporary)
        try FileSystem.makeDirectory(temporary)
        for file in files {
            let copy = "\(temporary)/\(file.path)"
            try FileSystem.makeDirectory(FileSystem.parent(of: copy))
            try FileSystem.copyFile(
                "\(path)/\(file.path)", to: copy, isExecutable: file.isExecutable)
            // Whether it may be executed is not asked: on some file systems nothing may.
            guard try Digest.sha256Hex(FileSystem.read(copy)) == file.sha256 else {
                try FileSystem.removeTree(temporary)
                throw DeploymentError.codeChanged(function: function)
            }
        }
        try FileSystem.settle(temporary, as: target)
    }
}
