import Posix

/// Takes away the folder of a journal that nobody may use any more.
package enum JournalRemoval {
    /// Runs `bury`, alone among all processes, if the journal in `folder` was ended.
    ///
    /// Whoever takes a journal's folder from its place holds that journal's lock meanwhile: so
    /// another one that was made in the place since is never taken for it.
    ///
    /// - Parameters:
    ///   - isEnding: ends it first, whatever its state: for one that does not open any more.
    ///   - bury: renames the folder, or removes it.
    package static func finish(
        folder: String, storage: any JournalStorage, options: JournalOptions,
        isEnding: Bool = false, bury: () throws(SystemError) -> Void
    ) throws(JournalError) {
        let path = "\(folder)/lock"
        let lockFile: any JournalFile
        do throws(SystemError) {
            lockFile = try storage.open(path, creating: isEnding)
        } catch {
            guard error.isNotFound else { throw .storage(error) }
            return  // another was faster
        }
        try lockFile.lock(options)
        defer { lockFile.unlock() }
        try storing { () throws(SystemError) in
            guard try lockFile.isInPlace(at: path, storage) else { return }
            let words = LockWords(try lockFile.bytes(at: 0, count: LockWords.length))
            if words.generation != LockWords.ended {
                guard isEnding else { return }
                try lockFile.writeAll(
                    LockWords.encode(generation: LockWords.ended, durable: 0, deletions: 0), at: 0)
            }
            try bury()
        }
    }
}
