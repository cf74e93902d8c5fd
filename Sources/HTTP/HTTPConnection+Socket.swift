import Posix

/// The bytes: reading, writing, waiting and closing.
extension HTTPConnection {
    func read(_ state: inout State) {
        guard !state.isClosed, !state.isEnded, let socket = state.socket else { return }
        let transfer = service.withScratch { buffer in
            let transfer = Sockets.receive(socket.descriptor, into: buffer)
            if case .bytes(let count) = transfer, !state.isClosing {
                state.parser.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            return transfer
        }
        guard transfer == .closed else { return }
        state.isEnded = true
        askWhetherGone(&state)
    }

    /// A client that has ended its side may still wait for the answer (RFC 9112 section 9.6), or be
    /// gone for good: its last word is the same. It is sent what every client may be sent and
    /// passes over (RFC 9110 section 15.2); who is gone refuses it, and the connection ends.
    /// HTTP/1.0 knows nothing of the kind: such a client is taken for gone.
    func askWhetherGone(_ state: inout State) {
        guard state.isEnded, state.onDisconnect != nil, let current = state.current else { return }
        if current.isOld {
            tellOfDisconnect(&state)
        } else if state.output.isEmpty {
            state.output = HTTPResponse.continued
        }
    }

    /// Writes what there is, and sees what the connection waits for next.
    /// - Returns: whether requests that were held back may go on.
    func settle(_ state: inout State) -> Bool {
        guard !state.isClosed else { return false }
        let wasHeldBack = state.output.count - state.written > service.limits.pipelinedBytes
        flush(&state)
        account(&state)
        guard !state.isClosed else { return false }
        setDeadline(&state)
        guard !state.isClosed else { return false }
        rewatch(&state)
        return wasHeldBack && state.output.isEmpty && state.current == nil && !state.isClosing
    }

    private func flush(_ state: inout State) {
        guard !state.output.isEmpty, let socket = state.socket else { return }
        while state.written < state.output.count {
            let transfer = state.output.withUnsafeBytes { bytes in
                Sockets.write(
                    socket.descriptor, UnsafeRawBufferPointer(rebasing: bytes[state.written...]))
            }
            switch transfer {
            case .bytes(let count): state.written += count
            case .wouldBlock: return forgetWritten(&state)
            case .closed: return close(&state)
            }
        }
        // A connection that waits holds no memory.
        service.keepRoom(&state.output)
        state.written = 0
        state.passed = 0
        state.writingSince = nil
    }

    /// A client that asks on and on may never have taken all. Half at least, so that no byte is
    /// moved often.
    private func forgetWritten(_ state: inout State) {
        guard state.written > service.limits.pipelinedBytes,
            state.written >= state.output.count / 2
        else { return }
        state.output.removeFirst(state.written)
        state.passed += state.written
        state.written = 0
    }

    /// Tells the server what this connection holds now.
    private func account(_ state: inout State) {
        let held =
            state.isClosed
            ? 0
            : state.parser.bufferedBytes + state.parser.bodyBytes + state.output.count
                + (state.current?.bodyBytes ?? 0)
        guard held != state.held else { return }
        let change = held - state.held
        state.held = held
        service.hold(change)
    }

    func setDeadline(_ state: inout State) {
        let limits = service.limits
        state.idleSince = nil
        if !state.output.isEmpty {
            let since = state.writingSince ?? SystemClock.monotonicNanoseconds()
            state.writingSince = since
            wait(
                limits.writeTimeout, since: since, moved: state.passed + state.written, &state)
        } else if state.isClosing {
            // The client reads to the end before it sees ours; `linger` bounds how long we wait.
            if state.isEnded { return close(&state) }
            guard !state.isLingering else { return }
            state.isLingering = true
            if let socket = state.socket { Sockets.endWriting(socket.descriptor) }
            wait(HTTPServer.linger, &state)
        } else if state.current != nil {
            state.deadline = nil
        } else if state.parser.isInsideRequest, let since = state.finishingSince {
            wait(HTTPServer.lastCall, since: since, &state)
        } else if state.parser.isInsideRequest {
            let since = state.readingSince ?? SystemClock.monotonicNanoseconds()
            state.readingSince = since
            wait(limits.readTimeout, since: since, moved: state.parser.bodyBytes, &state)
        } else {
            let now = SystemClock.monotonicNanoseconds()
            state.idleSince = now
            wait(limits.idleTimeout, since: now, &state)
        }
    }

    /// - Parameter moved: bytes for which more time is given.
    func wait(
        _ patience: Duration, since: UInt64? = nil, moved: Int = 0, _ state: inout State
    ) {
        let extra = UInt64(moved) * 1_000_000_000 / UInt64(max(1, service.limits.minimumRate))
        let start = since ?? SystemClock.monotonicNanoseconds()
        let deadline = start + patience.nanoseconds + extra
        state.deadline = deadline
        look(by: deadline, &state)
    }

    /// Only an earlier look than the one that is planned costs anything.
    func look(by deadline: UInt64, _ state: inout State) {
        guard DeadlineWheel.turn(deadline) < state.nextLook else { return }
        state.nextLook = service.watch(identifier, until: deadline)
    }

    private func rewatch(_ state: inout State) {
        // A client that sends on and on while one request is answered has to wait.
        let isBusy = state.current != nil || !state.output.isEmpty
        let isFull = state.parser.bufferedBytes > service.limits.pipelinedBytes
        let interest = EventLoop.Interest(
            reading: !state.isEnded && (!isBusy || !isFull), writing: !state.output.isEmpty)
        guard interest != state.watched else { return }
        state.watched = interest
        service.loop.change(identifier, interest)
    }

    func tellOfDisconnect(_ state: inout State) {
        guard let onDisconnect = state.onDisconnect else { return }
        state.onDisconnect = nil
        // What it does may come back into this object.
        service.loop.execute(onDisconnect)
    }

    func close(_ state: inout State) {
        guard !state.isClosed else { return }
        state.isClosed = true
        tellOfDisconnect(&state)
        state.output = []
        account(&state)
        service.loop.unwatch(identifier)
        if let socket = state.socket { Sockets.hangUp(socket.descriptor) }
        service.forget(self)
    }

    /// Gives the descriptor back: a responder may keep this object for long.
    func release() { state.with { $0.socket = nil } }
}
