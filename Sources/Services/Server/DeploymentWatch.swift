import Posix

/// Tells when another deployment has taken the place of the present one, whoever deployed it.
final class DeploymentWatch: Sendable {
    /// How often it looks where the system offers no notice of changes.
    private static let fallbackInterval = Duration.seconds(1)

    private let path: String
    private let loop: EventLoop
    private let watch: SharedWatch?
    private let state: LoopConfined<FileDescriptor.Status?>
    private let onChange: @Sendable () -> Void

    /// - Parameter onChange: runs on the loop.
    init(_ stateDirectory: String, loop: EventLoop, onChange: @escaping @Sendable () -> Void) {
        path = Deployment.path(stateDirectory)
        self.loop = loop
        self.onChange = onChange
        watch = try? SharedWatch(stateDirectory)
        state = LoopConfined(nil, loop: loop)
    }

    /// From here on; a change before that is told as well.
    func start() throws(SystemError) {
        if let descriptor = watch?.watch.descriptor {
            try loop.watch(descriptor, .read) { [weak self] _ in
                self?.watch?.watch.forget()
                self?.look()
            }
        }
        loop.execute { [self] in look() }
    }

    func stop() {
        if let descriptor = watch?.watch.descriptor { loop.unwatch(descriptor) }
    }

    private func look() {
        let status = try? FileDescriptor(reading: path).status()
        let isNew = state.with { known in
            defer { known = status }
            return known != status
        }
        if isNew { onChange() }
        guard watch == nil else { return }
        loop.schedule(after: Self.fallbackInterval) { [weak self] in self?.look() }
    }
}

/// A watch that several closures may hold.
private final class SharedWatch: Sendable {
    let watch: DirectoryWatch

    init(_ folder: String) throws(SystemError) { watch = try DirectoryWatch(folder) }
}
