import Crypto
import Posix

/// What a function's requirements.txt asks for and its interpreter lacks, installed by pip into a
/// folder of its own.
struct PythonPackages {
    static let requirements = "requirements.txt"
    private static let checkPatience = Duration.seconds(60)
    private static let installPatience = Duration.seconds(900)

    let function: String
    let interpreter: Interpreter
    /// The requirements file.
    let file: String
    /// The digest of all of the function's code.
    let codeSHA256: String

    /// The name of the folder for them, by content; of all of the code, if the requirements name
    /// files, which may be of it.
    func folderName() throws -> String {
        let text = try FileSystem.read(file)
        var content = text + "\n\(interpreter.program) \(interpreter.version)".utf8
        if Self.namesFiles(String(decoding: text, as: UTF8.self)) {
            content += "\n\(codeSHA256)".utf8
        }
        return "packages-\(Digest.sha256Hex(content).prefix(16))"
    }

    /// Whether a line names another file (pip documentation, *Requirements File Format*). What a
    /// URL names is none of the code.
    static func namesFiles(_ text: String) -> Bool {
        let options = [
            "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-f", "--find-links",
        ]
        let lines = text.replacing(/\\\R/, with: " ").split(whereSeparator: \.isNewline)
        return lines.contains { line in
            let words = line.replacing(/(^|\s)#.*/, with: "").split(whereSeparator: \.isWhitespace)
                .filter { !$0.contains("://") || $0.contains("file:") }
            guard let first = words.first else { return false }
            guard !first.hasPrefix("-") else {
                return options.contains { first.hasPrefix($0) && (first != $0 || words.count > 1) }
            }
            return first.contains(/\.(whl|zip|tar|tgz|gz|bz2|xz)$/)
                || words.contains { $0.contains("file:") || $0.contains("/") }
        }
    }

    /// Whether the interpreter has everything already, as functions see it: without the user's
    /// own packages and variables.
    func isSatisfied() throws -> Bool {
        let question = ProcessDescription(
            interpreter.program, ["-c", Self.check, file],
            environment: ["HOME": "/nonexistent", "PATH": "/usr/local/bin:/usr/bin:/bin"])
        let answer = try Subprocess.run(question, timeout: Self.checkPatience)
        switch answer.status {
        case .exited(0): return true
        case .exited(3): return false
        default: throw DeploymentError.noPip(function: function, interpreter: interpreter.program)
        }
    }

    /// Installs into `target`, whole and durable or not at all. Not an error if it is there.
    func install(in target: String, progress: (String) -> Void) throws {
        guard !FileSystem.isDirectory(target) else { return }
        let temporary = "\(target).new-\(ProcessEnvironment.processID)"
        try FileSystem.removeTree(temporary)
        var lines = LineBuffer()
        let description = ProcessDescription(
            interpreter.program,
            [
                "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
                "--progress-bar", "off", "--target", temporary, "-r", file,
            ], environment: ProcessEnvironment.all)
        let outcome = try Subprocess.run(description, timeout: Self.installPatience) { bytes in
            lines.append(bytes).forEach(progress)
        }
        if Signals.termination != nil { throw DeploymentError.interrupted }
        guard outcome.status.isSuccess else {
            try FileSystem.removeTree(temporary)
            throw DeploymentError.packagesFailed(
                function: function, output: String(decoding: outcome.error, as: UTF8.self))
        }
        try FileSystem.settle(temporary, as: target)
    }

    /// Exits with 0 if every requirement is met, with 3 if not. Lines that are more than a
    /// requirement (options, links) are left to pip.
    private static let check = """
        import sys
        from importlib import metadata
        from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
        for line in open(sys.argv[1], encoding='utf-8'):
            text = line.split(' #')[0].strip()
            if not text or text.startswith('#'):
                continue
            try:
                wanted = Requirement(text)
                if wanted.marker and not wanted.marker.evaluate():
                    continue
                version = metadata.version(wanted.name)
            except (InvalidRequirement, metadata.PackageNotFoundError):
                sys.exit(3)
            if wanted.extras or wanted.url or not wanted.specifier.contains(version, True):
                sys.exit(3)
        """
}
