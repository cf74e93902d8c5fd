import CPosix
import Glibc

/// A thread of the system, for work that blocks.
package struct Thread: Sendable {
    package typealias Identifier = UInt

    package let identifier: Identifier

    /// - Parameter name: up to 15 characters, as `ps -T` shows it.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let box = Unmanaged.passRetained(Body(name: name, run: body))
        var thread = pthread_t()
        // Signals are the main thread's business.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                msorch_name_thread(body.name)
                body.run()
                return nil
            }, box.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            box.release()
            throw SystemError(call: "pthread_create", code: code)
        }
        identifier = UInt(thread)
    }

    /// The thread that asks.
    package static var current: Identifier { UInt(pthread_self()) }

    /// Lets others run first.
    package static func yield() { sched_yield() }

    /// Waits for its end. Once only, and not at all after `detach`.
    package func join() { pthread_join(pthread_t(identifier), nil) }

    /// Nobody will wait for it.
    package func detach() { pthread_detach(pthread_t(identifier)) }

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void
        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }
}
